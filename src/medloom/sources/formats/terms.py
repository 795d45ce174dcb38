"""Terms of a terminology, and what lies above them: what the readers of all its formats give."""

import gzip
import re
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from medloom.errors import SourceError
from medloom.records import Synonym

Outline = dict[str, tuple[str, tuple[str, ...]]]
"""Name and parents of each term, by id."""
_LOCAL = re.compile(r"([A-Za-z][\w.-]*?)_(\w+)")
_END = re.compile(r"[/#]")


@dataclass
class Term:
    """One term.

    Attributes:
        id: Its id, shortened to ``PREFIX:number``.
        name: Preferred name.
        definition: Definition, or empty.
        synonyms: Other names, each with the word by which the terminology marks its kind (``layperson``, ...), or empty.
        parents: Ids of more general terms.
        obsolete: Whether it was withdrawn.
        kinds: Kinds of things that the terminology counts it among (semantic types).
        revision: Its own date or version, or empty.
    """

    id: str = ""
    name: str = ""
    definition: str = ""
    synonyms: list[tuple[Synonym, str]] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    obsolete: bool = False
    kinds: tuple[str, ...] = ()
    revision: str = ""


def shortened(iri: str) -> str:
    """``PREFIX:number`` for an address that ends in ``PREFIX_number``; what follows the last ``/`` or ``#`` otherwise."""
    end = _END.split(iri)[-1]
    local = _LOCAL.fullmatch(end)
    return f"{local[1]}:{local[2]}" if local and end != iri else end


def with_ancestors(term: str, parents: Mapping[str, Sequence[str]]) -> set[str]:
    """A term and all that lies above it; ids that are not known are passed over.

    Args:
        term: Its id.
        parents: The parents of each known id.
    """
    seen: set[str] = set()
    todo = [term]
    while todo:
        one = todo.pop()
        if one in seen or one not in parents:
            continue
        seen.add(one)
        todo.extend(parents[one])
    return seen


def heads(parents: Mapping[str, Sequence[str]]) -> set[str]:
    """The terms that stand above others and below none."""
    above = {parent for known in parents.values() for parent in known}
    return {term for term, known in parents.items() if term in above and not any(parent in parents for parent in known)}


def branches(parents: Mapping[str, Sequence[str]], roots: Collection[str]) -> set[str]:
    """The top-level branches: the children of the roots; without roots those of the only head, or the heads if several."""
    tops = roots or heads(parents)
    if not roots and len(tops) > 1:
        return set(tops)
    return {term for term, known in parents.items() if any(parent in tops for parent in known)}


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """A UTF-8 file, unpacked if it ends in ``.gz``.

    Raises:
        SourceError: It is damaged, or not UTF-8.
    """
    try:
        if path.suffix.lower() == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig") as packed:
                yield packed
        else:
            with path.open(encoding="utf-8-sig") as plain:
                yield plain
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not UTF-8 (byte {error.start + 1} of a block): fetch or save it again") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(f"{path} is a damaged or cut-off gzip file: fetch it again") from error
