"""Generations of an index: an update writes a copy, and readers change over when it is whole."""

import os
import shutil
from pathlib import Path

from medloom.search.journal import JOURNAL

_PREFIX = "generation-"
_BLOCK = 512
_PIECE = 1 << 26


def generation_folder(folder: Path, number: int) -> Path:
    """Where a generation of an index lies."""
    return folder / f"{_PREFIX}{number}"


def copy_generation(folder: Path, number: int) -> Path:
    """A generation's folder as a copy of the one before it; what a killed copy has left is begun anew."""
    source, target = generation_folder(folder, number - 1), generation_folder(folder, number)
    partial = target.with_name(f"{target.name}.tmp")
    shutil.rmtree(partial, ignore_errors=True)
    copy_folder(source, partial)
    partial.replace(target)
    return target


def is_copied(folder: Path, number: int) -> bool:
    """Whether a generation's folder has been begun."""
    return (generation_folder(folder, number) / JOURNAL).is_file()


def remove_generations(folder: Path, but: int) -> None:
    """Remove all generations but one. Who has them open keeps them until the end."""
    for path in folder.glob(f"{_PREFIX}*"):
        if path.name != f"{_PREFIX}{but}":
            shutil.rmtree(path, ignore_errors=True)


def disk_bytes(folder: Path) -> int:
    """What a folder takes on the disk; the engine's files have holes, so their lengths say more."""
    return sum(path.stat().st_blocks * _BLOCK for path in folder.rglob("*") if path.is_file())


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder, holes of its files left as holes."""
    target.mkdir(parents=True)
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir()
        else:
            _copy_file(path, copy)


def _copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("wb") as write:
        size = os.fstat(read.fileno()).st_size
        write.truncate(size)
        end = 0
        while end < size:
            try:
                start = os.lseek(read.fileno(), end, os.SEEK_DATA)
            except OSError:
                return
            end = os.lseek(read.fileno(), start, os.SEEK_HOLE)
            read.seek(start)
            write.seek(start)
            while (left := end - read.tell()) > 0:
                write.write(read.read(min(left, _PIECE)))
