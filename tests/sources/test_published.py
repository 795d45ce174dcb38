"""What sources of published data sets share: origins, splits, marks."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from medloom.errors import SourceError
from medloom.records import Document
from medloom.sources import Rejects, known_sources
from medloom.sources.medmcqa import MedMcqaSource
from medloom.sources.medqa import MedQaSource
from medloom.sources.medquad import MedQuadSource
from medloom.sources.mtsamples import MtSamplesSource
from medloom.sources.published import PublishedSource

Write = Callable[..., Path]
SPLITS = {"train": "train", "validation": "dev", "test": "test"}


def _question(word: str, **more: Any) -> dict[str, Any]:
    return {"question": f"Which {word}?", "options": {"A": "This", "B": "That"}, "answer_idx": "A", **more}


@pytest.fixture
def folder(tmp_path: Path, write_jsonl: Write) -> Path:
    for split, word in SPLITS.items():
        write_jsonl(f"own_phrases-{word}.jsonl", [_question(split), _question(split)])
    return tmp_path


def _read(source: PublishedSource) -> list[Document]:
    return list(source.documents(Rejects(None)))


def test_splits_are_told_by_the_names_of_files(folder: Path) -> None:
    documents = _read(MedQaSource(path=folder))
    assert len(documents) == 6
    assert all(d.title == f"Which {d.fact('split')}?" for d in documents)
    assert all(d.fact("licence") == "MIT" for d in documents)


@pytest.mark.parametrize("wanted", [("train",), ("test", "validation")])
def test_only_the_wanted_splits(folder: Path, wanted: tuple[Any, ...]) -> None:
    source = MedQaSource(path=folder, splits=wanted)
    assert {d.fact("split") for d in _read(source)} == set(wanted)
    assert source.count() is None


def test_a_field_of_the_row_goes_before_the_files_name(write_jsonl: Write) -> None:
    rows = [_question("one", split="dev"), _question("two"), _question("three", split="other")]
    assert [d.fact("split") for d in _read(MedQaSource(path=write_jsonl("train.jsonl", rows)))] == [
        "validation",
        "train",
        "train",
    ]


def test_splits_that_are_not_there(folder: Path, write_jsonl: Write) -> None:
    with pytest.raises(SourceError, match="source medqa: nothing is of the split train; its splits: test"):
        _read(MedQaSource(path=folder / "own_phrases-test.jsonl", splits=("train",)))
    unclear = write_jsonl("train-and-test.jsonl", [_question("one")])
    assert [d.fact("split") for d in _read(MedQaSource(path=unclear))] == [""]
    with pytest.raises(SourceError, match="its splits: not told by the names of its files"):
        _read(MedQaSource(path=unclear, splits=("train",)))


def test_rows_of_a_benchmark_are_not_read_silently(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        _read(MedQaSource(path=folder))
        assert ["dev.jsonl holds" in r.getMessage() for r in caplog.records] == [True, False]
        assert "test.jsonl holds rows of a benchmark: do not train on them" in caplog.text
        caplog.clear()
        _read(MedQaSource(path=folder, splits=("test",)))
        _read(MedQaSource(path=folder / "own_phrases-train.jsonl"))
        assert caplog.records == []
    assert "benchmark" in MedQaSource(path=folder).release().name


def test_the_copy_on_the_hub(folder: Path) -> None:
    source = MedQaSource(hub=True, dataset=str(folder))
    assert {d.fact("split") for d in _read(source)} == {"train"}
    assert {d.fact("split") for d in _read(MedQaSource(hub=True, dataset=str(folder), splits=("test",)))} == {"test"}
    assert source.release().version == f"{folder} at a folder"
    assert list(source.inputs()) == [folder.name]
    assert source.count() is None
    with pytest.raises(SourceError, match="GBaker/MedQA-USMLE-4-options is on the hub, and HF_HUB_OFFLINE"):
        MedQaSource(hub=True).inputs()
    commit = "0" * 40
    assert MedQaSource(hub=True, revision=commit).inputs() == {"GBaker/MedQA-USMLE-4-options": commit}
    assert MedQaSource(hub=True, revision=commit).release().version == f"GBaker/MedQA-USMLE-4-options at {commit}"


def test_the_hubs_medmcqa_counts_options_from_0(tmp_path: Path, write_jsonl: Write) -> None:
    row = {"question": "Which one?", "cop": 1, "exp": "Because."} | {f"op{c}": f"option {c}" for c in "abcd"}
    write_jsonl("train.jsonl", [row])
    (document,) = _read(MedMcqaSource(hub=True, dataset=str(tmp_path)))
    assert [s.text for s in document.sections if s.heading == "correct option"] == ["option b"]
    (document,) = _read(MedMcqaSource(hub=True, dataset=str(tmp_path), first_option="1"))
    assert [s.text for s in document.sections if s.heading == "correct option"] == ["option a"]


def test_every_split_of_a_set_that_is_no_benchmark(tmp_path: Path, write_jsonl: Write) -> None:
    for split in ("train", "test"):
        write_jsonl(f"{split}.jsonl", [{"question": f"{split}?", "answer": "."}])
    assert len(_read(MedQuadSource(hub=True, dataset=str(tmp_path)))) == 2


@pytest.mark.parametrize("settings", [{}, {"path": "a.jsonl", "hub": True}])
def test_one_origin(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"give either path, your own files, or hub: true \(hub: true streams GBaker"):
        MedQaSource(**settings)
    with pytest.raises(ValidationError, match="no copy on the hub is known: name one as dataset"):
        MtSamplesSource(hub=True)


def test_every_published_source_says_what_it_must() -> None:
    kinds = [kind for kind in known_sources().values() if issubclass(kind, PublishedSource)]
    assert {k.model_fields["type"].default for k in kinds} == {
        "medquad",
        "medmcqa",
        "medqa",
        "nfcorpus",
        "trec-covid",
        "cure",
        "asclepius",
        "pmc-patients",
        "mtsamples",
    }
    for kind in kinds:
        release = kind.model_validate({"path": "own"}).release()
        assert release.licence and release.citation and release.url
        assert ("benchmark" in release.name) == kind.BENCHMARK
