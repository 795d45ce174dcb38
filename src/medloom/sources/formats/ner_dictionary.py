"""A reader of the name dictionaries that two packages for entity recognition carry, without running what is in them.

The dictionaries are pickles, and unpickling can run any code. They hold containers, strings and numbers alone, so that is
all that is allowed here (the restricted unpickler of Python's own manual).
"""

import bz2
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from medloom.errors import SourceError

_MOST_BYTES = 1 << 28


@dataclass(frozen=True)
class NameDictionary:
    """Concepts and their names.

    Attributes:
        concepts: By key, what is known of each concept (``name``, ``mesh_id``, ``mesh_tree``, ...).
        variants: By key, every name, in lower case, in a fixed order.
    """

    concepts: dict[str, dict[str, Any]]
    variants: dict[str, list[str]]


class _ContainersOnly(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise pickle.UnpicklingError("a global")


def dictionary_path(source: str, package: str, file: str) -> Path:
    """Where an installed package keeps its dictionary; the package is not imported, since that would unpickle it.

    Raises:
        SourceError: The package is not installed, or has no such file.
    """
    module = package.replace("-", "_")
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise SourceError(f"source {source} needs the package {package}: pip install {package}")
    path = Path(spec.origin).parent / file
    if not path.is_file():
        raise SourceError(f"source {source}: the package {package} holds no {file}: reinstall it")
    return path


def read_dictionary(path: Path, kind: str) -> NameDictionary:
    """Read a dictionary.

    Args:
        path: A pickle, compressed by bzip2.
        kind: ``disease`` or ``drug``: the prefix of its tables.

    Raises:
        SourceError: The file is damaged, too large, holds anything but containers, strings and numbers, or is laid out in
            another way than expected.
    """
    try:
        with bz2.open(path) as file:
            raw = file.read(_MOST_BYTES + 1)
        loaded = _ContainersOnly(io.BytesIO(raw)).load() if len(raw) <= _MOST_BYTES else None
    except (OSError, EOFError, pickle.UnpicklingError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            f"{path} is not a plain dictionary of names ({type(error).__name__}): reinstall its package"
        ) from error
    tables = [_table(loaded, f"{kind}_{name}") for name in ("canonical_to_data", "variant_to_canonical")]
    concepts = {key: data for key, data in tables[0].items() if isinstance(key, str) and isinstance(data, dict)}
    variants: dict[str, list[str]] = {key: [] for key in concepts}
    for variant, keys in tables[1].items():
        for key in keys:
            if key in variants:
                variants[key].append(variant)
    if not concepts:
        raise SourceError(f"{path} is laid out in another way than expected: install the release that medloom names")
    return NameDictionary(concepts, {key: sorted(set(names)) for key, names in variants.items()})


def _table(loaded: object, name: str) -> Mapping[Any, Any]:
    table = loaded.get(name) if isinstance(loaded, dict) else None
    return table if isinstance(table, dict) else {}
