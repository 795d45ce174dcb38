"""``medloom doctor``: what is installed, what is usable, and what to do about the rest."""

import importlib.metadata
import json
import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

State = Literal["ok", "warning", "missing"]

_MEMORY_GB, _DISK_GB = 4.0, 2.0


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report."""

    what: str
    state: State
    found: str
    advice: str = ""


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """Say what is installed, which models and extras are usable, and what to do about what is missing."""
    checks = [*_machine(), *_packages(), *_arithmetic(), *_models(), *_extras()]
    if as_json:
        print(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        _print(checks)
    if any(check.state == "missing" for check in checks):
        raise typer.Exit(1)


def _print(checks: list[Check]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in ("what", "state", "found", "what to do"):
        table.add_column(heading, overflow="fold")
    colours = {"ok": "green", "warning": "yellow", "missing": "red"}
    for check in checks:
        state = Text(check.state, style=colours[check.state])
        table.add_row(Text(check.what), state, Text(check.found), Text(check.advice))
    Console(file=sys.stdout).print(table)


def _machine() -> list[Check]:
    import psutil

    memory = psutil.virtual_memory().total / 2**30
    disk = shutil.disk_usage(Path.cwd()).free / 2**30
    return [
        Check("python", "ok", platform.python_version()),
        Check("cores", "ok", str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())),
        Check(
            "memory",
            "ok" if memory >= _MEMORY_GB * 0.9 else "warning",
            f"{memory:.1f} GiB",
            "" if memory >= _MEMORY_GB * 0.9 else f"the quickstart needs about {_MEMORY_GB:.0f} GiB",
        ),
        Check(
            "disk here",
            "ok" if disk >= _DISK_GB else "warning",
            f"{disk:.1f} GiB free",
            "" if disk >= _DISK_GB else "runs keep models and vectors: make room, or use --out",
        ),
    ]


def _packages() -> list[Check]:
    """Every package that medloom requires, against the lowest version that it claims."""
    from packaging.requirements import Requirement

    checks = []
    for line in importlib.metadata.requires("medloom") or []:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            checks.append(Check(requirement.name, "missing", "not installed", f"pip install '{requirement}'"))
            continue
        fits = requirement.specifier.contains(version, prereleases=True)
        advice = "" if fits else f"pip install '{requirement}'"
        checks.append(Check(requirement.name, "ok" if fits else "missing", version, advice))
    return checks


def _arithmetic() -> list[Check]:
    try:
        import torch

        from medloom.encode.encoder import resolve_precision
    except ImportError as error:
        return [Check("arithmetic", "missing", str(error), "pip install torch")]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return [
        Check("device", "ok", device),
        Check("precision auto", "ok", resolve_precision("auto")),
        Check("threads", "ok", str(torch.get_num_threads())),
    ]


def _models() -> list[Check]:
    from medloom.encode import resolve_model
    from medloom.errors import ModelError

    name = "builtin:all-MiniLM-L6-v2"
    try:
        ref = resolve_model(name)
    except ModelError as error:
        return [Check(name, "missing", "not usable", str(error))]
    return [Check(name, "ok", f"checksum right, content hash {ref.hash[:12]}")]


def _extras() -> list[Check]:
    """The named extras, and which of their packages are there."""
    from packaging.requirements import Requirement

    metadata = importlib.metadata.metadata("medloom")
    checks = []
    for extra in metadata.get_all("Provides-Extra") or []:
        missing = []
        for line in importlib.metadata.requires("medloom") or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                continue
            if requirement.marker.evaluate({"extra": extra}) and not _installed(requirement.name):
                missing.append(requirement.name)
        found = "installed" if not missing else f"without {', '.join(missing)}"
        advice = "" if not missing else f"pip install 'medloom[{extra}]'"
        checks.append(Check(f"extra {extra}", "ok" if not missing else "warning", found, advice))
    return checks


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
