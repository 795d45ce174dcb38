"""Hospitals, clinics and other organisations by name."""

import re
from collections.abc import Iterator

from medloom.deid.medical import MONTHS
from medloom.deid.page import Page
from medloom.deid.rules.hits import CUE, GAZETTEER, Hit
from medloom.deid.rules.places import read_place
from medloom.deid.rules.reading import Names, can_be_name, followed_as_name

_HEADS = frozenset(
    "hospital hospitals hosp clinic clinics center centre centers infirmary hospice institute sanatorium sanitarium healthcare "
    "rehabilitation rehab pharmacy polyclinic practice associates partners manor lodge surgicenter foundation".split()
)
_SECOND: dict[str, frozenset[str]] = {
    "center": frozenset("medical med health cancer trauma heart surgical surgery rehabilitation rehab nursing care community recovery treatment wellness "
                        "eye spine imaging dialysis behavioral regional psychiatric infusion".split()),
    "home": frozenset(("nursing", "care", "retirement", "funeral", "group")),
    "living": frozenset(("assisted", "senior")),
    "system": frozenset(("health", "healthcare", "medical", "hospital")),
    "group": frozenset(("medical", "health", "physicians", "practice")),
    "practice": frozenset(("family", "medical", "group", "private")),
    "medicine": frozenset(("family", "internal", "sports")),
    "care": frozenset(("urgent", "health", "primary", "hospice", "home", "memory", "acute")),
    "med": frozenset(),
    "health": frozenset(),
    "va": frozenset(),
    "general": frozenset(),
    "memorial": frozenset(),
    "medical": frozenset(),
    "office": frozenset(),
    "branch": frozenset(),
    "campus": frozenset(),
    "facility": frozenset(),
    "location": frozenset(),
}
_SECOND["centre"] = _SECOND["center"]
_NEEDS_NAME = frozenset("med health va general memorial medical office branch campus facility location practice partners associates foundation manor lodge rehab rehabilitation".split())
_PLAIN = frozenset(("office", "branch", "campus", "facility", "location"))
_CITY_LINKS = frozenset(("of", "at", "in"))
_TELLING = frozenset(
    "general memorial community regional county city university mercy sacred hope grace holy trinity baptist methodist presbyterian lutheran "
    "adventist jewish deaconess good samaritan providence valley mount mountain lake river creek park hill hills green oak oaks cedar pine maple elm "
    "willow birch spring springs springfield west east north south northside southside westside eastside central downtown metro metropolitan national "
    "veterans va children women childrens womens shriners sinai street saint our lady mt infant jesus sunrise sunset bay coast coastal ocean "
    "desert prairie summit heritage liberty union unity harbor royal queen king prince princess victoria american first capital state".split()
)
_SAINT = re.compile(r"(?<![\w-])(?:St\.?|Saint|ST\.?|SAINT) (?=[^\W\d_a-z])")
_SEEN = (
    r"(?:seen|treated|admitted|readmitted|evaluated|hospitali[sz]ed|followed|diagnosed|transferred|referred|examined|assessed|managed|brought(?: in)?|"
    r"cared for|delivered|monitored)"
)
_CARE = re.compile(
    rf"\b(?:{_SEEN}(?: [a-z]{{1,12}}){{0,3}} (?:in|by|via)|"
    rf"(?:{_SEEN}|presented|presenting|presents|performed|discharged|operated(?: on)?|visited|visit|check-?up|consultation|consult|appointment|reviewed|"
    r"report|session|surgery|taken|flown|airlifted|born|done|obtained|scheduled|stay(?:ed)?|care|records?|outside|arrived|recovering|residing|"
    r"enrolled|attended|attending|attends|worked up|follow-?up|biopsy|scan|mri|ct|history|therapy|treatment|clinic|hospital course|er|ed|icu|"
    r"intubated|resident|physician|doctor|surgeon|cardiologist|oncologist|specialist|team|colleagues|group|program|today|currently|previously|"
    r"again|initially|recently|ems|yesterday)(?: [a-z]{1,12}){0,3} (?:at|to|from|@)) ?(?:the |our )?(?-i:(?=[^\W\d_a-z]))",
    re.IGNORECASE,
)
_AT = re.compile(r"\b(?:at|from|to|by|our|via|@) ?(?:the |our )?(?=[A-Z])")
_WORKS = re.compile(
    r"\b(?:(?:works?|working|worked|employed|job|employment|volunteers?|retired|cashier|teacher|engineer|nurse|driver|manager|clerk|accountant|mechanic|"
    r"student|professor|lawyer|attorney|supervisor|operator|salesman|secretary|assistant|technician|chef|cook|analyst|consultant|janitor|guard|studies|"
    r"study|attends|attending|enrolled|graduated|position|internship|intern|career)(?: (?:as|an?|the|part|full|time|in|school|college|[a-z]{3,14})){0,4} "
    r"(?:at|for|with|by|from)|(?:employer|company|school|occupation at|place of employment|workplace|organization|facility|hospital|clinic|"
    r"location of service|admitting facility|referring facility|pharmacy|university|college|insurance company|work place)[ \t]?:) {0,4}(?:the )?(?-i:(?=[^\W\d_a-z]))",
    re.IGNORECASE,
)
_UNIVERSITY = re.compile(r"(?<![\w-])(?:University|College|School) of (?:the )?[A-Z][\w'’-]{2,20}(?: (?:at )?[A-Z][\w'’-]{2,20}){0,3}")
_COMPANY = re.compile(
    r"(?<![\w-])((?:[A-Z][\w'’&-]{1,20}(?:, | and | & | )){1,5})(?:Inc|LLC|L\.L\.C|Ltd|Corp|Corporation|PLC|LLP|GmbH|Co|Company|Sons|Associates|& Co)\b\.?"
)
_SCHOOL = re.compile(
    r"(?<![\w-])(?:(?:[A-Z][\w'’-]{1,20}) ){1,4}(?:University|College|(?:High |Elementary |Middle |Primary |Grammar |Nursery )School|Academy|Church|Cathedral|"
    r"Synagogue|Mosque|Temple|Prison|Jail|Correctional Facility|Shelter|Bank|Airport|Elementary|Preschool|Daycare|Fire Department|"
    r"Police Department|Sheriff's Office)(?: of (?:[A-Z][\w'’-]{1,20})(?: [A-Z][\w'’-]{1,20}){0,2})?(?![\w-])"
)
_FIRMS = re.compile(
    r"[A-Z][\w'’-]{1,20} (?:Group|Partners|Brothers|Industries|Systems|Solutions|Services|Holdings|Enterprises|Construction|Motors|Foods)\b|"
    r"[A-Z][A-Za-z'’]{1,20}-[A-Z][A-Za-z'’]{1,20}|[A-Z][A-Za-z'’]{1,20}(?:, [A-Z][A-Za-z'’]{1,20}){1,3},? (?:and|&) [A-Z][A-Za-z'’]{1,20}|"
    r"[A-Z][A-Za-z'’]{1,20} (?:and|&) [A-Z][A-Za-z'’]{1,20}"
)
_SAINT_OTHER = frozenset("wort valve questionnaire respiratory encephalitis dance vitus elmo mechanical prosthesis fire".split())


def facilities(page: Page, known: Names) -> Iterator[Hit]:
    """Hospitals, clinics, employers, schools and churches."""
    yield from _headed(page, known)
    yield from _saints(page, known)
    yield from _bare(page, known)
    yield from _organisations(page, known)


def _headed(page: Page, known: Names) -> Iterator[Hit]:
    """Names that end in Hospital, Clinic, Medical Center, ..."""
    for j, word in enumerate(page.tokens):
        if not _is_head(page, j) or (word.key in _NEEDS_NAME and page.shouts(j)):
            continue
        start = _head_start(page, j)
        i = _modifiers(page, start, known)
        end = _after_head(page, j + 1, known)
        if i < start and _telling(page, i, start, word.key, known):
            yield Hit(page.tokens[i].start, page.tokens[end - 1].end, "HOSPITAL", CUE)
        elif end > j + 1 and word.shape in "CA" and start < j or (end > j + 1 and word.key == "hospital"):
            yield Hit(page.tokens[start].start, page.tokens[end - 1].end, "HOSPITAL", CUE)


def _is_head(page: Page, j: int) -> bool:
    key = page.tokens[j].key
    if key in _HEADS:
        return True
    if key not in _SECOND or j == 0 or page.gap(j - 1) not in (" ", "-", ". "):
        return False
    wanted = _SECOND[key]
    return page.tokens[j].shape in "CA" and page.tokens[j - 1].shape in "CA" and (not wanted or page.tokens[j - 1].key in wanted) or (
        key in _PLAIN and page.tokens[j - 1].shape == "C"
    )


def _head_start(page: Page, j: int) -> int:
    """The first word of the head itself: Medical in Medical Center."""
    wanted = _SECOND.get(page.tokens[j].key, frozenset())
    if j and page.gap(j - 1) == " " and page.tokens[j - 1].key in wanted:
        return j - 1
    return j


def _modifiers(page: Page, start: int, known: Names) -> int:
    """The first of the capitalised words before a head."""
    i = start
    while i > 0 and start - i < 6:
        word, gap = page.tokens[i - 1], page.gap(i - 1)
        if gap not in (" ", "-", ". ", " & ", "/", "-\n") or (gap == ". " and word.key not in ("st", "mt", "ft", "dr", "med", "univ", "hosp")):
            break
        linked = word.shape == "a" and word.key in ("of", "and", "the", "for", "downtown") and i > 1 and page.tokens[i - 2].shape in "CA" and i < start
        lower_ok = word.key == "downtown" and i == start
        if not (word.shape in "CAI" or linked or lower_ok) or word.key in ("dr", "mr", "mrs", "ms", "in", "at", "to", "from", "the", "our", "on", "a"):
            if not (linked and word.key == "the"):
                break
        i -= 1
    while i < start and (page.tokens[i].shape == "a" or page.tokens[i].key in known.lexicon.large_places and i + 1 < start and page.tokens[i].key in ("the",)):
        i += 1
    return i


def _telling(page: Page, i: int, start: int, head: str, known: Names) -> bool:
    """Whether the words before a head tell one clinic from the others, not one kind from the others."""
    words = page.tokens[i:start]
    shouting = page.shouts(start - 1)
    named = [t for t in words if _names_one(t.key, head, known)]
    if named and not all(t.key in known.lexicon.departments or t.key in known.lexicon.units for t in named):
        return True
    if page.tokens[start - 1].shape == "a" or (shouting and head not in ("hospital",)):
        return False
    if head in _NEEDS_NAME and not any(t.key in _TELLING for t in words):
        return False
    if any(t.key in _TELLING for t in words):
        return not (page.opens(i) and len(words) == 1 and page.tokens[start].shape == "a")
    rest = [t for t in words if t.shape in "CA" and t.key not in known.lexicon.departments and t.key not in known.lexicon.units]
    return any(t.key not in known.lexicon.medical or known.known.is_name(t.key) for t in rest) and page.tokens[start].shape in "CA" and not shouting


def _names_one(key: str, head: str, known: Names) -> bool:
    """Whether a word can only be the name of a clinic: a surname counts, but no disease's before "Clinic"."""
    if known.unexplained(key) or _placed(key, known) or key in known.lexicon.hospitals:
        return True
    surname = known.known.is_name(key) and key not in known.lexicon.ordinary
    return surname and (head not in ("clinic", "center", "centre") or key not in known.lexicon.eponyms)


def _placed(key: str, known: Names) -> bool:
    return known.known.cities.get(key, 0) > 0 and key not in known.lexicon.ordinary


def _after_head(page: Page, j: int, known: Names) -> int:
    """The end of ``Hospital of New Joseph``, ``Hospital Boston``, ``Clinic in Rochester``, ``Hospital at Westlake``."""
    if j >= len(page.tokens):
        return j
    word, gap = page.tokens[j], page.gap(j - 1)
    if gap in (" ", ", ") and word.shape == "C" and known.known.cities:
        end = read_place(page, j, known)
        key = " ".join(t.key for t in page.tokens[j:end])
        return end if end > j and key in known.known.cities and (gap == " " or _placed(page.tokens[j].key, known) or end - j > 1) else j
    if gap == " " and word.key in _CITY_LINKS and j + 1 < len(page.tokens) and page.tokens[j + 1].shape in "CA" and page.gap(j) == " ":
        listed = j + 2 if page.tokens[j + 1].key in known.known.cities else j
        return end if (end := read_place(page, j + 1, known)) > j + 1 else listed
    return j


def _saints(page: Page, known: Names) -> Iterator[Hit]:
    """``St. Mary's``, which is a hospital unless more tells otherwise."""
    for match in _SAINT.finditer(page.text):
        i = page.index(match.end())
        if i >= len(page.tokens) or page.tokens[i].start != match.end() or page.tokens[i].key.removesuffix("'") not in known.lexicon.saints:
            continue
        following = page.tokens[i + 1].key if i + 1 < len(page.tokens) and page.joined(i) else ""
        if following not in _SAINT_OTHER and not known.lexicon.is_eponym(page, i):
            yield Hit(match.start(), page.tokens[i].end, "HOSPITAL", CUE)


def _bare(page: Page, known: Names) -> Iterator[Hit]:
    """What somebody was admitted to or treated at, by whatever name."""
    for match in _CARE.finditer(page.text):
        i = page.index(match.end())
        if i < len(page.tokens) and page.tokens[i].start == match.end() and (j := _read_bare(page, i, known)) > i:
            yield Hit(page.tokens[i].start, page.tokens[j - 1].end, "HOSPITAL", CUE)
    for match in _AT.finditer(page.text):
        i = page.index(match.end())
        if i < len(page.tokens) and page.tokens[i].start == match.end():
            j = _read_bare(page, i, known)
            if j > i and _is_hospital(page, i, j, known):
                yield Hit(page.tokens[i].start, page.tokens[j - 1].end, "HOSPITAL", GAZETTEER)


def _is_hospital(page: Page, i: int, j: int, known: Names) -> bool:
    """Whether words after "at" alone are of a hospital: one is known, or one of several is what hospitals bear."""
    keys = [t.key for t in page.tokens[i:j]]
    return any(k in known.lexicon.hospitals for k in keys) or (j - i > 1 and any(k in _TELLING for k in keys)) or keys[0] == "md"


def _read_bare(page: Page, i: int, known: Names) -> int:
    """Where a name of any form ends, if a word of it can only be the name of a hospital; ``i`` if none does."""
    j = i
    while j < len(page.tokens) and j - i < 6 and (j == i or _bare_gap(page, j)) and _bare_word(page, i, j, known):
        j += 1
    words = page.tokens[i:j]
    if not words or page.shouts(i) or all(t.key in known.lexicon.large_places for t in words):
        return i
    if known.lexicon.is_eponym(page, j - 1) or (len(words) == 1 and words[0].shape in "AI" and words[0].end - words[0].start < 3):
        return i
    if len(words) == 1 and not followed_as_name(page, j, known) and page.tokens[j].key not in _HEADS | _PLAIN:
        return i
    telling = [t for t in words if known.unexplained(t.key) or t.key in known.lexicon.hospitals or _placed(t.key, known)]
    return j if telling or (len(words) > 1 and any(t.key in _TELLING for t in words)) else i


def _bare_gap(page: Page, j: int) -> bool:
    gap = page.gap(j - 1)
    return gap in (" ", "-", "/", " & ") or (gap == ". " and page.tokens[j - 1].key in ("st", "mt", "ft"))


def _bare_word(page: Page, i: int, j: int, known: Names) -> bool:
    """Whether a word can be of the name: to begin it, it must not be an ordinary word, unless one that hospitals bear follows."""
    word = page.tokens[j]
    if word.key == "md":
        return j + 1 < len(page.tokens) and page.tokens[j + 1].key == "anderson"
    if word.shape not in "CA" or word.key in known.lexicon.units or (word.shape == "A" and j > i and known.lexicon.explains(word.key)):
        return False
    if j > i:
        return _continues(page, j, known) or word.key in _HEADS
    if not can_be_name(word):
        return False
    if known.unexplained(word.key) or word.key in known.lexicon.hospitals or word.key in _TELLING or word.key in known.lexicon.large_places:
        return True
    if _placed(word.key, known) or (known.known.is_name(word.key) and word.key not in known.lexicon.ordinary):
        return True
    return j + 1 < len(page.tokens) and page.gap(j) == " " and page.tokens[j + 1].shape == "C" and page.tokens[j + 1].key in _TELLING


def _continues(page: Page, j: int, known: Names) -> bool:
    word = page.tokens[j]
    if word.key in MONTHS or not can_be_name(word):
        return False
    return word.key not in known.lexicon.departments or "&" in page.gap(j - 1)


def _organisations(page: Page, known: Names) -> Iterator[Hit]:
    text = page.text
    for pattern in (_COMPANY, _SCHOOL, _UNIVERSITY):
        for match in pattern.finditer(text):
            i = page.index(match.start())
            while i < len(page.tokens) and page.tokens[i].key in ("the", "a", "an", "at", "our", "his", "her", "by", "from"):
                i += 1
            if i < len(page.tokens) and page.tokens[i].end < match.end() and _organised(page, i, known):
                yield Hit(page.tokens[i].start, match.end(), "ORG", CUE)
    for match in _WORKS.finditer(text):
        found = _FIRMS.match(text, match.end())
        if found and any(known.known.is_name(w) or known.unexplained(w) for w in re.findall(r"\w+", found[0].casefold())):
            yield Hit(found.start(), found.end(), "ORG", CUE)
        i = page.index(match.end())
        if i < len(page.tokens) and page.tokens[i].start == match.end() and (j := _read_bare(page, i, known)) > i:
            yield Hit(page.tokens[i].start, page.tokens[j - 1].end, "ORG", CUE)


def _organised(page: Page, i: int, known: Names) -> bool:
    """Whether the first word of an organisation can name one: not "High School" or "Medical College" alone."""
    word = page.tokens[i]
    return word.key not in known.lexicon.departments and word.key not in ("high", "elementary", "middle", "american", "national", "royal")
