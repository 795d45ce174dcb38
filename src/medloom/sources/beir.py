"""What sources in the layout of BEIR share: ``corpus.jsonl`` and ``qrels/*.tsv`` in a folder, or both on the hub.

The documents are those of the corpus. The judgements only tell which splits a document is judged for; queries and
judgements themselves give no documents. The layout: Thakur et al., BEIR, NeurIPS 2021 Datasets and Benchmarks.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from medloom.errors import RowError, SourceError
from medloom.records import Document
from medloom.sources.formats import readers
from medloom.sources.hub import split_name
from medloom.sources.published import Part, PublishedSource
from medloom.sources.table import digests, key_of, rows_of, text_of

_CORPUS = ("corpus.jsonl", "corpus.jsonl.gz", "corpus.parquet")
_JUDGED = "corpus-id"


class BeirSource(PublishedSource):
    """The corpus of a retrieval benchmark, a document for each passage, marked with the splits that it is judged for."""

    CONFIG: ClassVar[str] = "corpus"
    BENCHMARK: ClassVar[bool] = True
    WHOLE: ClassVar[str] = ""
    """The split that the whole corpus is of; the judgements tell if empty."""

    path: Path | None = Field(default=None, description="The folder with corpus.jsonl and, if the splits matter, qrels.")

    def inputs(self) -> dict[str, str]:
        """Hashes of corpus and judgements, or the commit on the hub."""
        return super().inputs() if self.hub else digests([*self._files(), *([] if self.WHOLE else self._judgements())])

    def _parts(self) -> Iterator[tuple[Part, Iterator[readers.Row]]]:
        if self.hub:
            for found, rows in self._hub.parts():
                yield Part(str(found), ""), rows
        else:
            yield from super()._parts()

    def _files(self) -> list[Path]:
        folder = self._folder / (self.path or Path()).expanduser()
        for name in _CORPUS:
            if (folder / name).is_file():
                return [folder / name]
        raise SourceError(f"source {self.name}: no {_CORPUS[0]} in {folder}: give the folder of the unpacked benchmark")

    def _judgements(self) -> list[Path]:
        folder = self._folder / (self.path or Path()).expanduser() / "qrels"
        return sorted(p for p in folder.glob("*") if p.is_file() and readers.supported(p))

    @cached_property
    def _judged(self) -> dict[str, tuple[str, ...]]:
        """The splits that each document is judged for, by id."""
        if self.hub:
            parts = ((part.split, rows) for part, rows in self._hub_rows("").parts())
        else:
            parts = ((path.name.partition(".")[0], rows_of(path)) for path in self._judgements())
        found: dict[str, tuple[str, ...]] = {}
        for split, rows in parts:
            name = split_name(split)
            for where, row, _ in rows:
                document = key_of(row, (_JUDGED,), where) if isinstance(row, dict) else ""
                if not document:
                    raise SourceError(f"{where}: no field {_JUDGED!r}: this is no file of judgements in BEIR's layout")
                if name and name not in found.get(document, ()):
                    found[document] = (*found.get(document, ()), name)
        return found

    def _splits_of(self, row: dict[str, Any], part: Part) -> tuple[str, ...]:
        if self.WHOLE:
            return (self.WHOLE,)
        return self._judged.get(key_of(row, ("_id",), part.name), ())

    def _is_wanted(self, splits: tuple[str, ...]) -> bool:
        """A document that is judged for another split too is left out; one that nobody judged is taken."""
        return set(splits) <= set(self.splits)

    def _document(self, row: dict[str, Any], where: str, part: Part, number: int) -> Document:
        identity = key_of(row, ("_id",), where)
        if not identity:
            raise RowError(where, "no field '_id': this is no corpus in BEIR's layout")
        known = row.get("metadata")
        facts = known if isinstance(known, dict) else {}
        kept = (("url", key_of(facts, ("url",), where)), ("pmid", key_of(facts, ("pubmed_id",), where)))
        return Document(
            id=identity,
            source=self.name,
            title=text_of(row, ("title",), where),
            text=text_of(row, ("text",), where),
            group=identity,
            metadata=tuple((name, value) for name, value in kept if value),
        )
