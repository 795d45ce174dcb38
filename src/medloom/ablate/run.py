"""Train every variant, judge each model, keep what is done."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from medloom import pipeline
from medloom.ablate.config import Ablation
from medloom.ablate.table import Table, Trained, make_table
from medloom.bench.build import own_suite
from medloom.bench.results import Result, read_results
from medloom.bench.runner import Summary, run_suites
from medloom.bench.store import SUITE, BuiltSuite, read_suite
from medloom.encode import resolve_model
from medloom.errors import MedloomError, StageError
from medloom.evaluate.systems import open_system
from medloom.recipe import Recipe
from medloom.stages.base import model_stage

Tell = Callable[[str], None]


def ablate(
    ablation: Ablation,
    out: Path,
    only: Sequence[str] = (),
    minutes: float | None = None,
    tell: Tell = lambda _: None,
) -> Table:
    """Run the variants that have not been run, and make the table of all that have.

    All variants share one run's folder: what they have in common (the documents, the guard, the mining) is done once, and a
    variant that was run before costs nothing. So the table grows over several sittings.

    Args:
        ablation: What to run.
        out: Where models and results lie.
        only: Variants to run; all if none is named. The table holds every variant whose results are there.
        minutes: Begin no further variant after so many.
        tell: Told of what begins.

    Raises:
        MedloomError: A variant is unknown, or cannot be run; what is done stays.
    """
    if unknown := [name for name in only if name not in ablation.variants]:
        raise MedloomError(f"there is no variant {unknown[0]!r}: there is {', '.join(ablation.variants)}")
    started = time.monotonic()
    suites = _suites(ablation)
    base = ablation.recipe_of(ablation.compared_with)
    results = {"": _judged(resolve_model(base.base, base.folder).location, suites, out, tell)}
    trained: dict[str, Trained] = {}
    for name in ablation.variants:
        recipe = ablation.recipe_of(name)
        known = _known(recipe, out)
        if known is None:
            late = minutes is not None and time.monotonic() - started > minutes * 60
            if late or (only and name not in only):
                continue
            tell(f"variant {name}")
            known = _train(recipe, out)
        trained[name] = known
        results[name] = _judged(str(known.folder), suites, out, tell)
    return make_table(ablation, results, trained)


def _known(recipe: Recipe, out: Path) -> Trained | None:
    """The model of a variant that was run before."""
    planned = pipeline.plan(recipe, out / "run", until=model_stage(recipe))
    return _trained(planned) if all(step.status == "done" for step in planned.steps) else None


def _train(recipe: Recipe, out: Path) -> Trained:
    found = _trained(pipeline.run(recipe, out / "run", until=model_stage(recipe)))
    if found is None:
        raise StageError("ablate: the run ended without a model")
    return found


def _trained(result: pipeline.RunResult) -> Trained | None:
    manifests = {step.name: step.manifest for step in result.steps if step.manifest}
    train, last = manifests["train"], manifests[result.steps[-1].name]
    place = next(result.folder.glob(f"stages/*-{last.stage}-{last.fingerprint[:12]}"), None)
    if place is None:
        return None
    seconds = sum(manifests[name].seconds for name in {train.stage, last.stage})
    return Trained(place / "model", train.rows_in, int(train.notes["steps"]), seconds)


def _suites(ablation: Ablation) -> dict[str, list[BuiltSuite]]:
    """What judges, by group.

    Raises:
        MedloomError: Two tasks have one name.
    """
    found: dict[str, list[BuiltSuite]] = {}
    for group, judges in ablation.judges.items():
        paths = [ablation.folder / Path(task).expanduser() for task in judges.tasks]
        own = [path for path in paths if not (path / SUITE).is_file()]
        built = [read_suite(path) for path in paths if (path / SUITE).is_file()]
        found[group] = [*built, *([own_suite(own)] if own else [])]
    names = [task.name for suites in found.values() for suite in suites for task in suite.tasks]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise MedloomError(f"two judges are called {twice!r}: set name: in the YAML file of one of them")
    return found


def _judged(model: str, suites: dict[str, list[BuiltSuite]], out: Path, tell: Tell) -> dict[str, dict[str, Result]]:
    """Results of a model by group and task.

    Raises:
        StageError: A task failed.
    """
    summary = Summary()
    flat = [suite for found in suites.values() for suite in found]
    run_suites(lambda: open_system(model), flat, out / "results", summary, tell=tell)
    for failed in summary.errors.values():
        name, problem = next(iter(failed.items()))
        raise StageError(f"ablate: the task {name} failed ({problem})")
    key = next(iter(summary.scores))
    done = {
        (result.block["suite"], result.task.name): result for result in read_results(out / "results") if result.model == key
    }
    return {
        group: {
            task.name: done[suite.name, task.name]
            for suite in found
            for task in suite.tasks
            if (suite.name, task.name) in done
        }
        for group, found in suites.items()
    }
