"""One model of many: the average is written tensor by tensor, the rest is the first model's."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medloom import __version__
from medloom.artifacts import disk_errors, publish_folder, write_json
from medloom.errors import ArtifactError, ModelError
from medloom.identity import model_digest
from medloom.merge.front import render_front
from medloom.merge.parents import SETTINGS, Parent, Part, block_of
from medloom.merge.tensors import WEIGHTS, Stored, in_writing_order, opened, write_tensors
from medloom.merge.ways import Place, Way
from medloom.progress import bar

if TYPE_CHECKING:
    from torch import Tensor

MERGE, FRONT = "merge.json", "front.html"
_SETTINGS = (".json", ".txt", ".model")
_PIECE = 4_194_304


@dataclass(frozen=True)
class Merged:
    """A model that was written.

    Attributes:
        folder: Where it lies.
        hash: Its content hash.
        facts: What ``merge.json`` says: method, weights, parents with their content hashes.
    """

    folder: Path
    hash: str
    facts: dict[str, Any]


def write_merged(
    parents: Sequence[Parent], way: Way, out: Path, prompts_from: str | None = None, more: dict[str, Any] | None = None
) -> Merged:
    """Write the average of models as a SentenceTransformer folder.

    Modules, pooling, tokenizer, longest text, prompts and the dtype of each tensor are the first model's. Sums are in fp64
    over pieces of a tensor, so memory holds one tensor of each parent. Whole numbers are not averaged: the first model's
    stay. ``out`` appears in one rename.

    Args:
        parents: What :func:`~medloom.merge.parents.open_parents` gave.
        way: Which share each has.
        out: The folder; must not hold anything but an earlier merge.
        prompts_from: Whose prompts to keep, if not the first's.
        more: Further facts for ``merge.json``.

    Raises:
        ModelError: The average is not a number somewhere.
        ArtifactError: The folder cannot be written, or holds something else.
    """
    check_free(out)
    partial = out.with_name(out.name + ".partial")
    with disk_errors(out):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        first = parents[0]
        _copy_settings(first, partial)
        if prompts_from is not None:
            _set_prompts(partial, next(p.prompts for p in parents if p.ref.name == prompts_from))
        for number, part in enumerate(first.parts):
            if part.tensors:
                _write_part([parent.parts[number] for parent in parents], way, partial / part.path / WEIGHTS)
        facts = {
            **way.to_dict(),
            "parents": [
                {"name": p.ref.name, "hash": p.ref.hash, "hub_id": p.ref.hub_id, "revision": p.ref.revision} for p in parents
            ],
            "prompts_from": prompts_from or first.ref.name,
            "hash": model_digest(partial),
            "medloom": __version__,
            **(more or {}),
        }
        write_json(partial / MERGE, facts)
        if "sweep" in facts:
            (partial / FRONT).write_text(render_front(facts), "utf-8")
        publish_folder(partial, out)
    return Merged(out, facts["hash"], facts)


def check_free(out: Path) -> None:
    """Raise :class:`ArtifactError` if a folder holds anything but an earlier merge."""
    if out.exists() and not (out.is_dir() and ((out / MERGE).is_file() or not any(out.iterdir()))):
        raise ArtifactError(f"{out} is not empty and no merged model: give another folder")


def _copy_settings(parent: Parent, folder: Path) -> None:
    """All that is not weights, of the model's own folder and its modules'."""
    for path in sorted({part.path for part in parent.parts} | {""}):
        (folder / path).mkdir(parents=True, exist_ok=True)
        for file in sorted((parent.folder / path).glob("*")):
            if file.is_file() and file.suffix in _SETTINGS and not file.name.endswith(".index.json") and file.name != MERGE:
                shutil.copyfile(file, folder / path / file.name)


def _set_prompts(folder: Path, prompts: dict[str, str]) -> None:
    path = folder / SETTINGS
    settings = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    write_json(path, settings | {"prompts": prompts})


def _write_part(parts: Sequence[Part], way: Way, path: Path) -> None:
    """Weights of one module, averaged over the parents."""
    first = parts[0]
    rows = first.blocks + 1
    wanted = in_writing_order(first.tensors.items())

    def values() -> Iterator["Tensor"]:
        with ExitStack() as stack, bar("merging", len(wanted), "tensors") as advance:
            files = {
                stored.file: stack.enter_context(opened(stored.file)) for part in parts for stored in part.tensors.values()
            }
            for name, stored in wanted:
                all_stored = [part.tensors.get(name) for part in parts]
                tensors = [files[one.file].get_tensor(one.key) for one in all_stored if one is not None]
                if not stored.is_float or len(tensors) < len(parts):
                    yield tensors[0]
                else:
                    yield _averaged(name, stored, tensors, way.shares(_place(name, rows), tensors))
                advance()

    write_tensors(path, wanted, values())


def _place(name: str, rows: int) -> Place:
    block = block_of(name)
    if block is not None:
        return Place(name, block + 1, rows)
    return Place(name, 0 if "embed" in name else rows - 1, rows)


def _averaged(name: str, stored: Stored, tensors: "Sequence[Tensor]", shares: Sequence[float]) -> "Tensor":
    """The weighted sum, in fp64 piece by piece, in the first model's dtype."""
    import torch

    flat = [tensor.reshape(-1) for tensor in tensors]
    out = torch.empty_like(flat[0])
    for start in range(0, out.numel(), _PIECE):
        piece = slice(start, start + _PIECE)
        total = torch.zeros(min(_PIECE, out.numel() - start), dtype=torch.float64)
        for share, tensor in zip(shares, flat, strict=True):
            if share:
                total.add_(tensor[piece].double(), alpha=share)
        out[piece] = total.to(out.dtype)
    if not bool(torch.isfinite(out).all()):
        raise ModelError(
            f"the average of {name} is not a number: one of the models is damaged, or {stored.dtype} too narrow"
        )
    return out.reshape(stored.shape)
