"""The greedy soup (Wortsman et al. 2022): models join the average one by one, if it gets no worse."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medloom.merge.parents import Parent
from medloom.merge.scores import Scorer, Scores
from medloom.merge.sweep import score_merge
from medloom.merge.ways import Linear


@dataclass(frozen=True)
class Soup:
    """What a greedy soup is made of.

    Attributes:
        way: Equal weights for what is in it, 0 for what is not.
        scores: Of the soup.
        tried: In the order of trial: the model, the soup's score with it, and whether it stayed.
    """

    way: Linear
    scores: Scores
    tried: list[dict[str, Any]]


def greedy_soup(parents: Sequence[Parent], scorer: Scorer, place: Path, prompts_from: str | None = None) -> Soup:
    """Start from the best model on the dev sets; add the others, best first, as long as the mean does not fall.

    Args:
        parents: The models: seeds of one training, say.
        scorer: Has the dev sets.
        place: Folder to work in.
        prompts_from: Whose prompts to keep.
    """

    def scores(held: Sequence[int]) -> Scores:
        return score_merge(parents, _equal(held, len(parents)), scorer, place, prompts_from)

    alone = [scores([number]) for number in range(len(parents))]
    order = sorted(range(len(parents)), key=lambda n: (-alone[n].in_domain, n))
    held, best = [order[0]], alone[order[0]]
    tried = [{"model": parents[order[0]].ref.name, "in_domain": best.in_domain, "kept": True}]
    for number in order[1:]:
        found = scores([*held, number])
        kept = found.in_domain >= best.in_domain
        if kept:
            held, best = [*held, number], found
        tried.append({"model": parents[number].ref.name, "in_domain": found.in_domain, "kept": kept})
    return Soup(_equal(held, len(parents)), best, tried)


def _equal(held: Sequence[int], models: int) -> Linear:
    return Linear(tuple(1 / len(held) if number in held else 0.0 for number in range(models)))
