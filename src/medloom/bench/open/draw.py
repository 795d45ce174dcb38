"""Draws that depend on a salt and on the item alone, never on the order of the items."""

import hashlib
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
_UNIT = 1 << 64


def draw(items: Iterable[T], limit: int, salt: str, key: Callable[[T], str] = str) -> list[T]:
    """Up to ``limit`` items, in an order set by the salt and each item's key."""
    return sorted(items, key=lambda item: _hash(f"{salt}|{key(item)}"))[: max(0, limit)]


def share(salt: str, key: str) -> float:
    """A number in [0, 1) set by the salt and the key."""
    return int.from_bytes(_hash(f"{salt}|{key}")) / _UNIT


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
