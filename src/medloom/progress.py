"""Progress of long work, on standard error; silent unless a front end turns it on."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console

_console: "ContextVar[Console | None]" = ContextVar("medloom_console", default=None)


class Advance(Protocol):
    """Reports that ``n`` more units are done."""

    def __call__(self, n: int = 1) -> None:
        """Report ``n`` more."""


class NotedAdvance(Protocol):
    """Reports that ``n`` more units are done, and what else there is to say."""

    def __call__(self, n: int = 1, note: str = "") -> None:
        """Report ``n`` more; the note takes the place of the last one."""


@contextmanager
def shown_on(console: "Console") -> Iterator[None]:
    """Show the bars of everything inside on ``console``."""
    token = _console.set(console)
    try:
        yield
    finally:
        _console.reset(token)


@contextmanager
def bar(label: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
    """A progress bar with rate and time left.

    Args:
        label: What is being done.
        total: Units in all, where known.
        unit: What is counted, for the rate.
    """
    with noted_bar(label, total, unit) as advance:
        yield lambda n=1: advance(n)


@contextmanager
def noted_bar(label: str, total: int | None = None, unit: str = "") -> Iterator[NotedAdvance]:
    """A :func:`bar` with a note at its end that can change: failures, tokens."""
    console = _console.get()
    if console is None:
        yield lambda n=1, note="": None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("  {task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(label, total=total, note="")
        yield lambda n=1, note="": progress.update(task, advance=n, note=note)
