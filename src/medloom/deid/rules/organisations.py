"""Places of care, employers, schools and firms by what stands around their names, which may have any form."""

import re
from collections.abc import Iterator

from medloom.deid.medical import MONTHS
from medloom.deid.page import Page
from medloom.deid.rules.facilities import HEADS, PLAIN_HEADS, TELLING, placed
from medloom.deid.rules.hits import CUE, GAZETTEER, Hit
from medloom.deid.rules.reading import Names, can_be_name, followed_as_name
from medloom.text.wordlist import word_set

_SEEN = (
    r"(?:seen|treated|admitted|readmitted|evaluated|hospitali[sz]ed|followed|diagnosed|transferred|referred|examined|"
    r"assessed|managed|brought(?: in)?|cared for|delivered|monitored)"
)
_CARE = re.compile(
    rf"\b(?:{_SEEN}(?: [a-z]{{1,12}}){{0,3}} (?:in|by|via)|(?:{_SEEN}|presented|presenting|presents|performed|"
    rf"discharged|operated(?: on)?|visited|visit|check-?up|consultation|consult|appointment|reviewed|"
    r"report|session|surgery|taken|flown|airlifted|born|done|obtained|scheduled|stay(?:ed)?|care|records?|outside|"
    r"arrived|recovering|residing|enrolled|attended|attending|attends|worked up|follow-?up|biopsy|scan|mri|ct|history|"
    r"therapy|treatment|clinic|hospital course|er|ed|icu|intubated|resident|physician|doctor|surgeon|cardiologist|"
    r"oncologist|specialist|team|colleagues|group|program|today|currently|previously|again|initially|recently|ems|"
    r"yesterday)(?: [a-z]{1,12}){0,3} (?:at|to|from|@)) ?(?:the |our )?(?-i:(?=[^\W\d_a-z]))",
    re.IGNORECASE,
)
_AT = re.compile(r"\b(?:at|from|to|by|our|via|@) ?(?:the |our )?(?=[^\W\d_a-z])")
_WORKS = re.compile(
    r"\b(?:(?:works?|working|worked|employed|job|employment|volunteers?|retired|cashier|teacher|engineer|nurse|driver|"
    r"manager|clerk|accountant|mechanic|student|professor|lawyer|attorney|supervisor|operator|salesman|secretary|"
    r"assistant|technician|chef|cook|analyst|consultant|janitor|guard|studies|study|attends|attending|enrolled|"
    r"graduated|position|internship|intern|career)(?: (?:as|an?|the|part|full|time|in|school|college|"
    r"[a-z]{3,14})){0,4} (?:at|for|with|by|from)|(?:employer|company|school|occupation at|place of employment|workplace|"
    r"organization|facility|hospital|clinic|location of service|admitting facility|referring facility|pharmacy|"
    r"university|college|insurance company|work place)[ \t]?:) {0,4}(?:the )?(?-i:(?=[^\W\d_a-z]))",
    re.IGNORECASE,
)
_UNIVERSITY = re.compile(
    r"(?<![\w-])(?:University|College|School) of (?:the )?[A-Z][\w'’-]{2,20}(?: (?:at )?[A-Z][\w'’-]{2,20}){0,3}"
)
_COMPANY = re.compile(
    r"(?<![\w-])((?:[A-Z][\w'’&-]{1,20}(?:, | and | & | )){1,5})(?:Inc|LLC|L\.L\.C|Ltd|Corp|Corporation|PLC|LLP|GmbH|Co|"
    r"Company|Sons|Associates|& Co)\b"
)
_SCHOOL = re.compile(
    r"(?<![\w-])(?:(?:[A-Z][\w'’-]{1,20}) ){1,4}(?:University|College|(?:High |Elementary |Middle |Primary |Grammar |"
    r"Nursery )School|Academy|Church|Cathedral|Synagogue|Mosque|Temple|Prison|Jail|Correctional Facility|Shelter|Bank|"
    r"Airport|Elementary|Preschool|Daycare|Fire Department|Police Department|Sheriff's Office)(?: "
    r"of (?:[A-Z][\w'’-]{1,20})(?: [A-Z][\w'’-]{1,20}){0,2})?(?![\w-])"
)
_FIRMS = re.compile(
    r"[A-Z][\w'’-]{1,20} (?:Group|Partners|Brothers|Industries|Systems|Solutions|Services|Holdings|Enterprises|"
    r"Construction|Motors|Foods)\b|[A-Z][A-Za-z'’]{1,20}-[A-Z][A-Za-z'’]{1,20}|"
    r"[A-Z][A-Za-z'’]{1,20}(?:, [A-Z][A-Za-z'’]{1,20}){1,3},? (?:and|&) [A-Z][A-Za-z'’]{1,20}|"
    r"[A-Z][A-Za-z'’]{1,20} (?:and|&) [A-Z][A-Za-z'’]{1,20}"
)
_PART = re.compile(r"\w+")
_NO_START = word_set("the a an at our his her by from")
_NOT_ALONE = word_set("high elementary middle american national royal")
_MOST_WORDS = 6


def organisations(page: Page, known: Names) -> Iterator[Hit]:
    """What somebody was treated at, works for or goes to."""
    yield from _care(page, known)
    yield from _firms(page, known)
    yield from _work(page, known)


def _care(page: Page, known: Names) -> Iterator[Hit]:
    for _, i in page.after(_CARE):
        if (j := _read(page, i, known)) > i:
            yield Hit(page.tokens[i].start, page.tokens[j - 1].end, "HOSPITAL", CUE)
    for _, i in page.after(_AT):
        j = _read(page, i, known)
        if j > i and _is_hospital(page, i, j, known):
            yield Hit(page.tokens[i].start, page.tokens[j - 1].end, "HOSPITAL", GAZETTEER)


def _is_hospital(page: Page, i: int, j: int, known: Names) -> bool:
    """Whether words after "at" alone are of a hospital: one is known, or one of several is what hospitals bear."""
    keys = [t.key for t in page.tokens[i:j]]
    if keys[0] == "md" or any(k in known.lexicon.hospitals for k in keys):
        return True
    return len(keys) > 1 and any(k in TELLING for k in keys)


def _read(page: Page, i: int, known: Names) -> int:
    """Where a name of any form ends, if a word of it can only be the name of a place of care; ``i`` if none does."""
    lexicon, j = known.lexicon, i
    while j < len(page.tokens) and j - i < _MOST_WORDS and _belongs(page, i, j, known):
        j += 1
    words = page.tokens[i:j]
    if not words or page.shouts(i) or all(t.key in lexicon.large_places for t in words) or lexicon.is_eponym(page, j - 1):
        return i
    if len(words) == 1 and not _stands_alone(page, i, known):
        return i
    if any(known.unexplained(t.key) or t.key in lexicon.hospitals or placed(t.key, known) for t in words):
        return j
    return j if len(words) > 1 and any(t.key in TELLING for t in words) else i


def _stands_alone(page: Page, i: int, known: Names) -> bool:
    """Whether a single word can be the whole name: no two letters, and no thing after it but a clinic."""
    word = page.tokens[i]
    if word.shape in "AI" and word.end - word.start < 3:
        return False
    return followed_as_name(page, i + 1, known) or page.tokens[i + 1].key in HEADS | PLAIN_HEADS


def _belongs(page: Page, i: int, j: int, known: Names) -> bool:
    """Whether word ``j`` goes on with the name that starts at word ``i``."""
    word = page.tokens[j]
    if word.key == "md":
        return j + 1 < len(page.tokens) and page.tokens[j + 1].key == "anderson"
    if word.shape not in "CA" or word.key in known.lexicon.units:
        return False
    if j == i:
        return can_be_name(word) and _begins(page, i, known)
    if not _linked(page, j) or (word.shape == "A" and known.lexicon.explains(word.key)):
        return False
    if word.key in HEADS:
        return True
    kind = word.key in known.lexicon.departments and "&" not in page.gap(j - 1)
    return can_be_name(word) and word.key not in MONTHS and not kind


def _linked(page: Page, j: int) -> bool:
    gap = page.gap(j - 1)
    return gap in (" ", "-", "/", " & ") or (gap == ". " and page.tokens[j - 1].key in ("st", "mt", "ft"))


def _begins(page: Page, i: int, known: Names) -> bool:
    """Whether a name can begin with word ``i``: no ordinary word, unless one that hospitals bear follows."""
    key, lexicon = page.tokens[i].key, known.lexicon
    if known.unexplained(key) or key in lexicon.hospitals or key in TELLING or key in lexicon.large_places:
        return True
    if placed(key, known) or (known.known.is_name(key) and key not in lexicon.ordinary):
        return True
    following = page.tokens[i + 1] if i + 1 < len(page.tokens) and page.gap(i) == " " else None
    return following is not None and following.shape == "C" and following.key in TELLING


def _firms(page: Page, known: Names) -> Iterator[Hit]:
    """Names that end in Inc, University, High School, ..."""
    for pattern in (_COMPANY, _SCHOOL, _UNIVERSITY):
        for match in pattern.finditer(page.text):
            i = page.index(match.start())
            while i < len(page.tokens) and page.tokens[i].key in _NO_START:
                i += 1
            if i < len(page.tokens) and page.tokens[i].end < match.end() and _can_name(page.tokens[i].key, known):
                yield Hit(page.tokens[i].start, match.end(), "ORG", CUE)


def _can_name(key: str, known: Names) -> bool:
    """Whether an organisation's first word can name one: "Medical College" and "High School" name none."""
    return key not in known.lexicon.departments and key not in _NOT_ALONE


def _work(page: Page, known: Names) -> Iterator[Hit]:
    for _, i in page.after(_WORKS):
        start = page.tokens[i].start
        found = _FIRMS.match(page.text, start)
        if found and any(known.known.is_name(w) or known.unexplained(w) for w in _PART.findall(found[0].casefold())):
            yield Hit(start, found.end(), "ORG", CUE)
        if (j := _read(page, i, known)) > i:
            yield Hit(start, page.tokens[j - 1].end, "ORG", CUE)
