"""Draws that depend on a salt and on the item alone, never on the order of the items."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from medloom.identity import text_hash

T = TypeVar("T")
_BYTES = 8
_UNIT = 1 << 8 * _BYTES


def draw(items: Iterable[T], limit: int, salt: str, key: Callable[[T], str] = str) -> list[T]:
    """Up to ``limit`` items, in an order set by the salt and each item's key."""
    return sorted(items, key=lambda item: text_hash(f"{salt}|{key(item)}", _BYTES))[: max(0, limit)]


def share(salt: str, key: str) -> float:
    """A number in [0, 1) set by the salt and the key."""
    return int.from_bytes(text_hash(f"{salt}|{key}", _BYTES)) / _UNIT
