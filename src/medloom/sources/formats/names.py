"""When two names of a concept are one name in another order, number or spelling of the genitive."""

import re

from medloom.text import words

_INFLECTED = re.compile(r"(?:ides|ata|ies|as|is|es|um|us|ae|a|e|i|s|y)$")
_GENITIVE = re.compile(r"['’]s\b")
_FILLERS = frozenset({"the", "of", "nos", "unspecified"})
_SHORTEST_STEM = 3


def name_key(name: str) -> str:
    """Equal for two names that differ in word order, number, genitive, or a coder's "unspecified" alone.

    "Fibroses, Cystic" and "cystic fibrosis" have one key, so have "Ollier's disease" and "Disease, Ollier". Endings are cut
    down to stems of three letters and more, English and Latin ones alike; this is no stemmer for prose.
    """
    return " ".join(sorted({_stem(word) for word in words(_GENITIVE.sub("", name)) if word not in _FILLERS}))


def distinct_names(title: str, names: list[str]) -> list[str]:
    """One spelling of each name that is not the title in another form, in a fixed order.

    Of the spellings of one name, the one without a comma (not inverted), then the shortest, is taken.
    """
    best: dict[str, str] = {}
    for name in sorted(names, key=lambda n: ("," in n, len(n), n)):
        if key := name_key(name):
            best.setdefault(key, name)
    best.pop(name_key(title), None)
    return sorted(best.values())


def _stem(word: str) -> str:
    stem = _INFLECTED.sub("", word)
    return stem if len(stem) >= _SHORTEST_STEM else word
