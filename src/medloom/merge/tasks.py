"""The sets of judged queries that merges are scored on."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from medloom.bench.base import BuildRequest
from medloom.bench.own import own_task
from medloom.bench.store import SUITE, read_suite
from medloom.errors import MedloomError, SourceError
from medloom.evaluate.tasks import Task
from medloom.identity import text_hash

MTEB = "mteb:"
MAX_QUERIES, MAX_CORPUS = 500, 5_000


def read_tasks(names: Sequence[str], folder: Path | None = None, tell: Callable[[str], None] | None = None) -> list[Task]:
    """Read tasks.

    Args:
        names: A folder in BEIR's layout or a table, as ``medloom bench run --task`` reads it; the folder of a built suite;
            ``SUITE:TASK`` for one task of a suite that builds here, such as ``open``; ``mteb:NAME`` for one of mteb's,
            fetched from the hub.
        folder: What relative paths are relative to.
        tell: Told of what takes a while.

    Raises:
        MedloomError: One of them is not there or damaged, or two tasks have one name.
    """
    tasks = [task for name in names for task in _read(name, folder or Path(), tell or (lambda line: None))]
    found = [task.name for task in tasks]
    twice = next((name for name in found if found.count(name) > 1), None)
    if twice:
        raise MedloomError(f"two tasks are called {twice}: name one of them otherwise (name: in its task.yaml)")
    return tasks


def is_path(name: str) -> bool:
    """Whether a task's name is that of a folder or file."""
    return ":" not in name or Path(name).expanduser().exists()


def capped(task: Task, seed: int, queries: int = MAX_QUERIES, corpus: int = MAX_CORPUS) -> Task:
    """A retrieval task of at most so many queries and texts, drawn by seed; what answers a query always stays.

    Other tasks are given back as they are.
    """
    if task.type != "Retrieval" or "candidates" in task.data:
        return task
    asked, texts, qrels = (task.data[key] for key in ("queries", "corpus", "qrels"))
    if len(asked) <= queries and len(texts) <= corpus:
        return task
    kept = _drawn(asked, queries, f"{seed}|{task.name}|queries")
    needed = {d for query in kept for d, relevance in qrels[query].items() if relevance > 0}
    others = [d for d in texts if d not in needed]
    held = needed | set(_drawn(others, max(0, corpus - len(needed)), f"{seed}|{task.name}|corpus"))
    data = {
        "queries": {query: asked[query] for query in asked if query in kept},
        "corpus": {d: texts[d] for d in texts if d in held},
        "qrels": {query: {d: v for d, v in qrels[query].items() if d in held} for query in asked if query in kept},
    }
    return replace(task, data=data)


def _drawn(items: Sequence[str], limit: int, salt: str) -> set[str]:
    return set(sorted(items, key=lambda item: text_hash(f"{salt}|{item}"))[:limit])


def _read(name: str, folder: Path, tell: Callable[[str], None]) -> list[Task]:
    path = folder / Path(name).expanduser()
    if (path / SUITE).is_file():
        return list(read_suite(path).tasks)
    if path.exists():
        return [own_task(path)]
    if name.startswith(MTEB):
        tell(f"fetching {name}")
        return _of_mteb(name.removeprefix(MTEB))
    if ":" in name:
        tell(f"building {name}")
        return [_of_suite(*name.split(":", 1))]
    raise SourceError(
        f"no task at {path}: give a folder in BEIR's layout, a built suite, SUITE:TASK, or mteb:NAME for one of the hub"
    )


def _of_suite(suite: str, name: str) -> Task:
    from medloom.bench.registry import suite as named

    found = named(suite)
    left_out: dict[str, str] = {}
    if name not in {entry.name for entry in found.entries()}:
        raise MedloomError(f"the suite {suite} has no task {name}: see `medloom bench tasks --suite {suite}`")
    request = BuildRequest(names=frozenset({name}))
    task = next((task for task in found.build(request, left_out) if task.name == name), None)
    if task is None:
        raise MedloomError(f"{suite}:{name} cannot be built here: {left_out.get(name, 'it needs text that is not at hand')}")
    return task


def _of_mteb(name: str) -> list[Task]:
    import mteb

    from medloom.bench.hub import converted

    try:
        task = mteb.get_task(name, languages=["eng"])
    except KeyError as error:
        raise MedloomError(f"mteb has no task {name}") from error
    try:
        return list(converted(task, "mteb"))
    except MedloomError:
        raise
    except Exception as error:
        raise MedloomError(
            f"the data of mteb:{name} cannot be fetched ({type(error).__name__}): check the network, or give a folder"
        ) from error
    finally:
        task.unload_data()
