"""The suite ``checks``: behaviour tests that clinicians care about."""

from collections.abc import Iterator

from medloom.bench.base import BuildRequest, Entry, Mode
from medloom.bench.checks.contrasts import contrasts
from medloom.bench.checks.lexicon import fill, kinds, lexicon
from medloom.bench.checks.triples import count, draw
from medloom.evaluate.tasks import METRICS, Facet, Task, TaskType, check

_SOURCE = "medloom lexicon"
_TYPE: TaskType = "MinimalPairs"
_FACET: Facet = "behaviour"


class ChecksSuite:
    """Minimal pairs with a known right order, from a lexicon and frames of our own; each kind of check is one task."""

    name = "checks"
    description = "Behaviour tests: minimal pairs whose right order no clinician would doubt (negation, side, dose, ...)."
    modes: tuple[Mode, ...] = ("strict",)

    def entries(self) -> list[Entry]:
        """The catalogue, in the order in which results are shown."""
        return [
            Entry(
                name=f"{self.name}-{kind}",
                type=_TYPE,
                suite=self.name,
                source=_SOURCE,
                metric=METRICS[_TYPE],
                facet=_FACET,
                description=_description(kind),
            )
            for kind in kinds()
        ]

    def build(self, request: BuildRequest, left_out: dict[str, str]) -> Iterator[Task]:
        """Yield the task of every kind that is wanted; all can be built anywhere.

        Args:
            request: Its seed draws the triples; nothing else of it matters but the names.
            left_out: Stays as it is.
        """
        for entry, kind in zip(self.entries(), kinds(), strict=True):
            if request.wants(entry):
                yield _task(entry, kind, request.seed)


def _task(entry: Entry, kind: str, seed: int) -> Task:
    found = list(contrasts(kind, lexicon()))
    triples = draw(kind, kinds()[kind], found, seed)
    return check(
        Task(
            name=entry.name,
            type=_TYPE,
            source=_SOURCE,
            description=entry.description,
            data={
                "anchors": [t.anchor for t in triples],
                "rights": [t.right for t in triples],
                "wrongs": [t.wrong for t in triples],
                "groups": [t.group for t in triples],
            },
            metric=entry.metric,
            facet=_FACET,
            counts={"candidates": count(kinds()[kind], found), "drawn": len(triples)},
        )
    )


def _description(kind: str) -> str:
    first = next(contrasts(kind, lexicon()))
    frames = [frame for _, frame in kinds()[kind].wordings]
    anchor, right = (fill(frame, 1, first.second.slots) for frame in (frames[0], frames[-1]))
    wrong = fill(frames[0], 0, first.first.slots)
    return f"Tell {kinds()[kind].asks}: '{anchor}' is nearer to '{right}' than to '{wrong}'"
