"""The options of commands whose work an engine shares out."""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medloom.errors import MedloomError

if TYPE_CHECKING:
    from medloom.engine import Sharing

EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine", help="Who shares the work: local, processes of this machine; or ray, workers of a cluster (--address)."
    ),
]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="How many share the work.")]
CoresOption = Annotated[
    int | None, typer.Option("--worker-cores", min=1, help="Processor cores that a worker of ray is given.")
]
GpusOption = Annotated[float | None, typer.Option("--worker-gpus", min=0, help="GPUs that a worker of ray is given.")]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", help="The ray cluster to join: HOST:PORT, or auto on a machine of it; else RAY_ADDRESS."),
]
AllowOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-phi-to",
        help="cluster: patient text may go as it is to the machines of a cluster that is joined.",
    ),
]


def sharing_settings(
    engine: str | None, workers: int | None, cores: int | None, gpus: float | None, address: str | None
) -> dict[str, Any]:
    """The settings that were given, and the cluster's address where ray looks for it.

    Raises:
        MedloomError: There is no such engine, or what was given is nothing to it.
    """
    given = {"engine": engine, "workers": workers, "worker_cores": cores, "worker_gpus": gpus}
    if engine not in (None, "local", "ray"):
        raise MedloomError(f"--engine {engine}: give local or ray")
    if engine != "ray":
        for option, value in (("--address", address), ("--worker-cores", cores), ("--worker-gpus", gpus)):
            if value is not None:
                raise MedloomError(f"{option} is for --engine ray: give that too, or leave it out")
    if address is not None:
        from medloom.engine.base import ADDRESS

        os.environ[ADDRESS] = address
    return {name: value for name, value in given.items() if value is not None}


def sharing_of(
    engine: str | None, workers: int | None, cores: int | None, gpus: float | None, address: str | None
) -> "Sharing":
    """The same, for a command without further settings."""
    from medloom.engine import Sharing

    return Sharing.model_validate(sharing_settings(engine, workers, cores, gpus, address))
