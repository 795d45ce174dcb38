"""Where things of the user lie that belong to no run."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder of medloom below the user's cache (``XDG_CACHE_HOME``, or ``~/.cache``)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "medloom"
