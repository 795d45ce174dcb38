"""The seam between a stage and whoever shares its work: call this function on these parts, and give the results in order.

A stage hands over a function of a module's top level and small items: paths of shared files, numbers of rows, a few texts.
What comes back are results in the order of the items, whatever the number of workers and whoever of them dies. So a stage
gives the same bytes with every engine.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from medloom.parallel import in_order

ADDRESS = "RAY_ADDRESS"
"""The variable that names the cluster to join."""
EngineName = Literal["local", "ray"]
Item = TypeVar("Item")
Result = TypeVar("Result")


class Sharing(BaseModel):
    """Who shares the work. Results do not depend on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: EngineName = Field(
        default="local",
        description="What shares the work out: local, processes of this machine; or ray, workers of the cluster that "
        "RAY_ADDRESS names, or of this machine where it names none.",
    )
    workers: int = Field(
        default=1, ge=1, description="Processes that share the work; the result is the same whatever their number."
    )
    worker_cores: int = Field(default=1, ge=1, description="Processor cores that a worker of ray is given.")
    worker_gpus: float = Field(
        default=0.0, ge=0, description="GPUs that a worker of ray is given; 0.5 lets two share one, 0 hides them."
    )


HOW_ONLY = frozenset(Sharing.model_fields)
"""Settings that say who shares the work: no part of what a result depends on."""


class Engine(Protocol):
    """Shares work out."""

    @property
    def workers(self) -> int:
        """How many work at once."""

    @property
    def is_here(self) -> bool:
        """Whether functions are called in this very process, and so need not be fit to travel."""

    def in_order(
        self, function: Callable[[Item], Result], items: Iterable[Item], shared: Sequence[Path] = ()
    ) -> Iterator[Result]:
        """Yield the function's result for each item, in the order of the items.

        A worker that dies is replaced and its item done again. Nothing is kept but a few results that wait for their turn.

        Args:
            function: Of a module's top level (or a :func:`functools.partial` of one, or a callable object). The result may
                depend on the item alone, and on files that do not change meanwhile.
            items: Consumed as the work goes on.
            shared: Files and folders that every worker must see, by absolute paths.

        Raises:
            WorkerError: The workers that had an item have died three times, one after the other.
            ClusterError: No worker can be had, or one is not fit for the work.
        """


class LocalEngine:
    """Processes of this machine.

    Args:
        workers: How many; 1 does the work in this process.
    """

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers

    @property
    def workers(self) -> int:
        """How many processes work at once."""
        return self._workers

    @property
    def is_here(self) -> bool:
        """Whether this process does the work."""
        return self._workers == 1

    def in_order(
        self, function: Callable[[Item], Result], items: Iterable[Item], shared: Sequence[Path] = ()
    ) -> Iterator[Result]:
        """See :class:`Engine`; every process of a machine sees the same files."""
        return in_order(function, items, self._workers)


def joined_cluster(sharing: Sharing) -> bool:
    """Whether work would go to a cluster that was there before, and so perhaps to other machines than this one."""
    if sharing.engine != "ray":
        return False
    library = sys.modules.get("ray")
    return os.environ.get(ADDRESS, "local") not in ("", "local") or (library is not None and library.is_initialized())


HERE = LocalEngine()
"""Does all work in this process."""


@contextmanager
def open_engine(sharing: Sharing) -> Iterator[Engine]:
    """The engine that settings name; a cluster that was started for it is gone at the end.

    Raises:
        ClusterError: ray is not installed, or the cluster cannot be reached.
    """
    if sharing.engine == "local":
        yield LocalEngine(sharing.workers)
        return
    from medloom.engine.on_ray import ray_engine

    with ray_engine(sharing.workers, sharing.worker_cores, sharing.worker_gpus) as engine:
        yield engine
