"""A reader of OBO graphs JSON, the other format of ontologies of the OBO Foundry.

Only what medloom uses is read: of each node its id, ``lbl``, and of its ``meta`` definition, synonyms and ``deprecated``; of
the edges ``is_a`` and ``subClassOf``; of the graph its version. Addresses are shortened to ``PREFIX:number``. The file is
read piece by piece, so that memory holds the edges and one node. The format: https://github.com/geneontology/obographs.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from medloom.errors import SourceError
from medloom.records import Synonym
from medloom.sources.formats.terms import Outline, Term, open_text, shortened

_CHUNK = 1 << 20
_LONGEST = 1 << 28
"""Characters of one node, edge or other value."""
_SPACE = re.compile(r"[\s,:]*")
_IS_A = ("is_a", "subclassof")
_SCOPES = {"hasexactsynonym": "exact", "hasnarrowsynonym": "narrow", "hasbroadsynonym": "broad"}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_VERSION_INFO = "http://www.w3.org/2002/07/owl#versionInfo"


def read_graph_version(path: Path) -> str:
    """The version that the first graph states: its version info, or the date in its address; empty if it states none."""
    with open_text(path) as text:
        for key, value in _members(_Scanner(text, path)):
            if key == "meta" and isinstance(value, dict):
                stated = (
                    _text(p, "val") for p in value.get("basicPropertyValues") or () if _text(p, "pred") == _VERSION_INFO
                )
                address = _text(value, "version")
                date = _DATE.search(address)
                return next(stated, date[0] if date else address)
    return ""


def read_graph_outline(path: Path) -> Outline:
    """Name and parents of each class that has a name and is not obsolete, in file order.

    Raises:
        SourceError: The file is no such JSON, damaged, or not UTF-8.
    """
    names: dict[str, str] = {}
    parents: dict[str, list[str]] = {}
    with open_text(path) as text:
        for key, value in _members(_Scanner(text, path)):
            if key == "nodes" and (term := _term(value)):
                names.setdefault(term.id, term.name)
            elif key == "edges" and shortened(_text(value, "pred")).lower() in _IS_A:
                parents.setdefault(shortened(_text(value, "sub")), []).append(shortened(_text(value, "obj")))
    return {term: (name, tuple(parents.get(term, ()))) for term, name in names.items()}


def read_graph_terms(path: Path, outline: Outline) -> Iterator[Term]:
    """Yield the classes that have a name and are not obsolete, in file order.

    Args:
        path: The file.
        outline: What :func:`read_graph_outline` gives for it: parents are taken from there.

    Raises:
        SourceError: The file is no such JSON, damaged, or not UTF-8.
    """
    with open_text(path) as text:
        for key, node in _members(_Scanner(text, path)):
            if key == "nodes" and (term := _term(node)):
                term.parents = list(outline[term.id][1]) if term.id in outline else []
                yield term


def _term(node: Any) -> Term | None:  # noqa: ANN401
    found = node.get("meta") if isinstance(node, dict) else None
    meta = found if isinstance(found, dict) else {}
    name = _text(node, "lbl").strip()
    if not name or meta.get("deprecated") or _text(node, "type") not in ("CLASS", ""):
        return None
    synonyms = []
    for synonym in meta.get("synonyms") or ():
        kind = shortened(_text(synonym, "synonymType"))
        scope = _SCOPES.get(shortened(_text(synonym, "pred")).lower(), "related")
        synonyms.append((Synonym(_text(synonym, "val").strip(), scope, kind == "layperson"), kind))
    return Term(
        id=shortened(_text(node, "id")),
        name=name,
        definition=_text(meta.get("definition"), "val").strip(),
        synonyms=synonyms,
    )


def _text(value: Any, name: str) -> str:  # noqa: ANN401
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _members(scan: "_Scanner") -> Iterator[tuple[str, Any]]:
    """Key and value of each member of each graph; of a member that is a list, each element."""
    graphs = 0
    for key in scan.fields():
        if key != "graphs" or scan.next() != "[":
            scan.value()
            continue
        for _ in scan.elements():
            graphs += 1
            for member in scan.fields():
                if scan.next() != "[":
                    yield member, scan.value()
                    continue
                for _ in scan.elements():
                    yield member, scan.value()
    if not graphs:
        raise scan.error("it holds no graphs: give a file of OBO graphs JSON")


class _Scanner:
    """Walks through JSON without holding it.

    Args:
        text: The open file.
        path: Its name, for errors.
    """

    def __init__(self, text: TextIO, path: Path) -> None:
        self._file, self._path = text, path
        self._text, self._at = "", 0
        self._decoder = json.JSONDecoder()

    def next(self) -> str:
        """The next character that is no white space, comma or colon; it stays where it is.

        Raises:
            SourceError: The file ends here.
        """
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            self._text, self._at = self._file.read(_CHUNK), 0
            if not self._text:
                raise self.error("it ends too early: fetch it again")

    def fields(self) -> Iterator[str]:
        """The keys of the object that begins here; the caller takes each value before the next key."""
        self._take("{")
        while self.next() != "}":
            key = self.value()
            if not isinstance(key, str):
                raise self.error("it is no OBO graphs JSON")
            yield key
        self._take("}")

    def elements(self) -> Iterator[None]:
        """Once for each element of the list that begins here; the caller takes it."""
        self._take("[")
        while self.next() != "]":
            yield
        self._take("]")

    def value(self) -> Any:  # noqa: ANN401
        """The value that begins here."""
        self.next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except RecursionError:
                raise self.error("a value is nested too deeply") from None
            except ValueError:
                end = len(self._text)
            if end < len(self._text):
                self._at = end
                return value
            held = len(self._text) - self._at
            more = self._file.read(max(_CHUNK, held)) if held < _LONGEST else ""
            if not more:
                raise self.error("it is not whole JSON: fetch it again")
            self._text, self._at = self._text[self._at :] + more, 0

    def error(self, problem: str) -> SourceError:
        """An error that names the file."""
        return SourceError(f"{self._path}: {problem}")

    def _take(self, character: str) -> None:
        if self.next() != character:
            raise self.error("it is no OBO graphs JSON")
        self._at += 1
