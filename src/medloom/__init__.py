"""medloom: medical text in, a proven embedding model out.

The names here are the whole public API; each is loaded when first used, so that importing medloom stays cheap.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medloom.encode import load_encoder
    from medloom.pipeline import run
    from medloom.recipe import Recipe

__version__ = "0.1.0"
__all__ = ["Recipe", "__version__", "load_encoder", "run"]

_HOMES = {"Recipe": "medloom.recipe", "run": "medloom.pipeline", "load_encoder": "medloom.encode"}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load a public name from its home on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'medloom' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
