"""Which weights: a grid of merges, each scored in its field and outside it, and one picked by a rule said beforehand."""

import itertools
import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medloom.errors import ModelError
from medloom.merge.parents import Parent
from medloom.merge.scores import Scorer, Scores
from medloom.merge.ways import Layered, Linear, Slerp, Way
from medloom.merge.write import write_merged
from medloom.progress import bar

Rule = Literal["mean", "each"]
MOST = 500
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Candidate:
    """One merge and how good it is."""

    way: Way
    scores: Scores


@dataclass(frozen=True)
class Sweep:
    """What a sweep found.

    Attributes:
        candidates: Every merge, in the grid's order; the pure models are among them.
        base: Number of the candidate that is the last model alone.
        picked: Number of the one that the rule picks.
        front: Numbers of those that no other beats both in the field and outside it.
        allowed: Numbers of those that the rule lets through.
        rule: The rule's name.
        tolerance: What a general score may lose against the base.
    """

    candidates: list[Candidate]
    base: int
    picked: int
    front: list[int]
    allowed: list[int]
    rule: Rule
    tolerance: float

    @property
    def way(self) -> Way:
        """The way that is picked."""
        return self.candidates[self.picked].way

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rule": rule_text(self.rule, self.tolerance, bool(self.candidates[self.base].scores.general)),
            "tolerance": self.tolerance,
            "base": self.base,
            "picked": self.picked,
            "candidates": [
                {
                    **one.way.to_dict(),
                    **one.scores.to_dict(),
                    "on_front": number in self.front,
                    "allowed": number in self.allowed,
                }
                for number, one in enumerate(self.candidates)
            ],
        }


def rule_text(rule: Rule, tolerance: float, general: bool) -> str:
    """The rule as a sentence."""
    if not general:
        return "best mean over the dev sets; no general set was given, so nothing is known of what is lost outside the field"
    where = "the mean over the general sets" if rule == "mean" else "the score on every general set"
    return f"best mean over the dev sets among those for which {where} is not below the base's by more than {tolerance:g}"


def grid(method: str, models: int, step: float, depth: bool = False) -> list[Way]:
    """All merges whose weights are multiples of a step.

    Args:
        method: ``linear`` or ``slerp``.
        models: How many.
        step: Of the weights; 1 over a whole number.
        depth: Also weights that differ between embeddings and last block.

    Raises:
        ModelError: The step does not divide 1, or there would be too many.
    """
    parts = round(1 / step)
    if parts < 1 or abs(parts * step - 1) > 1e-6:
        raise ModelError(f"the step {step:g} does not divide 1: give 0.1, 0.2, 0.25, ...")
    points = [tuple(n / parts for n in shares) for shares in _compositions(parts, models)]
    if method == "slerp":
        if models != 2 or depth:
            raise ModelError("slerp is between two models, with one pair of weights")
        ways: list[Way] = [Slerp(point[1]) for point in points]
    else:
        ways = [Linear(point) for point in points]
    if depth:
        ways += [Layered(bottom, top) for bottom, top in itertools.permutations(points, 2)]
    if len(ways) > MOST:
        raise ModelError(f"a step of {step:g} makes {len(ways):,} merges of {models} models: take a larger one")
    return ways


def _compositions(whole: int, parts: int) -> list[tuple[int, ...]]:
    """Every way to write a whole number as so many parts, the first part largest first."""
    if parts == 1:
        return [(whole,)]
    return [(n, *rest) for n in range(whole, -1, -1) for rest in _compositions(whole - n, parts - 1)]


def sweep(
    parents: Sequence[Parent],
    ways: Sequence[Way],
    scorer: Scorer,
    place: Path,
    rule: Rule = "mean",
    tolerance: float = 0.01,
    prompts_from: str | None = None,
    told: Callable[[Candidate], None] | None = None,
) -> Sweep:
    """Make and score every merge, and pick one.

    The last model is the base. Each merge is written, loaded and scored as the model that it would be, then removed.

    Args:
        parents: The models.
        ways: The merges.
        scorer: Scores them, and knows those that a killed sweep scored.
        place: Folder to work in.
        rule: Whether the mean of the general scores is held against the base's, or each.
        tolerance: What it may lose.
        prompts_from: Whose prompts to keep.
        told: Called with each candidate.

    Raises:
        ModelError: No merge is the base alone, which the others are held against.
    """
    candidates = []
    with bar("merges", len(ways), "merges") as advance:
        for way in ways:
            candidates.append(Candidate(way, score_merge(parents, way, scorer, place, prompts_from)))
            if told:
                told(candidates[-1])
            advance()
    base = next((n for n, one in enumerate(candidates) if _is_last(one.way, len(parents))), None)
    if base is None:
        raise ModelError("no merge is the last model alone: it is what the others are held against")
    allowed = _allowed(candidates, base, rule, tolerance)
    return Sweep(candidates, base, _best(candidates, allowed), front(candidates), allowed, rule, tolerance)


def score_merge(parents: Sequence[Parent], way: Way, scorer: Scorer, place: Path, prompts_from: str | None) -> Scores:
    """Scores of one merge, from the journal or from the model itself."""
    key = scorer.key({"parents": [p.ref.hash for p in parents], "way": way.to_dict(), "prompts": prompts_from})
    known = scorer.known(key)
    if known is not None:
        return known
    folder = place / "candidate"
    write_merged(parents, way, folder, prompts_from)
    try:
        return scorer.score(key, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_last(way: Way, models: int) -> bool:
    weights = [0.0] * (models - 1) + [1.0]
    return way.to_dict() in ({"method": name, "weights": weights} for name in ("linear", "slerp"))


def _allowed(candidates: Sequence[Candidate], base: int, rule: Rule, tolerance: float) -> list[int]:
    floor = candidates[base].scores
    allowed = []
    for number, one in enumerate(candidates):
        losses = [floor.general[name] - value for name, value in one.scores.general.items()] or [0.0]
        loss = max(losses) if rule == "each" else statistics.fmean(losses)
        if loss <= tolerance + _ROUNDING:
            allowed.append(number)
    return allowed


def _best(candidates: Sequence[Candidate], allowed: Sequence[int]) -> int:
    """Best in its field; of equals, the best outside it; of equals, the first."""
    return max(allowed, key=lambda n: (candidates[n].scores.in_domain, candidates[n].scores.outside or 0.0, -n))


def front(candidates: Sequence[Candidate]) -> list[int]:
    """Numbers of the candidates that no other equals or beats on both means and beats on one (the Pareto front)."""
    points = [(one.scores.in_domain, one.scores.outside or 0.0) for one in candidates]

    def beaten(point: tuple[float, float]) -> bool:
        return any(all(a >= b for a, b in zip(other, point, strict=True)) and other != point for other in points)

    return [number for number, point in enumerate(points) if not beaten(point)]
