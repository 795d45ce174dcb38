"""Invented numbers and network addresses: of the same pattern, and of the ranges kept for examples where there are any."""

import re
from collections.abc import Callable, Iterator, Set
from functools import partial

from medloom.deid.keys import Draw
from medloom.deid.surrogates import pools

_TRIES = 64
_LABELS = frozenset(pools.words("labels"))
_LONGEST_WORD = 4
_EXTENSION = re.compile(r"\s*(?:x|ext\.?|extension)\s*\d{1,6}\s*$", re.IGNORECASE)
_VANITY = re.compile(r"[A-Z]{3}")
_PIECE = re.compile(r"\S+")
_MAC = re.compile(r"(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}", re.IGNORECASE)
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_IPV6 = re.compile(r"[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}", re.IGNORECASE)
_EXAMPLE_NETS = ("192.0.2", "198.51.100", "203.0.113")
_EXAMPLE_DOMAINS = ("example.org", "example.com", "example.net")
_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:www\.)?", re.IGNORECASE)
_URL_PARTS = re.compile(r"[^\W_]+")
_URL_WORDS = pools.words("url")
_NATIONAL, _LOCAL = 10, 7


def squeezed(text: str) -> str:
    """What a number is known by: its letters and digits."""
    return "".join(c for c in text if c.isalnum()).casefold()


class Codes:
    """Invented numbers of one patient's note.

    Args:
        draw: Draws for the patient.
        forbidden: Squeezed originals of the note, which no invented value may be.
    """

    def __init__(self, draw: Draw, forbidden: Set[str]) -> None:
        self._draw = draw
        self._forbidden = forbidden

    def code(self, text: str) -> str | None:
        """Digits for digits and letters for letters; None if there is no digit, or nothing else of the pattern is free.

        Words beside the number stay ("Patient ID: AB-123").
        """
        if not any(c.isdigit() for c in text):
            return None
        kept = {at for piece in _PIECE.finditer(text) if _is_label(piece[0]) for at in range(*piece.span())}
        return self._first_free(text, lambda draws: _like(text, draws, kept))

    def part(self, word: str) -> str | None:
        """Like :meth:`code` for a single word, which may also be letters alone."""
        return self._first_free(word, lambda draws: _like(word, draws))

    def phone(self, text: str) -> str | None:
        """A number of 555-0100 to 555-0199 where the shape is North America's, else of the same pattern."""
        main = _EXTENSION.sub("", text)
        digits = [c for c in main if c.isdigit()]
        country = len(digits) == _NATIONAL + 1 and digits[0] == "1"
        if country or len(digits) in (_NATIONAL, _LOCAL):
            return self._first_free(text, lambda draws: _filled(text, _north_american(len(digits), country, draws), draws))
        if _VANITY.search(main):
            return self.code(text)
        return self._first_free(text, lambda draws: _filled(text, "", draws)) if re.search(r"\d", text) else None

    def ssn(self, text: str) -> str | None:
        """A number that begins with 9, as none that was issued does; of a shortened one the digits there are."""
        digits = sum(c.isdigit() for c in text)
        if not digits:
            return None

        def made(draws: Iterator[int]) -> str:
            new = [str(next(draws) % 10) for _ in range(digits)]
            if digits == len("123456789"):
                new[0] = "9"
                new[3] = str(1 + next(draws) % 4)
            return _filled(text, "".join(new), draws)

        return self._first_free(text, made)

    def email(self, text: str) -> str | None:
        """An address at an example domain."""
        count = sum(c.isdigit() for c in text.partition("@")[0])

        def made(draws: Iterator[int]) -> str:
            name = _letters(8, draws) + "".join(str(next(draws) % 10) for _ in range(count))
            return f"{name}@{_EXAMPLE_DOMAINS[next(draws) % len(_EXAMPLE_DOMAINS)]}"

        return self._first_free(text, made)

    def url(self, text: str) -> str | None:
        """An address below an example domain, with as many parts and an own number for each number."""
        scheme = _SCHEME.match(text)
        start = scheme.end() if scheme else 0
        cut = next((i for i in range(start, len(text)) if text[i] in "/?#"), len(text))
        host, path = text[start:cut], text[cut:]

        def made(draws: Iterator[int]) -> str:
            domain = _EXAMPLE_DOMAINS[next(draws) % len(_EXAMPLE_DOMAINS)]
            port = _like(p, draws) if (p := host.partition(":")[2]) else ""
            rest = _URL_PARTS.sub(lambda m: _url_part(m[0], draws), path)
            return f"{text[:start]}{_letters(6, draws)}.{domain}{':' if port else ''}{port}{rest}"

        return self._first_free(text, made)

    def ip(self, text: str) -> str | None:
        """An address of the ranges for documentation (RFC 5737, 3849, 7042)."""
        for pattern, make in ((_MAC, _mac), (_IPV4, _ipv4), (_IPV6, _ipv6)):
            if found := pattern.search(text):
                return self._first_free(text, partial(_around, text, found.span(), make))
        return self.code(text)

    def _first_free(self, text: str, made: Callable[[Iterator[int]], str]) -> str | None:
        """What is made from the value's draws, made again until it is no original of the note."""
        key = squeezed(text)
        for attempt in range(_TRIES):
            new = made(self._draw.numbers("CODE", key, str(attempt)))
            if squeezed(new) not in self._forbidden and new != text:
                return new
        return None


def _around(text: str, span: tuple[int, int], make: Callable[[Iterator[int]], str], draws: Iterator[int]) -> str:
    old, made = text[slice(*span)], make(draws)
    return text[: span[0]] + (made.replace(":", "-") if "-" in old else made) + text[span[1] :]


def _ipv4(draws: Iterator[int]) -> str:
    return f"{_EXAMPLE_NETS[next(draws) % len(_EXAMPLE_NETS)]}.{1 + next(draws) % 254}"


def _ipv6(draws: Iterator[int]) -> str:
    return f"2001:db8::{next(draws):02x}{next(draws):02x}"


def _mac(draws: Iterator[int]) -> str:
    return f"00:00:5E:00:53:{next(draws):02X}"


def _is_label(part: str) -> bool:
    """Whether a piece of the text is a word beside the number rather than part of it."""
    word = "".join(c for c in part if c.isalnum())
    if any(c.isdigit() for c in word):
        return False
    return not word.isupper() or len(word) > _LONGEST_WORD or word in _LABELS


def _like(text: str, draws: Iterator[int], kept: Set[int] = frozenset()) -> str:
    """Digits for digits, letters for letters of the same case; a number that begins with no 0 still begins with none.

    Args:
        text: The pattern.
        draws: Bytes.
        kept: Places of characters that stay.
    """
    pieces = []
    before = ""
    for at, c in enumerate(text):
        if at in kept or not c.isalnum():
            pieces.append(c)
            continue
        pieces.append(_character(c, before, draws))
        before = c
    return "".join(pieces)


def _character(c: str, before: str, draws: Iterator[int]) -> str:
    if c.isdigit():
        return str(next(draws) % 10) if c == "0" or before.isdigit() else str(1 + next(draws) % 9)
    letter = _letters(1, draws)
    return letter.upper() if c.isupper() else letter


def _letters(n: int, draws: Iterator[int]) -> str:
    return "".join(chr(ord("a") + next(draws) % 26) for _ in range(n))


def _filled(text: str, digits: str, draws: Iterator[int]) -> str:
    """The text with its digits replaced in turn; digits beyond those given are drawn."""
    rest = iter(digits)
    return "".join(next(rest, None) or str(next(draws) % 10) if c.isdigit() else c for c in text)


def _north_american(count: int, country: bool, draws: Iterator[int]) -> str:
    area = f"{2 + next(draws) % 8}{next(draws) % 9}{next(draws) % 10}" if count >= _NATIONAL else ""
    return f"{'1' if country else ''}{area}55501{next(draws) % 100:02}"


def _url_part(text: str, draws: Iterator[int]) -> str:
    coded = text.isupper() or any(c.isdigit() for c in text)
    return _like(text, draws) if coded else _URL_WORDS[next(draws) % len(_URL_WORDS)]
