"""Under which licence an article stands, by what its JATS says in so many ways."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, get_args

from medloom.text.inline import inline_text, name_of

if TYPE_CHECKING:
    from lxml import etree

Licence = Literal["cc0", "cc-by", "cc-by-sa", "cc-by-nd", "cc-by-nc", "cc-by-nc-sa", "cc-by-nc-nd", "other", "none"]
LICENCES: tuple[Licence, ...] = get_args(Licence)
_HREF = "{http://www.w3.org/1999/xlink}href"
_ADDRESS = re.compile(r"(?i)creativecommons\.org/(?:licen[sc]es/([a-z-]+)|(publicdomain/zero))")
_SHORT = re.compile(r"(?i)\bcc[ -]?(0\b|by(?:[ -](?:nc|nd|sa|ncnd|ncsa))*)(?![a-z])")
_LONG = re.compile(r"(?i)creative\s+commons\b")
_WORDS = (
    ("nc", re.compile(r"(?i)non-?\s?commercial")),
    ("sa", re.compile(r"(?i)share-?\s?alike")),
    ("nd", re.compile(r"(?i)no-?\s?deriv")),
)
_ZERO = re.compile(r"(?i)\bcc0\b|public\s+domain\s+dedication|creative\s+commons\s+zero")


def licence_of(meta: "etree._Element | None") -> Licence:
    """The licence of an article, by its ``article-meta``.

    Addresses count before words. Where there are several (the waiver for an article's data stands beside the licence of
    its text), the strictest one counts.

    Returns:
        One of :data:`LICENCES`: ``other`` for terms that are none of Creative Commons, ``none`` where nothing is said.
    """
    permissions = [one for one in meta if name_of(one) == "permissions"] if meta is not None else []
    stated = [one for part in permissions for one in part.iter() if name_of(one) in ("license", "license_ref")]
    if not stated:
        return "none"
    found = {licence for address in _addresses(stated) if (licence := _by_address(address))}
    if not found:
        texts = [f"{one.get('license-type', '')} {inline_text(one)}" for one in stated]
        found = {licence for text in texts if (licence := _by_words(text))}
    return max(found, key=LICENCES.index) if found else "other"


def _addresses(stated: "list[etree._Element]") -> Iterator[str]:
    for one in stated:
        for element in one.iter():
            yield element.get(_HREF) or ""
            yield element.text or "" if name_of(element) in ("license_ref", "ext-link", "uri") else ""


def _by_address(address: str) -> Licence | None:
    match = _ADDRESS.search(address)
    if match is None:
        return None
    return "cc0" if match[2] else _named(match[1].lower().split("-"))


def _by_words(text: str) -> Licence | None:
    found = {("cc0" if match[1] == "0" else _named(_parts(match[1]))) for match in _SHORT.finditer(text)} - {None}
    if found:
        return max((one for one in found if one is not None), key=LICENCES.index)
    if not _LONG.search(text):
        return None
    marks = [mark for mark, words in _WORDS if words.search(text)]
    if not marks and _ZERO.search(text) and "attribution" not in text.lower():
        return "cc0"
    return _named(["by", *marks])


def _parts(short: str) -> list[str]:
    joined = short.lower().replace("ncnd", "nc-nd").replace("ncsa", "nc-sa")
    return re.split(r"[ -]+", joined)


def _named(parts: list[str]) -> Licence | None:
    """The licence of some marks in any order (``by``, ``nc``, ``nd``, ``sa``)."""
    name = "-".join(["cc", *(mark for mark in ("by", "nc", "sa", "nd") if mark in parts)])
    return next((one for one in LICENCES if one == name), None)
