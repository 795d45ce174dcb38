"""Weights on disk: read tensor by tensor, written tensor by tensor."""

import json
import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medloom.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_FLOATS = ("F64", "F32", "F16", "BF16")


@dataclass(frozen=True)
class Stored:
    """One tensor as it lies in a file.

    Attributes:
        file: The file.
        key: Its name there.
        dtype: As safetensors writes it: ``F32``, ``BF16``, ``I64``, ...
        shape: Its shape.
    """

    file: Path
    key: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def is_float(self) -> bool:
        """Whether it is averaged; whole numbers are not."""
        return self.dtype in _FLOATS


def stored_tensors(folder: Path) -> list[Stored]:
    """The tensors of one module's folder, whether in one file or in shards; none if it has no weights.

    Raises:
        ModelError: A file is damaged or missing, or holds numbers of a kind that cannot be averaged.
    """
    found = []
    for file in _files(folder):
        with opened(file) as weights:
            for key in weights.keys():  # noqa: SIM118
                part = weights.get_slice(key)
                found.append(Stored(file, key, part.get_dtype(), tuple(part.get_shape())))
    for one in found:
        if one.dtype not in _BYTES:
            raise ModelError(f"{one.file}: tensor {one.key} is {one.dtype}: quantised weights cannot be averaged")
    return found


@contextmanager
def opened(file: Path) -> Iterator[Any]:
    """A safetensors file, mapped rather than read.

    Raises:
        ModelError: It is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as weights:
            yield weights
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{file} is damaged or gone ({error}): fetch the model again") from error


def _files(folder: Path) -> list[Path]:
    if (folder / INDEX).is_file():
        names = set(json.loads((folder / INDEX).read_text("utf-8"))["weight_map"].values())
        return [folder / name for name in sorted(names)]
    return [folder / WEIGHTS] if (folder / WEIGHTS).is_file() else []


def write_tensors(path: Path, tensors: Sequence[tuple[str, Stored]], values: Iterable["Tensor"]) -> None:
    """Write a safetensors file with one tensor in memory at a time.

    The library's own ``save_file`` wants all of them at once. The format: eight bytes with the header's length, the header
    as JSON, the tensors' bytes one after the other.

    Args:
        path: The file.
        tensors: Name, and the dtype and shape to write, of each.
        values: Their values in the same order.

    Raises:
        ValueError: A value has another dtype or shape than was said.
    """
    import torch

    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, stored in tensors:
        begin, end = end, end + math.prod(stored.shape) * _BYTES[stored.dtype]
        header[name] = {"dtype": stored.dtype, "shape": list(stored.shape), "data_offsets": [begin, end]}
    raw = json.dumps(header, separators=(",", ":")).encode("utf-8")
    raw += b" " * (-len(raw) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(raw)))
        file.write(raw)
        for (name, stored), value in zip(tensors, values, strict=True):
            if tuple(value.shape) != stored.shape or value.element_size() != _BYTES[stored.dtype]:
                raise ValueError(f"{name} is {tuple(value.shape)} {value.dtype}, not {stored.shape} {stored.dtype}")
            value.contiguous().reshape(-1).view(torch.uint8).numpy().tofile(file)


def in_writing_order(tensors: Iterable[tuple[str, Stored]]) -> list[tuple[str, Stored]]:
    """Widest numbers first, then by name: each tensor then begins at a multiple of its own width."""
    return sorted(tensors, key=lambda one: (-_BYTES[one[1].dtype], one[0]))
