"""Where things of the user lie: what belongs to no run, and what is no file of this machine at all."""

import os
import re
from pathlib import Path

from medloom.errors import MedloomError

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/")


def cache_folder() -> Path:
    """The folder of medloom below the user's cache (``XDG_CACHE_HOME``, or ``~/.cache``)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "medloom"


def check_is_file_system(*paths: str | Path | None) -> None:
    """Refuse addresses (``s3://bucket/...``), of which a path would only make a folder with an odd name.

    Raises:
        MedloomError: There is one among the paths.
    """
    for path in paths:
        if path is not None and _ADDRESS.match(str(path)):
            scheme = str(path).partition(":")[0]
            raise MedloomError(
                f"{path} is an address, not a path, and it reads and writes files: mount the storage and give a path, "
                f"or copy there and back (fsspec.filesystem({scheme!r}).get and .put, see docs/cluster.md)"
            )
