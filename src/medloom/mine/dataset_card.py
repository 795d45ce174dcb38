"""The card of an exported data set: what the hub reads, and what a person must know."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from medloom.deid.gate import PUBLISH
from medloom.mine.marks import Marks
from medloom.records import TrainingRecord

CARD, DATA = "README.md", "data"
_TEMPLATE = "dataset_card.md.j2"
_SHARD = re.compile(r"train-\d{5,}-of-\d{5,}\.parquet")
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
)
_LARGEST = "n>100M"


@dataclass(frozen=True)
class DatasetFacts:
    """What the card says beyond what the records say.

    Attributes:
        name: Of the data set.
        licence: As the hub writes it; ``other`` where it is a matter of the sources.
        language: ISO 639-1.
        made: Settings and counts of the steps that made the records, by step.
        no_phi: Whether the user states that text nobody has marked is not about patients.
        allow_phi_to: ``allow_phi_to`` of the recipe or the command line.
    """

    name: str = "medical triplets"
    licence: str = "other"
    language: str = "en"
    made: Mapping[str, Any] = field(default_factory=dict)
    no_phi: bool = False
    allow_phi_to: tuple[str, ...] = ()


@dataclass
class Tally:
    """Counts of the records that went by.

    Attributes:
        records: Of each source and kind.
        negatives: Negatives of each source and kind.
        models: Records by what wrote the query; empty for pairs from structure.
        prompts: Keys of the calls.
    """

    records: Counter[tuple[str, str]] = field(default_factory=Counter)
    negatives: Counter[tuple[str, str]] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    prompts: set[str] = field(default_factory=set)

    def count(self, records: Iterable[TrainingRecord]) -> Iterator[TrainingRecord]:
        """The records, counted as they pass."""
        for record in records:
            self.records[record.source, record.kind] += 1
            self.negatives[record.source, record.kind] += len(record.negatives)
            self.models[record.model] += 1
            if record.prompt:
                self.prompts.add(record.prompt)
            yield record


def write_dataset_card(folder: Path, facts: DatasetFacts, tally: Tally, marks: Marks | None) -> None:
    """Write ``README.md``: front matter for the hub, and prose.

    Args:
        folder: Of the data set.
        facts: What the records do not say.
        tally: Counts of the records.
        marks: Of the documents, if they were given.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    total = sum(tally.records.values())
    front = {
        "license": facts.licence,
        "language": [facts.language],
        "pretty_name": facts.name,
        "task_categories": ["sentence-similarity", "text-retrieval"],
        "size_categories": [next((name for limit, name in _SIZES if total < limit), _LARGEST)],
        "tags": ["sentence-transformers", "medical", "medloom", "hard-negatives"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": f"{DATA}/train-*.parquet"}]}],
    }
    environment = Environment(
        loader=PackageLoader("medloom.mine", "."),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template(_TEMPLATE).render(
        front_matter=_yaml(front),
        name=facts.name,
        total=total,
        tasks=[
            (source.replace("|", r"\|"), kind, n, tally.negatives[source, kind])
            for (source, kind), n in sorted(tally.records.items())
        ],
        models=sorted((model, n) for model, n in tally.models.items() if model),
        unwritten=tally.models[""],
        prompts=len(tally.prompts),
        made=_yaml(_shareable(dict(facts.made))) if facts.made else "",
        documents=sum(marks.total.values()) if marks else 0,
        deidentified=sorted(marks.deidentified.items()) if marks else [],
        left_open=sum(marks.open.values()) if marks else 0,
        opened=PUBLISH in facts.allow_phi_to,
        unsaid=sum(marks.unsaid.values()) if marks else 0,
        given=marks is not None,
        no_phi=facts.no_phi,
    )
    (folder / CARD).write_text(text, "utf-8")


def is_ours(folder: Path) -> bool:
    """Whether a folder holds what an export writes, and nothing else."""
    data = folder / DATA
    inside = {path.name for path in folder.iterdir()}
    return inside == {CARD, DATA} and data.is_dir() and all(_SHARD.fullmatch(path.name) for path in data.iterdir())


def _yaml(value: Any) -> str:  # noqa: ANN401
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).strip()


def _shareable(value: Any) -> Any:  # noqa: ANN401
    """Settings without where things lie on this machine and which hosts it talks to."""
    if isinstance(value, Mapping):
        return {str(key): _shareable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shareable(inner) for inner in value]
    if isinstance(value, str) and "://" in value:
        return value.rpartition("#")[2] if "#" in value else "(an address)"
    if isinstance(value, str) and (value.startswith(("/", "~", "gguf:")) or value[1:3] == ":\\"):
        return re.split(r"[/\\:]", value)[-1]
    return value
