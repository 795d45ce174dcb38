"""What each variant brings, with intervals, and which is chosen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medloom.ablate.config import Ablation
from medloom.bench.results import Result
from medloom.evaluate.statistics import Interval, interval, replicates

_RESAMPLES = 2_000
Results = Mapping[str, Mapping[str, Result]]
"""By group and task."""


@dataclass(frozen=True)
class Trained:
    """A variant's model.

    Attributes:
        folder: It.
        pairs: That it was trained on.
        steps: Of the optimiser.
        seconds: Of training and merging.
    """

    folder: Path
    pairs: int
    steps: int
    seconds: float


@dataclass(frozen=True)
class Change:
    """A difference with its 95% interval (paired bootstrap over the items of each task; the tasks are fixed)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """A variant.

    Attributes:
        name: Its name.
        changes: What it changes in the recipe.
        pairs: Training pairs.
        steps: Optimiser steps.
        seconds: Of training and merging, where it was run.
        scores: Main score by task.
        gains: By task, against the base.
        means: By group, the mean over its tasks.
        mean_gains: By group, of the mean against the base.
        brings: By group, of the mean against the reference.
        fits: Whether it is worse than the base nowhere by more than is tolerated.
    """

    name: str
    changes: dict[str, Any]
    pairs: int
    steps: int
    seconds: float
    scores: dict[str, float]
    gains: dict[str, Change]
    means: dict[str, float]
    mean_gains: dict[str, Change]
    brings: dict[str, Change]
    fits: bool


@dataclass(frozen=True)
class Table:
    """An ablation's outcome.

    Attributes:
        name: Of the ablation.
        base: Main score of the base by task.
        base_means: By group.
        reference: The variant that others are compared with.
        rows: Variants that have results, in the order of the file.
        missing: Variants that have not been run.
        chosen: The one with the best mean of the first group among those that fit; None if none does.
        rule: How it was chosen.
    """

    name: str
    base: dict[str, float]
    base_means: dict[str, float]
    reference: str
    rows: list[Row]
    missing: list[str]
    chosen: str | None
    rule: str

    def markdown(self) -> str:
        """As a Markdown table: means by group, the gain over the base, and what the variant brings over the reference."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        groups = list(self.base_means)
        heads = [head for group in groups for head in (group, f"{group}: over the base", f"{group}: over {self.reference}")]
        yield "| variant | pairs | steps | " + " | ".join(heads) + " | worst task |"
        yield "|---" * (len(heads) + 4) + "|"
        cells = [cell for group in groups for cell in (f"{self.base_means[group]:.3f}", "", "")]
        yield "| (base) | | | " + " | ".join(cells) + " | |"
        for row in self.rows:
            cells = [
                cell
                for group in groups
                for cell in (
                    f"{row.means[group]:.3f}",
                    _written(row.mean_gains[group]),
                    _written(row.brings[group]) if group in row.brings and row.name != self.reference else "",
                )
            ]
            worst = min(row.gains, key=lambda task: row.gains[task].value)
            name = f"**{row.name}**" if row.name == self.chosen else row.name
            yield (
                f"| {name} | {row.pairs:,} | {row.steps:,} | "
                + " | ".join(cells)
                + f" | {worst} {row.gains[worst].value:+.3f}{'' if row.fits else ' (too much)'} |"
            )
        for name in self.missing:
            yield f"| {name} | " + " | " * (len(heads) + 2) + "not run yet |"


def make_table(ablation: Ablation, results: Mapping[str, Results], trained: Mapping[str, Trained]) -> Table:
    """The table of the variants that have results.

    Args:
        ablation: What was run.
        results: By variant, those of the base under the empty name.
        trained: The variants' models.
    """
    base, reference = results[""], results.get(ablation.compared_with)
    rows = [
        _row(ablation, name, results[name], base, reference, trained[name]) for name in ablation.variants if name in trained
    ]
    first = next(iter(ablation.judges))
    fitting = [row for row in rows if row.fits]
    limits = [
        f"{group} by more than {judges.tolerance}"
        for group, judges in ablation.judges.items()
        if judges.tolerance is not None
    ]
    rule = f"the highest mean of {first}" + (
        f" among those that are worse than the base on no task of {', '.join(limits)}" if limits else ""
    )
    return Table(
        name=ablation.name,
        base={name: result.score for tasks in base.values() for name, result in tasks.items()},
        base_means={group: _mean(tasks) for group, tasks in base.items()},
        reference=ablation.compared_with,
        rows=rows,
        missing=[name for name in ablation.variants if name not in trained],
        chosen=max(fitting, key=lambda row: row.means[first]).name if fitting else None,
        rule=rule,
    )


def _row(ablation: Ablation, name: str, own: Results, base: Results, reference: Results | None, trained: Trained) -> Row:
    gains = {task: _change({task: own[group][task]}, {task: base[group][task]}) for group in own for task in own[group]}
    fits = all(
        gains[task].value >= -judges.tolerance
        for group, judges in ablation.judges.items()
        if judges.tolerance is not None
        for task in own[group]
    )
    return Row(
        name=name,
        changes=dict(ablation.variants[name]),
        pairs=trained.pairs,
        steps=trained.steps,
        seconds=trained.seconds,
        scores={task: result.score for tasks in own.values() for task, result in tasks.items()},
        gains=gains,
        means={group: _mean(tasks) for group, tasks in own.items()},
        mean_gains={group: _change(own[group], base[group]) for group in own},
        brings={group: _change(own[group], reference[group]) for group in own} if reference else {},
        fits=fits,
    )


def _mean(tasks: Mapping[str, Result]) -> float:
    return float(np.mean([result.score for result in tasks.values()]))


def _change(one: Mapping[str, Result], other: Mapping[str, Result]) -> Change:
    """The difference of means over the same tasks, ``one - other``."""
    drawn: list[npt.NDArray[np.float64]] = []
    for seed, (task, result) in enumerate(one.items()):
        scores = replicates(result.task, [result.items, other[task].items], _RESAMPLES, seed)
        drawn.append(scores[0] - scores[1])
    found: Interval = interval(np.mean(drawn, axis=0))
    return Change(_mean(one) - _mean(other), found.low, found.high)


def _written(change: Change) -> str:
    return f"{change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f})"
