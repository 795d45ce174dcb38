"""Progress of a collection as a bar."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from medloom.collect.journal import Progress
from medloom.progress import noted_bar


@contextmanager
def shown(name: str) -> Iterator[Callable[[Progress], None]]:
    """A bar of the documents that have been collected.

    Args:
        name: Of the source.
    """
    with noted_bar(f"collect {name}", unit="documents") as advance:
        seen = 0

        def tell(progress: Progress) -> None:
            nonlocal seen
            of = f" of {progress.total:,}" if progress.total else ""
            advance(progress.documents - seen, f"{of}, {progress.done} of {progress.shards} shards".lstrip(", "))
            seen = progress.documents

        yield tell
