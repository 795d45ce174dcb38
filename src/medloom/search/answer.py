"""What a search comes back with, and how it is written as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from medloom.search.expand import Expansion
from medloom.search.filters import OWN, facts_of
from medloom.search.records import Hit


@dataclass(frozen=True)
class Answer:
    """The answer to one query.

    Attributes:
        query: As it was asked.
        mode: How it was searched.
        hits: What was found, best first.
        expanded: What was added to the query, and from where.
        seconds: Wall time; of queries that were embedded together, each has its share of that.
        parts: Seconds of each step.
    """

    query: str
    mode: str
    hits: tuple[Hit, ...]
    expanded: tuple[Expansion, ...] = ()
    seconds: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON; the same in files, on the command line and over HTTP."""
        return {
            "query": self.query,
            "mode": self.mode,
            "seconds": round(self.seconds, 4),
            "expanded": [{"term": e.term, "added": list(e.added), "from": e.source} for e in self.expanded],
            "results": [_row(rank, hit) for rank, hit in enumerate(self.hits, start=1)],
        }


def metadata_of(hit: Hit) -> dict[str, Any]:
    """What is said of a chunk beside its text; a fact with several values is a list."""
    chunk = hit.chunk
    facts: dict[str, Any] = {}
    for name, value in chunk.facts:
        known = facts.get(name)
        facts[name] = value if known is None else [*(known if isinstance(known, list) else [known]), value]
    place = {"part": chunk.part, "start": chunk.start, "end": chunk.end, "evidence": list(hit.evidence or ())}
    about = {"source": chunk.source, "document": chunk.doc_id, "title": chunk.title, "heading": chunk.heading}
    return facts | about | place | {"score": hit.score}


def _row(rank: int, hit: Hit) -> dict[str, Any]:
    chunk = hit.chunk
    facts = {name: values for name, values in facts_of(chunk).items() if name not in OWN}
    return {
        "rank": rank,
        "score": hit.score,
        "chunk": chunk.id,
        "source": chunk.source,
        "document": chunk.doc_id,
        "title": chunk.title,
        "heading": chunk.heading,
        "text": chunk.text,
        "part": chunk.part,
        "start": chunk.start,
        "end": chunk.end,
        "further": hit.further,
        "evidence": {"start": hit.evidence[0], "end": hit.evidence[1]} if hit.evidence else None,
        "url": next(iter(facts.get("url", [])), None),
        "date": next(iter(facts.get("date", [])), None),
        "facts": facts,
        "parts": {way: {"rank": rank_, "score": score} for way, (rank_, score) in hit.parts.items()},
    }
