"""Which suites a run is about: built ones, ones built now, single tasks of them, data of the user's own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medloom.bench.base import ChatModel, Mode
from medloom.bench.build import build, is_current, own_suite
from medloom.bench.documents import DocumentsInput
from medloom.bench.store import SUITE, BuiltSuite, read_suite
from medloom.errors import MedloomError
from medloom.evaluate.tasks import Task


@dataclass(frozen=True)
class Wanted:
    """What the user asked for.

    Attributes:
        out: Folder of the benchmark; suites are built below it.
        suites: Names of suites, or folders of built ones.
        tasks: Paths of the user's own data, or names of single tasks of the suites.
        mode: Of suites that are built now.
        seed: Of suites that are built now.
        data: Documents for suites that are built now.
        chat: Makes the chat model that ``compat`` needs, where the user gave one.
    """

    out: Path
    suites: Sequence[str] = ()
    tasks: Sequence[str] = ()
    mode: Mode = "strict"
    seed: int = 0
    data: Sequence[DocumentsInput] = ()
    chat: Callable[[], ChatModel] | None = None


def suite_folder(out: Path, name: str, mode: str, seed: int) -> Path:
    """Where a suite is built if no folder is given."""
    return out / "suites" / f"{name}-{mode}-{seed}"


def suites_to_run(wanted: Wanted, tell: Callable[[str], None]) -> list[BuiltSuite]:
    """The suites, each with the tasks that were asked for.

    Raises:
        MedloomError: Nothing was asked for, or a task that none of the suites has.
    """
    own = [path for task in wanted.tasks if (path := Path(task).expanduser()).exists()]
    names = [task for task in wanted.tasks if not Path(task).expanduser().exists()]
    if not wanted.suites and not own:
        raise MedloomError("give --suite NAME, or --task PATH for data of your own: see `medloom bench tasks`")
    suites = [_built(name, wanted, tell) for name in wanted.suites]
    if names:
        known = {task.name for suite in suites for task in suite.tasks}
        if unknown := [name for name in names if name not in known]:
            raise MedloomError(f"--task {unknown[0]}: no such file or folder, and no task of the suites that were given")
        suites = [replace(s, tasks=tuple(t for t in s.tasks if t.name in names)) for s in suites]
    return [*(s for s in suites if s.tasks), *([own_suite(own)] if own else [])]


def tasks_on_disk(out: Path) -> dict[str, Task]:
    """Every task of the suites below a benchmark's folder, by fingerprint."""
    built = [read_suite(path.parent) for path in sorted(out.glob(f"suites/*/{SUITE}"))]
    return {task.fingerprint: task for suite in built for task in suite.tasks}


def _built(name: str, wanted: Wanted, tell: Callable[[str], None]) -> BuiltSuite:
    """The suite as it stands on disk, or built now."""
    path = Path(name).expanduser()
    if (path / SUITE).is_file():
        return read_suite(path)
    folder = suite_folder(wanted.out, name, wanted.mode, wanted.seed)
    if (folder / SUITE).is_file():
        found = read_suite(folder)
        if is_current(found, wanted.data, wanted.chat is not None):
            return found
    chat = wanted.chat() if wanted.chat else None
    return build(name, folder, wanted.mode, wanted.seed, wanted.data, (), chat, tell)
