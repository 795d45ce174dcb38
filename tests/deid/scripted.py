"""A detector that finds what it is told to find, and notes to find it in."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from medloom.deid.spans import Kind, Span


class Scripted:
    """Finds given texts wherever they stand, the longest first.

    Args:
        told: Texts by their kind.
        ahead: How many notes it reads before it answers, as detectors with batches do.
    """

    def __init__(self, told: dict[str, Kind], ahead: int = 1) -> None:
        self.name = "scripted/1"
        self._told = sorted(told.items(), key=lambda one: -len(one[0]))
        self._ahead = ahead
        self.read = 0

    def find_many(self, notes: Iterable[Sequence[str]]) -> Iterator[list[list[Span]]]:
        """See the protocol."""
        waiting = iter(notes)
        while batch := list(islice(waiting, self._ahead)):
            self.read += len(batch)
            yield from ([self._find(text) for text in note] for note in batch)

    def _find(self, text: str) -> list[Span]:
        spans: list[Span] = []
        for told, kind in self._told:
            at = text.find(told)
            while at >= 0:
                end = at + len(told)
                if all(end <= s.start or at >= s.end for s in spans):
                    spans.append(Span(at, end, kind))
                at = text.find(told, end)
        return sorted(spans)
