"""One name for a licence, however its source writes it."""

import re

_PUBLIC_DOMAIN = re.compile(r"publicdomain/mark|public[ -]domain|\bpd\b")
_ZERO = re.compile(r"publicdomain/zero|\bcc[ -]?(?:0|zero)\b")
_SHORT = re.compile(r"\bcc[ -]?by((?:[ -](?:nc|nd|sa))*)\b|licen[cs]es/by((?:-(?:nc|nd|sa))*)")
_LONG = re.compile(
    r"creative commons.*\battribution\b|\battribution\b.*\bcreative commons|\battribution[ -](?:non|share|no)"
)
_PARTS = (
    ("nc", re.compile(r"non[ -]?commercial")),
    ("nd", re.compile(r"no[ -]?deriv")),
    ("sa", re.compile(r"share[ -]?alike")),
)
_OTHER = re.compile(r"[^a-z0-9.]+")


def licence_key(licence: str) -> str:
    """The name of a licence without its version: ``cc0``, ``cc-by``, ``cc-by-nc-sa``, ``public-domain``.

    Known are Creative Commons' short names, addresses and long names. Any other is its own words with hyphens between them
    (``MIT`` is ``mit``, ``not stated`` is ``not-stated``); an empty text has an empty name.
    """
    folded = licence.casefold().replace("_", "-").strip()
    if _ZERO.search(folded):
        return "cc0"
    if found := _SHORT.search(folded):
        named = set(re.findall("nc|nd|sa", found[1] or found[2] or ""))
    elif _LONG.search(folded):
        named = {part for part, words in _PARTS if words.search(folded)}
    elif _PUBLIC_DOMAIN.search(folded):
        return "public-domain"
    else:
        return _OTHER.sub("-", folded).strip("-.")
    return "-".join(("cc-by", *(part for part, _ in _PARTS if part in named)))
