"""The few errors medloom raises on purpose.

Every message says what is wrong, where, and what to do. None ever quotes the user's text: it may be about a patient.
"""

from pathlib import Path


class MedloomError(Exception):
    """Something the user can mend; the command line prints it and exits with code 2."""


class RecipeError(MedloomError):
    """The recipe does not say what it must, or says something unknown."""


class SourceError(MedloomError):
    """A source of documents cannot be read, or gives nothing usable."""


class RowError(SourceError):
    """One row of a source is bad.

    Args:
        where: File and line (or row), as the user would look it up.
        problem: What is wrong with it, without the text itself.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem


class ModelError(MedloomError):
    """A base model is missing, damaged, unsafe to load, or not an encoder."""


class ArtifactError(MedloomError):
    """A stage's folder is damaged or cannot be written."""


class StageError(MedloomError):
    """A stage has nothing to work on, or its result cannot be trusted."""


class SearchError(MedloomError):
    """An index cannot be made, opened or asked, or a filter says nothing."""


class RunLockedError(MedloomError):
    """Another run holds the same output folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"another medloom run is writing to {folder}: wait for it, or give this one its own --out")


class WorkerError(MedloomError):
    """The processes that share a piece of work die at it.

    Args:
        code: Exit code of the last of them; below zero, the signal that ended it; or in words, how it was lost.
        item: Number of the item that it was at.
    """

    def __init__(self, code: int | str | None, item: int) -> None:
        super().__init__(
            f"a worker process ended with {code} at part {item + 1} of the work, and so did those that took its place: "
            "memory may have run out (set workers lower), or a script does its work outside if __name__ == '__main__'; "
            "finished stages are kept"
        )
        self.code = code
        self.item = item

    def __reduce__(self) -> tuple[type["WorkerError"], tuple[int | str | None, int]]:
        """So that it can travel between processes."""
        return type(self), (self.code, self.item)


class ClusterError(MedloomError):
    """Workers on other machines cannot be had, or are not fit for the work."""
