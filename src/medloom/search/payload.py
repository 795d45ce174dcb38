"""How chunks and conditions are laid out in Qdrant, the same in a folder and in a cluster."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from medloom.search.filters import OWN, bounds, check_condition, day_of, number_of
from medloom.search.records import Chunk, Condition, Filter, Operator

DENSE, WORDS, TOKENS = "dense", "words", "tokens"
"""Names of a point's vectors."""
FACTS, NUMBERS, DAYS = "facts", "numbers", "days"
"""Fields of facts by name: as they are written, and as what compares by size."""
OWN_FIELDS: Mapping[str, str] = {"source": "source", "id": "doc_id", "group": "group"}
_PLAIN = ("source", "doc_id", "number", "title", "heading", "text", "part", "start", "end", "group", "digest", "context")
_ODD = re.compile(r"[^A-Za-z0-9_]")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX = re.compile(r"(?:-[0-9a-f]{2})+")


@dataclass(frozen=True, slots=True)
class OneOf:
    """A field has one of these values; or, negated, none of them."""

    key: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Sized:
    """A field holds a number that compares so."""

    key: str
    operator: Operator
    value: float


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of these holds."""

    options: tuple[Sized, ...]


Clause = OneOf | AnyOf


def payload_of(chunk: Chunk) -> dict[str, Any]:
    """A chunk as the payload of a point."""
    payload: dict[str, Any] = {name: getattr(chunk, name) for name in _PLAIN}
    facts: dict[str, list[str]] = {}
    for name, value in chunk.facts:
        facts.setdefault(key_of(name), []).append(value)
    sizes = {NUMBERS: number_of, DAYS: day_of}
    for field, size in sizes.items():
        found = {key: [n for n in map(size, values) if n is not None] for key, values in facts.items()}
        if kept := {key: numbers for key, numbers in found.items() if numbers}:
            payload[field] = kept
    return payload | {FACTS: facts}


def chunk_ids(ids: Iterable[str]) -> list[str]:
    """Those ids that a chunk could have: engines refuse to look up what is no UUID."""
    return [identity for identity in ids if _UUID.fullmatch(identity)]


def chunk_of(identity: str, payload: Mapping[str, Any]) -> Chunk:
    """The inverse of :func:`payload_of`; facts come back ordered by name."""
    named = sorted((name_of(key), values) for key, values in payload.get(FACTS, {}).items())
    facts = tuple((name, value) for name, values in named for value in values)
    return Chunk(id=identity, facts=facts, **{name: payload[name] for name in _PLAIN})


def indexed_fields(chunks: Iterable[Chunk]) -> dict[str, bool]:
    """The fields of chunks that get an index, and whether each holds numbers.

    A comparison with a year asks for numbers and for days: both have an index where there is either, or one is scanned.
    """
    fields = dict.fromkeys(OWN_FIELDS.values(), False)
    for name, value in {fact for chunk in chunks for fact in chunk.facts}:
        key = key_of(name)
        fields[f"{FACTS}.{key}"] = False
        if number_of(value) is not None or day_of(value) is not None:
            fields[f"{NUMBERS}.{key}"] = fields[f"{DAYS}.{key}"] = True
    return dict(sorted(fields.items()))


def fact_names(fields: Iterable[str]) -> list[str]:
    """The names of facts, from the fields that have an index."""
    prefix = f"{FACTS}."
    named = {name_of(field.removeprefix(prefix)) for field in fields if field.startswith(prefix)}
    return sorted(named | set(OWN))


def field_of(name: str) -> str:
    """The field that a fact stands in."""
    return OWN_FIELDS.get(name) or f"{FACTS}.{key_of(name)}"


def clauses_of(where: Filter) -> list[Clause]:
    """Conditions in the words of Qdrant.

    Raises:
        SearchError: One of them cannot be met by anything.
    """
    return [_clause(condition) for condition in where]


def _clause(condition: Condition) -> Clause:
    check_condition(condition)
    name = condition.name
    if condition.operator in ("=", "!="):
        return OneOf(field_of(name), condition.values, condition.operator == "!=")
    key = key_of(name)
    return AnyOf(
        tuple(
            Sized(f"{DAYS if bound.days else NUMBERS}.{key}", bound.operator, bound.value)
            for value in condition.values
            for bound in bounds(condition.operator, value)
        )
    )


def key_of(name: str) -> str:
    """A fact's name as a key that needs no quotes in Qdrant's paths; :func:`name_of` is the inverse."""
    return _ODD.sub(lambda m: "".join(f"-{byte:02x}" for byte in m[0].encode("utf-8", "surrogatepass")), name)


def name_of(key: str) -> str:
    """The name that a key stands for."""
    return _HEX.sub(lambda m: bytes.fromhex(m[0].replace("-", "")).decode("utf-8", "surrogatepass"), key)
