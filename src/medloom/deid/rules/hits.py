"""What a rule finds, and how the finds of all rules become spans that do not overlap."""

from collections.abc import Iterable
from typing import NamedTuple

from medloom.deid.spans import Kind, Span

MODEL, GAZETTEER, CUE, FORM = range(4)
"""How sure a find is: a named-entity model; a gazetteer; words around it; its own form or a label before it."""


class Hit(NamedTuple):
    """A place in a text that holds an identifier.

    Attributes:
        start: First character.
        end: One past the last.
        kind: Of what kind.
        sure: One of :data:`MODEL`, :data:`GAZETTEER`, :data:`CUE`, :data:`FORM`.
    """

    start: int
    end: int
    kind: Kind
    sure: int


def to_spans(text: str, hits: Iterable[Hit]) -> list[Span]:
    """Spans in order, none overlapping, that cover just what the hits cover.

    Where two hits overlap, the surer (then the longer) keeps its place and the other what is left of it, unless that is
    punctuation.
    """
    kept: list[Span] = []
    taken = bytearray(len(text))
    for hit in sorted(_joined(hits), key=lambda h: (-h.sure, h.start - h.end, h.start, h.kind)):
        kept += [Span(start, end, hit.kind) for start, end in _free(text, hit, taken)]
        taken[hit.start : hit.end] = b"\1" * (hit.end - hit.start)
    return sorted(kept)


def _joined(hits: Iterable[Hit]) -> list[Hit]:
    """Overlapping hits of one kind as one."""
    joined: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.kind, h.start, h.end)):
        last = joined[-1] if joined else None
        if last is not None and last.kind == hit.kind and hit.start < last.end:
            joined[-1] = Hit(last.start, max(last.end, hit.end), last.kind, max(last.sure, hit.sure))
        else:
            joined.append(hit)
    return joined


def _free(text: str, hit: Hit, taken: bytearray) -> Iterable[tuple[int, int]]:
    """The parts of a hit that no surer hit took and that hold a letter or digit, trimmed to it."""
    start = hit.start
    while start < hit.end:
        if taken[start]:
            start += 1
            continue
        end = taken.find(1, start, hit.end)
        end = hit.end if end < 0 else end
        if (start, end) == (hit.start, hit.end):
            yield start, end
        elif inner := _trimmed(text, start, end):
            yield inner
        start = end


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    while start < end and not text[start].isalnum():
        start += 1
    while end > start and not text[end - 1].isalnum():
        end -= 1
    return (start, end) if start < end else None
