"""Ways to reach somebody: e-mail, web and network addresses, telephone numbers."""

import re
from collections.abc import Iterator

from medloom.deid.page import Page
from medloom.deid.rules.hits import CUE, FORM, Hit
from medloom.deid.spans import Kind

_EMAIL = re.compile(r"[\w][\w.+-]{0,63} ?@ ?[\w](?:[\w-]{0,62}\.){1,6}\w{2,24}")
_HANDLE = re.compile(r"(?<![\w@.])@[A-Za-z_]\w{2,30}")
_URL = re.compile(
    r"\b(?:https?|ftps?|sftp)://[^\s<>\"')\]]{2,2000}|\bwww\.[\w-]{1,63}\.[^\s<>\"')\]]{2,2000}", re.IGNORECASE
)
_DOMAIN = re.compile(
    r"(?<![\w@.-])(?:[a-z0-9-]{1,63}\.){1,5}(?:com|org|net|edu|gov|biz|info|io|health|us|co\.uk|ca|"
    r"de)(?:/[^\s<>\"')\]]{0,500})?(?![\w-])",
)
_PUBLIC = re.compile(
    r"(?:https?://)?(?:www\.)?(?:(?:dx\.)?doi\.org|(?:pubmed\.|www\.)?ncbi\.nlm\.nih\.gov|pubmed\.gov|"
    r"clinicaltrials\.gov|(?:www\.)?(?:cdc|fda|nih|who|nice|cochrane|medlineplus|cancer|heart|uptodate)\.(?:gov|int|org|"
    r"com))\b",
    re.IGNORECASE,
)
_IP = re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?::\d{2,5})?(?![\w]|\.\d)")
_IP6 = re.compile(
    r"(?<![\w:])(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}(?![\w:])|"
    r"(?<![\w:])[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){1,6}::?[0-9a-f]{1,4}(?![\w:])",
    re.I,
)
_MAC = re.compile(r"(?<![\w:-])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:-])", re.IGNORECASE)

_EXTENSION = r"(?:,? ?(?:x|ext\.?|extension)[ .:]{0,2}\d{1,6})?"
_PHONES = [
    re.compile(
        rf"(?<![\w.-])(?:\+?1[ .-]?)?\(?[2-9]?\d{{2}}\)?[ .-]{{1,2}}\d{{3}} ?[ .–-] ?\d{{4}}{_EXTENSION}(?![\w]|-\d)"
    ),
    re.compile(rf"(?<![\w.])(?:\+?1[ .-]?)?\(\d{{3}}\) ?\d{{3}}[ .-]?\d{{4}}{_EXTENSION}(?!\w)"),
    re.compile(r"(?<![\w.])\+\d{1,3}(?:[ .()-]{1,2}\d{1,5}){2,6}(?!\w)"),
    re.compile(r"(?<![\w.])\+\d{8,15}(?!\w)"),
    re.compile(r"(?<![\w.])0\d{2,4} \d{3,4} ?\d{3,4}(?!\w)"),
    re.compile(rf"(?<![\w./-])[2-9]\d{{2}}-\d{{4}}{_EXTENSION}(?![\w-])"),
]
_CUED = re.compile(
    r"\b(phone|telephone|tel|cell|mobile|home|work|office|pager?d?|beeper|bleep|fax(?:ed)?|call(?:ed|ing)?(?: back)?|"
    r"contact(?:ed)?|reach(?:ed|able)?|ext|extension|hotline|voicemail|text|whatsapp|fon)(?: (?:no|number|num|is|was|"
    r"at|to|on|back|him|her|them|via|by|phone|cell|mobile|info|of|line|or|the|office|and|"
    r"id)){0,4}[.:#]{0,2} ?[:#(]? ?([(+]?\d[\d ().+-]{2,24}\d(?: ?x ?\d{1,6})?)(?![\w]|\.\d| ?(?:mg|ml|mcg|kg|cm|mm|"
    r"lbs?|units|days|hours|times|weeks|months|years|minutes|%|/))",
    re.IGNORECASE,
)
_NEED_DIGITS = {"ext": 3, "extension": 3, "page": 4, "pager": 4, "paged": 4, "beeper": 4, "bleep": 3}
_RANGE = re.compile(r"\b(?:normals?|range|reference|ref|nl|limits?|pages?|pp|between)[ :=(]{1,3}$", re.IGNORECASE)
_FAX_NEAR = re.compile(r"\bfax(?:ed)?\b", re.IGNORECASE)
_AFTER_FAX = re.compile(r" ?\(?fax\)?", re.IGNORECASE)
_BARE_EXTENSION = re.compile(r"\b(?:ext\.?|extension)[ :.]{0,2}(\d{3,6})\b(?!\.)")


def contacts(page: Page) -> Iterator[Hit]:
    """E-mail, URL, IP, telephone and fax."""
    yield from _web(page.text)
    yield from _phones(page.text)


def _web(text: str) -> Iterator[Hit]:
    if "@" in text:
        for pattern in (_EMAIL, _HANDLE):
            for match in pattern.finditer(text):
                yield Hit(match.start(), _end(text, match.end()), "EMAIL", FORM)
    for pattern in (_URL, _DOMAIN):
        for match in pattern.finditer(text):
            if not _PUBLIC.match(match[0]):
                yield Hit(match.start(), _end(text, match.end()), "URL", FORM)
    for pattern in (_IP, _IP6, _MAC):
        for match in pattern.finditer(text):
            yield Hit(match.start(), match.end(), "IP", FORM)


def _phones(text: str) -> Iterator[Hit]:
    for pattern in _PHONES:
        for match in pattern.finditer(text):
            if _RANGE.search(text, max(0, match.start() - 24), match.start()):
                continue
            yield Hit(match.start(), match.end(), _line(text, match.start(), match.end()), CUE)
    for match in _CUED.finditer(text):
        digits = sum(c.isdigit() for c in match[2])
        if digits >= _NEED_DIGITS.get(match[1].casefold(), 6):
            yield Hit(match.start(2), match.end(2), _line(text, match.start(2), match.end(2)), FORM)
    for match in _BARE_EXTENSION.finditer(text):
        yield Hit(match.start(1), match.end(1), "PHONE", CUE)


def _line(text: str, start: int, end: int) -> Kind:
    """Whether a number is of a telephone or a fax."""
    fax = _FAX_NEAR.search(text, max(0, start - 16), start) or _AFTER_FAX.match(text, end)
    return "FAX" if fax else "PHONE"


def _end(text: str, end: int) -> int:
    """Where an address ends without the punctuation of the sentence."""
    while text[end - 1] in ".,;:!?":
        end -= 1
    return end
