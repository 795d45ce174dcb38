"""Drawing by hash: what is drawn depends on the seed and on an item's id alone."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from medloom.identity import text_hash

T = TypeVar("T")


def rank(salt: str, key: str) -> bytes:
    """Where an item stands in the order that the salt sets: 12 bytes of BLAKE2b."""
    return text_hash(f"{salt}|{key}")


def draw(items: Iterable[T], key: Callable[[T], str], limit: int, salt: str) -> list[T]:
    """Up to ``limit`` items, in the salt's order, whatever order they came in."""
    return sorted(items, key=lambda item: rank(salt, key(item)))[:limit]


def sample(items: Sequence[T], key: Callable[[T], str], limit: int, salt: str) -> Sequence[T]:
    """The items as they are if there are no more than ``limit``, else a draw of so many (the authors' way, with a seed)."""
    return items if len(items) <= limit else draw(items, key, limit, salt)
