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
    console = _console.get()
    if console is None:
        yield lambda n=1: None
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
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda n=1: progress.advance(task, n)
