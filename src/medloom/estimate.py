"""A rough forecast of a run's time: measured where the run has been here before, calculated where not."""

import os
from dataclasses import dataclass

from medloom.encode import resolve_model
from medloom.errors import ModelError
from medloom.pipeline import RunResult
from medloom.recipe import Recipe

_START = 15.0
_SECONDS_PER_THOUSAND = {
    "collect": 0.05,
    "clean": 0.2,
    "deid": 40.0,
    "pairs": 0.02,
    "guard": 0.2,
    "mine": 0.8,
    "evaluate": 1.0,
}
_EXTRACTIVE_SECONDS, _CALL_SECONDS = 0.02, 10.0
_TRAIN_PAIRS_PER_SECOND = 45.0
_PAIRS_PER_DOCUMENT = 1.0
_REFERENCE_MEGABYTES = 91.0
_REFERENCE_CORES = 2


@dataclass(frozen=True)
class Forecast:
    """What a run would take.

    Attributes:
        seconds: Of each stage that would run.
        documents: Of each source, where they can be counted in a moment.
        basis: What the figures rest on.
    """

    seconds: dict[str, float]
    documents: dict[str, int | None]
    basis: str

    @property
    def total(self) -> float:
        """All stages together."""
        return sum(self.seconds.values())


def estimate(recipe: Recipe, planned: RunResult) -> Forecast:
    """Forecast the stages that would run.

    The rates are those of all-MiniLM-L6-v2 on two cores with bf16, scaled by the base model's size and this machine's
    cores; they can be off by a factor of three.

    Args:
        recipe: The run.
        planned: What :func:`~medloom.pipeline.plan` gave for it.
    """
    documents = {source.name: source.count() for source in recipe.sources}
    known = [n for n in documents.values() if n is not None]
    total = sum(known)
    scale = _model_scale(recipe) * _REFERENCE_CORES / (os.cpu_count() or _REFERENCE_CORES)
    pairs = total * _PAIRS_PER_DOCUMENT * (1 - recipe.guard.holdout)
    if recipe.guard.max_per_kind:
        pairs = min(pairs, 2.0 * recipe.guard.max_per_kind * len(recipe.sources))
    seconds: dict[str, float] = {}
    for step in planned.steps:
        if step.status == "done":
            continue
        if step.manifest:
            seconds[step.name] = step.manifest.seconds
        elif step.name == "train":
            seconds[step.name] = _START + scale * recipe.train.epochs * pairs / _TRAIN_PAIRS_PER_SECOND
        elif step.name == "generate":
            seconds[step.name] = _generating(recipe, total)
        elif step.name in ("mine", "evaluate"):
            seconds[step.name] = _START + scale * pairs * _SECONDS_PER_THOUSAND[step.name] / 1000 * 2
        else:
            seconds[step.name] = total * _SECONDS_PER_THOUSAND.get(step.name, 0.0) / 1000
    missing = [name for name, n in documents.items() if n is None]
    basis = "roughly: rates of a small model on two cores, scaled to this machine"
    if "generate" in seconds and recipe.generate and recipe.generate.model:
        basis += f"; generating at {_CALL_SECONDS:.0f} s a call (medloom generate --dry-run counts tokens and cost)"
    if missing:
        basis += f"; without {', '.join(missing)}, whose documents are not counted in advance"
    return Forecast({name: round(value, 1) for name, value in seconds.items()}, documents, basis)


def _generating(recipe: Recipe, documents: int) -> float:
    """Seconds of writing queries: by its calls where a model writes them, by the text where none does."""
    config = recipe.generate
    if config is None or config.mode == "extractive":
        return documents * _EXTRACTIVE_SECONDS
    asked = min(documents, config.limit or documents)
    calls = asked * (sum(config.kinds.values()) if config.mode == "evidence-first" else 1)
    return calls * _CALL_SECONDS / config.concurrency


def _model_scale(recipe: Recipe) -> float:
    """How much heavier the base model is than the reference, by its weights on disk."""
    from pathlib import Path

    try:
        folder = Path(resolve_model(recipe.base, recipe.folder).location)
    except ModelError:
        return 1.0
    megabytes = sum(p.stat().st_size for p in folder.rglob("*.safetensors")) / 1e6
    return max(0.2, megabytes / _REFERENCE_MEGABYTES)
