"""From models and a wish to one model: the weights are given, found, swept or souped."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medloom.encode.encoder import Precision
from medloom.encode.models import ModelRef
from medloom.errors import ModelError
from medloom.evaluate.tasks import Task
from medloom.identity import digest, model_digest
from medloom.merge.config import MergeConfig
from medloom.merge.losses import examples_of, found_losses, weights_of
from medloom.merge.parents import Parent, open_parents
from medloom.merge.scores import Scorer
from medloom.merge.soup import greedy_soup
from medloom.merge.sweep import Candidate, grid, sweep
from medloom.merge.tasks import capped
from medloom.merge.ways import Way, shown, way_of
from medloom.merge.write import MERGE, Merged, check_free, write_merged

Told = Callable[[Candidate], None]


@dataclass(frozen=True)
class Sets:
    """What merges are scored on.

    Attributes:
        dev: Tasks of the field.
        general: Tasks outside it.
    """

    dev: tuple[Task, ...] = ()
    general: tuple[Task, ...] = ()

    def capped(self, config: MergeConfig, seed: int) -> "Sets":
        """The same, each of a size that a sweep can bear."""
        sizes = seed, config.max_queries, config.max_corpus
        return Sets(tuple(capped(t, *sizes) for t in self.dev), tuple(capped(t, *sizes) for t in self.general))

    def facts(self) -> list[dict[str, Any]]:
        """What is said of them in ``merge.json``."""
        sides = (("dev", self.dev), ("general", self.general))
        return [
            {"name": t.name, "side": side, "metric": t.main_score, "n": t.n, "fingerprint": t.fingerprint}
            for side, tasks in sides
            for t in tasks
        ]


def merge(
    models: Sequence[str | ModelRef],
    config: MergeConfig,
    out: Path,
    sets: Sets | None = None,
    *,
    seed: int = 0,
    precision: Precision = "auto",
    folder: Path | None = None,
    told: Told | None = None,
) -> Merged:
    """Average models.

    Called again with the same arguments it does nothing; after a kill it goes on with the scores that it has.

    Args:
        models: The models; settings, prompts and dtype are the first's, and the last is what general scores are held
            against. ``config.models`` is not read here.
        config: How.
        out: Folder of the model; ``merge.json`` in it says what was done, ``front.html`` draws a sweep.
        sets: What merges are scored on, where scores choose the weights.
        seed: Draws examples, and queries and texts of large sets.
        precision: Of the arithmetic of scoring. Sums of weights are in fp64.
        folder: What relative paths are relative to.
        told: Called with each merge of a sweep.

    Raises:
        ModelError: The models cannot be merged.
        MedloomError: Scores are asked for and there is nothing to score on.
        ArtifactError: ``out`` holds something else, or the disk is full.
    """
    parents = open_parents(models, folder, config.prompts_from)
    held = (sets or Sets()).capped(config, seed) if config.scored else Sets()
    asked = {
        "parents": [parent.ref.hash for parent in parents],
        "config": config.model_dump(mode="json", exclude={"models", "dev", "general"}),
        "sets": held.facts(),
        "seed": seed,
        "precision": precision,
    }
    request = digest(asked)
    done = _done(out, request)
    if done is not None:
        return done
    check_free(out)
    work = out.with_name(out.name + ".work")
    way, more = _way(parents, config, held, work, seed, precision, told)
    facts = {"sets": held.facts(), "seed": seed} if config.scored else {}
    merged = write_merged(parents, way, out, config.prompts_from, {**facts, **more, "request": request})
    shutil.rmtree(work, ignore_errors=True)
    return merged


def _done(out: Path, request: str) -> Merged | None:
    """What an earlier call with the same arguments wrote, if it is whole."""
    if not (out / MERGE).is_file():
        return None
    try:
        facts = json.loads((out / MERGE).read_text("utf-8"))
        whole = facts["request"] == request and model_digest(out) == facts["hash"]
    except (json.JSONDecodeError, KeyError, TypeError, FileNotFoundError):
        return None
    return Merged(out, facts["hash"], facts) if whole else None


def _way(
    parents: Sequence[Parent],
    config: MergeConfig,
    sets: Sets,
    work: Path,
    seed: int,
    precision: Precision,
    told: Told | None,
) -> tuple[Way, dict[str, Any]]:
    """The weights, and how they came about."""
    if config.method == "greedy":
        soup = greedy_soup(parents, _scorer(sets, work, precision), work, config.prompts_from)
        return soup.way, {"chosen": "greedy", "soup": {"tried": soup.tried, **soup.scores.to_dict()}}
    if config.weights == "sweep":
        ways = grid(config.method, len(parents), config.step, config.depth)
        scorer = _scorer(sets, work, precision)
        found = sweep(parents, ways, scorer, work, config.rule, config.tolerance, config.prompts_from, told)
        return found.way, {"chosen": "sweep", "sweep": found.to_dict()}
    if config.weights == "found":
        examples = examples_of(sets.dev, config.examples, seed)
        losses = found_losses(parents, examples, precision)
        how = {"losses": losses, "temperature": config.temperature, "examples": len(examples)}
        weights = weights_of(losses, config.temperature)
        return way_of(config.method, weights), {"chosen": "found", "found": how}
    if config.weights == "equal":
        return way_of(config.method, [1 / len(parents)] * len(parents)), {"chosen": "equal"}
    given = config.weights
    if len(given) != len(parents):
        raise ModelError(f"{len(given)} weights ({shown(given)}) for {len(parents)} models: give one for each")
    return way_of(config.method, given, config.top_weights), {"chosen": "given"}


def _scorer(sets: Sets, work: Path, precision: Precision) -> Scorer:
    return Scorer(sets.dev, sets.general, work / "scores.json", precision)
