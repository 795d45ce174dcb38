"""A reader of OBO flat files, the format of HPO and its kin.

Only what medloom uses is read: id, name, def, synonym (scope and type), is_a, is_obsolete, and the header's
``data-version``. The format: OBO Flat File Format 1.4.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from medloom.records import Synonym
from medloom.sources.formats.terms import Term, open_text

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(.*)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)")
_WHITE = {"n": " ", "t": " ", "W": " "}
_SCOPES = ("EXACT", "NARROW", "BROAD", "RELATED")


def read_version(path: Path) -> str:
    """The ``data-version`` of the header, or an empty string."""
    with open_text(path) as lines:
        for line in lines:
            if line.startswith("["):
                break
            if line.startswith("data-version:"):
                return line.partition(":")[2].strip()
    return ""


def read_terms(path: Path) -> Iterator[Term]:
    """Yield the terms that are not obsolete, in file order.

    Raises:
        SourceError: The file is not UTF-8, or a damaged gzip file.
    """
    with open_text(path) as lines:
        yield from (term for term in _stanzas(lines) if term.id and not term.obsolete)


def _stanzas(lines: Iterable[str]) -> Iterator[Term]:
    term: Term | None = None
    for raw in lines:
        line = raw.rstrip("\n")
        if line.startswith("["):
            if term:
                yield term
            term = Term() if line == "[Term]" else None
        elif term and line:
            _read_line(term, line)
    if term:
        yield term


def _read_line(term: Term, line: str) -> None:
    tag, _, value = line.partition(": ")
    if tag == "id":
        term.id = value.strip()
    elif tag == "name":
        term.name = _unescape(value.strip())
    elif tag == "def":
        term.definition = _quoted(value)[0]
    elif tag == "synonym":
        text, rest = _quoted(value)
        tokens = rest.split("[")[0].split()
        scope = tokens[0] if tokens and tokens[0] in _SCOPES else "RELATED"
        kind = tokens[1] if len(tokens) > 1 else ""
        term.synonyms.append((Synonym(text, scope.lower(), kind == "layperson"), kind))
    elif tag == "is_a":
        term.parents.append(value.split("!")[0].split("{")[0].strip())
    elif tag == "is_obsolete":
        term.obsolete = value.strip() == "true"


def _unescape(text: str) -> str:
    """The text with OBO's escapes resolved; line ends and tabs become blanks."""
    return _ESCAPED.sub(lambda found: _WHITE.get(found[1], found[1]), text)


def _quoted(value: str) -> tuple[str, str]:
    """The text of the first quoted string, unescaped, and what follows it."""
    match = _QUOTED.match(value.lstrip())
    return (_unescape(match[1]).strip(), match[2]) if match else (value.strip(), "")
