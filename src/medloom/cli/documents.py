"""What the commands share that read files of documents and write one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from medloom.errors import MedloomError

if TYPE_CHECKING:
    from rich.console import Console

    from medloom.sources.files import FilesSource
    from medloom.sources.rewrite import Skipping


def files_source(path: str, fields: Mapping[str, str | None], on_error: str) -> "FilesSource":
    """The source that reads what a user names on the command line.

    Raises:
        MedloomError: ``--on-error`` is neither fail nor skip.
    """
    from medloom.sources.files import FieldMap, FilesSource

    if on_error not in ("fail", "skip"):
        raise MedloomError("--on-error: give fail or skip")
    return FilesSource(path=path, fields=FieldMap(**fields), on_error="skip" if on_error == "skip" else "fail")


def print_skipped(console: "Console", summary: "Skipping") -> None:
    """Which bad rows were left out."""
    if summary.skipped:
        console.print(f"left out {summary.skipped:,} bad rows:", markup=False)
        for problem in summary.problems:
            console.print(f"  {problem}", soft_wrap=True, markup=False)
