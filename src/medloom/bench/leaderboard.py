"""Results as one board: what the tables and the HTML page are made from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medloom import __version__
from medloom.bench.alike import differences
from medloom.bench.contamination import Overlap, declared
from medloom.bench.published import Reference, references
from medloom.bench.results import RUN, Result, read_errors, read_results
from medloom.bench.versus import Board, Pair
from medloom.errors import MedloomError, StageError
from medloom.evaluate.tasks import Task
from medloom.meter import machine

_MEGABYTE = 1_000_000
_MEDTEB = {"medteb", "medteb-full"}


def leaderboard(
    folder: Path,
    suites: Sequence[str] = (),
    models: Sequence[str] = (),
    allow_unlike: bool = False,
    overlaps: Mapping[str, Overlap] | None = None,
    tasks: Mapping[str, Task] | None = None,
    resamples: int = 2_000,
    permutations: int = 10_000,
    seed: int = 0,
    command: str = "medloom bench report",
) -> dict[str, Any]:
    """Everything that a report shows, as plain JSON.

    Published rows that are means over a whole suite (MedTE's) are shown only where no other suite is.

    Args:
        folder: Where the results lie.
        suites: Suites to show, with or without their mode (``medteb``, ``medteb-compat``); all if empty.
        models: Model keys, or names, to show, in that order; all if empty.
        allow_unlike: Compare results whose settings differ, with a warning.
        overlaps: By model key or name, an index of what it was trained on.
        tasks: By fingerprint, the built tasks, for measuring overlap.
        resamples: Of the bootstrap.
        permutations: Of the tests, at most.
        seed: Of both.
        command: What the report says it was made with.

    Raises:
        ArtifactError: There are no results, or one is damaged.
        MedloomError: A model or suite that is asked for has no results.
        StageError: The results differ in a way that matters, and ``allow_unlike`` is not set.
    """
    results = _chosen(list(read_results(folder)), suites, models)
    unlike = differences(results)
    if unlike and not allow_unlike:
        raise StageError(
            "these results are not alike, so a difference may not be the models': "
            + "; ".join(unlike[:5])
            + (f"; and {len(unlike) - 5} more" if len(unlike) > 5 else "")
            + ". Run them again in the same way, or give --allow-unlike"
        )
    by_model = _by_model(results)
    comparable = _same_data(by_model)
    board = Board(comparable, resamples, permutations, seed)
    pairs = board.pairs()
    shown = {r.block["suite"] for r in results}
    extra = [row for row in references(shown) if not row.types or shown <= _MEDTEB]
    return {
        "title": f"medloom bench: {', '.join(sorted(shown))}",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "medloom": __version__,
        "machine": machine(),
        "command": command,
        "suites": _suites(results),
        "models": [_model(folder, key, found) for key, found in by_model.items()] + [_reference_model(r) for r in extra],
        "tasks": _tasks(results),
        "scores": _scores(board, by_model, comparable, pairs, folder, overlaps or {}, tasks or {})
        + [row for r in extra for row in _reference_scores(r, results)],
        "macro": _macro(board, comparable, pairs) + [_reference_macro(r) for r in extra if r.types],
        "pairs": [_pair(pair) for pair in pairs],
        "map": None,
        "warnings": [f"compared although not alike: {one}" for one in unlike]
        + [f"{task} is not shown: it failed for every model that tried it" for task in _lost(folder, results)],
    }


def _chosen(results: list[Result], suites: Sequence[str], models: Sequence[str]) -> list[Result]:
    for wanted, known in ((suites, {name for r in results for name in _suite_names(r)}), (models, _names(results))):
        for one in wanted:
            if one not in known:
                raise MedloomError(f"no results of {one}: there are results of {', '.join(sorted(known))}")
    kept = [r for r in results if not suites or _suite_names(r) & set(suites)]
    if models:
        order = {name: i for i, name in enumerate(models)}
        kept = [r for r in kept if {r.model, r.block["system"]["name"]} & order.keys()]
        kept.sort(key=lambda r: min(order.get(r.model, len(order)), order.get(r.block["system"]["name"], len(order))))
    return kept


def _suite_names(result: Result) -> set[str]:
    return {result.block["suite"], f"{result.block['suite']}-{result.block['mode']}"}


def _lost(folder: Path, results: Sequence[Result]) -> list[str]:
    """Tasks of the suites shown that failed and that no model has a result of."""
    shown = {name for r in results for name in _suite_names(r)}
    failed = {task for _, suite, task, _ in read_errors(folder) if suite in shown}
    return sorted(failed - {r.task.name for r in results})


def _names(results: Sequence[Result]) -> set[str]:
    return {name for r in results for name in (r.model, r.block["system"]["name"])}


def _by_model(results: Sequence[Result]) -> dict[str, dict[str, Result]]:
    by_model: dict[str, dict[str, Result]] = {}
    for result in results:
        by_model.setdefault(result.model, {})[result.task.name] = result
    return by_model


def _same_data(by_model: Mapping[str, Mapping[str, Result]]) -> dict[str, dict[str, Result]]:
    """The results that can be paired item by item: a task of which models have unlike data is left out of the tests."""
    prints: dict[str, set[str]] = {}
    for found in by_model.values():
        for name, result in found.items():
            prints.setdefault(name, set()).add(result.block["fingerprint"])
    return {
        model: {name: result for name, result in found.items() if len(prints[name]) == 1}
        for model, found in by_model.items()
    }


def _suites(results: Sequence[Result]) -> list[dict[str, Any]]:
    found = {(r.block["suite"], r.block["mode"], r.block["seed"], r.block["suite_fingerprint"]): None for r in results}
    return [dict(zip(("name", "mode", "seed", "fingerprint"), key, strict=True)) for key in found]


def _tasks(results: Sequence[Result]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    keys = ("type", "metric", "suite", "mode", "source", "facet", "description", "n", "unit", "fingerprint", "public")
    for r in results:
        rows.setdefault(r.task.name, {"name": r.task.name, **{key: r.block[key] for key in keys}})
    return list(rows.values())


def _model(folder: Path, key: str, found: Mapping[str, Result]) -> dict[str, Any]:
    system = next(iter(found.values())).block["system"]
    run: dict[str, Any] = {}
    if (folder / key / RUN).is_file():
        run = json.loads((folder / key / RUN).read_text("utf-8"))
    size = system.get("size_bytes")
    return {
        "id": key,
        "name": system["name"],
        "hash": system["hash"],
        "kind": system["kind"],
        "dimensions": system["dimensions"],
        "parameters": system["parameters"],
        "size_mb": round(size / _MEGABYTE, 1) if size else None,
        "settings": system["settings"],
        **{k: run.get(k) for k in ("seconds", "texts", "texts_per_second", "latency_ms", "peak_rss_mb")},
        "reference": None,
    }


def _scores(
    board: Board,
    by_model: Mapping[str, Mapping[str, Result]],
    comparable: Mapping[str, Mapping[str, Result]],
    pairs: Sequence[Pair],
    folder: Path,
    overlaps: Mapping[str, Overlap],
    tasks: Mapping[str, Task],
) -> list[dict[str, Any]]:
    failed = {(model, task): problem for model, _, task, problem in read_errors(folder)}
    ranks = {name: board.ranks(pairs, name) for name in board.tasks}
    names = list(dict.fromkeys(name for found in by_model.values() for name in found))
    rows = []
    for model, found in by_model.items():
        system = next(iter(found.values())).block["system"]
        overlap = overlaps.get(model) or overlaps.get(system["name"])
        for name in names:
            result = found.get(name)
            span = board.score_interval(model, name) if name in comparable[model] else None
            built = tasks.get(result.block["fingerprint"]) if result else None
            rows.append(
                {
                    "model": model,
                    "task": name,
                    "score": result.score if result else None,
                    "ci_low": span.low if span else None,
                    "ci_high": span.high if span else None,
                    "rank": ranks.get(name, {}).get(model),
                    "error": failed.get((model, name)),
                    "declared": declared(system["name"], result.task.source) if result else [],
                    "overlap": overlap.of(built) if overlap and built and result else None,
                }
            )
    return rows


def _macro(board: Board, by_model: Mapping[str, Mapping[str, Result]], pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    ranks = board.macro_ranks(pairs)
    rows = []
    for model in by_model:
        macro = board.macro(model)
        rows.append(
            {
                "model": model,
                "score": macro.score,
                "ci_low": macro.interval.low if macro.interval else None,
                "ci_high": macro.interval.high if macro.interval else None,
                "types": macro.types,
                "rank": ranks.get(model),
                "complete": macro.score is not None,
            }
        )
    return rows


def _pair(pair: Pair) -> dict[str, Any]:
    counts = {word: sum(delta.verdict == word for delta in pair.tasks) for word in ("better", "worse", "same")}
    delta, span = pair.macro or (None, None)
    return {
        "a": pair.a,
        "b": pair.b,
        "tasks": [asdict(one) for one in pair.tasks],
        **counts,
        "macro_delta": delta,
        "macro_low": span.low if span else None,
        "macro_high": span.high if span else None,
    }


def _reference_model(reference: Reference) -> dict[str, Any]:
    blank = ("dimensions", "parameters", "size_mb", "seconds", "texts", "texts_per_second", "latency_ms", "peak_rss_mb")
    return {
        "id": f"published: {reference.model}",
        "name": reference.model,
        "hash": "",
        "kind": "published",
        "settings": {},
        **dict.fromkeys(blank),
        "reference": {"source": reference.source, "note": reference.note},
    }


def _reference_scores(reference: Reference, results: Sequence[Result]) -> list[dict[str, Any]]:
    metrics = {r.task.name: r.block["metric"] for r in results}
    return [
        {
            "model": f"published: {reference.model}",
            "task": task,
            "score": value,
            **dict.fromkeys(("ci_low", "ci_high", "rank", "error", "overlap")),
            "declared": [],
        }
        for (task, metric), value in reference.tasks.items()
        if metrics.get(task) == metric
    ]


def _reference_macro(reference: Reference) -> dict[str, Any]:
    return {
        "model": f"published: {reference.model}",
        "score": sum(reference.types.values()) / len(reference.types),
        "ci_low": None,
        "ci_high": None,
        "types": reference.types,
        "rank": None,
        "complete": False,
    }
