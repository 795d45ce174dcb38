"""How good a merge is, in its field and outside it; computed once, kept on disk."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medloom.artifacts import write_json
from medloom.encode.encoder import Precision, load_encoder
from medloom.errors import MedloomError
from medloom.evaluate.scored import score
from medloom.evaluate.systems.dense import DenseSystem
from medloom.evaluate.tasks import Task
from medloom.identity import digest


@dataclass(frozen=True)
class Scores:
    """Main scores of one model.

    Attributes:
        dev: By task of its field.
        general: By task outside it.
    """

    dev: dict[str, float]
    general: dict[str, float] = field(default_factory=dict)

    @property
    def in_domain(self) -> float:
        """Mean over the tasks of its field."""
        return statistics.fmean(self.dev.values())

    @property
    def outside(self) -> float | None:
        """Mean over the general tasks; None without any."""
        return statistics.fmean(self.general.values()) if self.general else None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"dev": self.dev, "general": self.general, "in_domain": self.in_domain, "outside": self.outside}


class Scorer:
    """Scores model folders on two groups of tasks, each model once.

    Args:
        dev: Tasks of the field.
        general: Tasks outside it.
        journal: File of what was scored before; written after each model, so that a killed sweep goes on.
        precision: Of the arithmetic.

    Raises:
        MedloomError: There is no dev task.
    """

    def __init__(
        self, dev: Sequence[Task], general: Sequence[Task], journal: Path | None = None, precision: Precision = "auto"
    ) -> None:
        if not dev:
            raise MedloomError("merging by scores needs a dev set: give --dev")
        both = {task.name for task in dev} & {task.name for task in general}
        if both:
            raise MedloomError(f"{min(both)} is a dev set and a general set: a model cannot be judged twice by one")
        self.dev, self.general, self.precision = tuple(dev), tuple(general), precision
        self._journal = journal
        self._known: dict[str, dict[str, dict[str, float]]] = {}
        if journal is not None and journal.is_file():
            self._known = json.loads(journal.read_text("utf-8"))
        self._tasks = [task.fingerprint for task in (*dev, *general)]

    def key(self, what: Any) -> str:  # noqa: ANN401
        """The journal's name for a model, from anything that says which it is."""
        return digest({"model": what, "tasks": self._tasks, "precision": self.precision})

    def known(self, key: str) -> Scores | None:
        """What was scored before."""
        return Scores(**self._known[key]) if key in self._known else None

    def score(self, key: str, folder: Path) -> Scores:
        """Score a model, and keep it under a key."""
        system = DenseSystem(load_encoder(folder, self.precision), name=folder.name)
        every = (*self.dev, *self.general)
        system.prepare(every)
        found = {task.name: score(system, task).score for task in every}
        system.close()
        scores = Scores({t.name: found[t.name] for t in self.dev}, {t.name: found[t.name] for t in self.general})
        self._known[key] = {"dev": scores.dev, "general": scores.general}
        if self._journal is not None:
            self._journal.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._journal, self._known)
        return scores
