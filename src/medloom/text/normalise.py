"""One normal form, so that two spellings of one text count as equal everywhere in medloom."""

import re
import unicodedata

_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"\w+")
_CONTROL = dict.fromkeys([*range(0x00, 0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F])


def clean(text: str) -> str:
    """Drop control characters and outer white space; unify line ends. Words and line breaks stay."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROL).strip()


def one_line(text: str) -> str:
    """The text with every run of white space as one blank."""
    return _SPACE.sub(" ", text).strip()


def words(text: str) -> list[str]:
    """Lower-case words and numbers of the compatibility-decomposed text, accents and punctuation gone."""
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c)) if not decomposed.isascii() else decomposed
    return _WORD.findall(plain.casefold())


def text_key(text: str) -> str:
    """Equal for two texts exactly when their :func:`words` are equal."""
    return " ".join(words(text))


def characters_key(text: str, n: int = 4) -> set[str]:
    """The set of character n-grams of :func:`text_key`, for overlap of short texts.

    A text shorter than ``n`` characters is its own only n-gram.
    """
    key = text_key(text)
    return {key[i : i + n] for i in range(max(1, len(key) - n + 1))}
