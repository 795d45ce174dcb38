"""Hospitals, clinics and other places of care that bear a name."""

import re
from collections.abc import Iterator

from medloom.deid.page import Page, Word
from medloom.deid.rules.hits import CUE, Hit
from medloom.deid.rules.places import read_place
from medloom.deid.rules.reading import Names
from medloom.text.wordlist import word_set

HEADS = word_set(
    "hospital hospitals hosp clinic clinics center centre centers infirmary hospice institute sanatorium sanitarium "
    "healthcare rehabilitation rehab pharmacy polyclinic practice associates partners manor lodge surgicenter foundation"
)
_SECOND: dict[str, frozenset[str]] = {
    "center": word_set(
        "medical med health cancer trauma heart surgical surgery rehabilitation rehab nursing care community recovery "
        "treatment wellness eye spine imaging dialysis behavioral regional psychiatric infusion"
    ),
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
_NEEDS_NAME = word_set(
    "med health va general memorial medical office branch campus facility location practice partners associates "
    "foundation manor lodge rehab rehabilitation"
)
PLAIN_HEADS = word_set("office branch campus facility location")
_CITY_LINKS = word_set("of at in")
TELLING = word_set(
    "general memorial community regional county city university mercy sacred hope grace holy trinity baptist methodist "
    "presbyterian lutheran adventist jewish deaconess good samaritan providence valley mount mountain lake river creek "
    "park hill hills green oak oaks cedar pine maple elm willow birch spring springs springfield west east north south "
    "northside southside westside eastside central downtown metro metropolitan national veterans va children women "
    "childrens womens shriners sinai street saint our lady mt infant jesus sunrise sunset bay coast coastal ocean "
    "desert prairie summit heritage liberty union unity harbor royal queen king prince princess victoria american first "
    "capital state"
)
_SAINT = re.compile(r"(?<![\w-])(?:St\.?|Saint|ST\.?|SAINT) (?=[^\W\d_a-z])")
_SAINT_OTHER = word_set("wort valve questionnaire respiratory encephalitis dance vitus elmo mechanical prosthesis fire")

_ABBREVIATED = word_set("st mt ft dr med univ hosp")
_LINKS = word_set("of and the for")
_NO_MODIFIER = word_set("dr mr mrs ms in at to from the our on a")
_GAPS = frozenset((" ", "-", ". ", " & ", "/", "-\n"))
_MOST_WORDS = 6


def facilities(page: Page, known: Names) -> Iterator[Hit]:
    """Names that end in Hospital, Clinic, Medical Center, ..., and saints."""
    yield from _headed(page, known)
    yield from _saints(page, known)


def placed(key: str, known: Names) -> bool:
    """Whether a word is a city and no ordinary word."""
    return known.known.cities.get(key, 0) > 0 and key not in known.lexicon.ordinary


def _headed(page: Page, known: Names) -> Iterator[Hit]:
    for j, word in enumerate(page.tokens):
        if not _is_head(page, j) or (word.key in _NEEDS_NAME and page.shouts(j)):
            continue
        start = _head_start(page, j)
        i = _modifiers(page, start)
        end = _after_head(page, j + 1, known)
        if i < start and _telling(page, i, start, word.key, known):
            yield Hit(page.tokens[i].start, page.tokens[end - 1].end, "HOSPITAL", CUE)
        elif i == start and _low(page, start, known):
            yield Hit(page.tokens[start - 1].start, page.tokens[end - 1].end, "HOSPITAL", CUE)
        elif end > j + 1 and (word.key == "hospital" or (word.shape in "CA" and start < j)):
            yield Hit(page.tokens[start].start, page.tokens[end - 1].end, "HOSPITAL", CUE)


def _low(page: Page, start: int, known: Names) -> bool:
    """Whether a name in lower case stands before a head: ``stanford hospital``."""
    if start == 0 or page.gap(start - 1) != " ":
        return False
    word = page.tokens[start - 1]
    if word.shape != "a" or word.key in known.lexicon.ordinary:
        return False
    return word.key in known.lexicon.hospitals or (known.unexplained(word.key) and placed(word.key, known))


def _is_head(page: Page, j: int) -> bool:
    word = page.tokens[j]
    if word.key in HEADS:
        return True
    if word.key not in _SECOND or j == 0 or page.gap(j - 1) not in (" ", "-", ". "):
        return False
    before = page.tokens[j - 1]
    if word.key in PLAIN_HEADS and before.shape == "C":
        return True
    wanted = _SECOND[word.key]
    return word.shape in "CA" and before.shape in "CA" and (not wanted or before.key in wanted)


def _head_start(page: Page, j: int) -> int:
    """The first word of the head itself: Medical in Medical Center."""
    wanted = _SECOND.get(page.tokens[j].key, frozenset())
    return j - 1 if j and page.gap(j - 1) == " " and page.tokens[j - 1].key in wanted else j


def _modifiers(page: Page, start: int) -> int:
    """The first of the words with capitals before a head, small words between them included."""
    i = start
    while i > 0 and start - i < _MOST_WORDS and _is_modifier(page, i, start):
        i -= 1
    while i < start and page.tokens[i].shape == "a":
        i += 1
    return i


def _is_modifier(page: Page, i: int, start: int) -> bool:
    """Whether the word before word ``i`` belongs to the name that goes on to ``start``."""
    word, gap = page.tokens[i - 1], page.gap(i - 1)
    if gap not in _GAPS or (gap == ". " and word.key not in _ABBREVIATED):
        return False
    if word.shape == "a" and word.key in _LINKS:
        return i < start and i > 1 and page.tokens[i - 2].shape in "CA"
    if word.key == "downtown":
        return True
    return word.shape in "CAI" and word.key not in _NO_MODIFIER


def _telling(page: Page, i: int, start: int, head: str, known: Names) -> bool:
    """Whether the words before a head tell one clinic from the others, not one kind from the others."""
    words = page.tokens[i:start]
    if any(_names_one(t.key, head, known) and not _is_kind(t, known) for t in words):
        return True
    shouting = page.shouts(start - 1)
    if page.tokens[start - 1].shape == "a" or (shouting and head != "hospital"):
        return False
    if any(t.key in TELLING for t in words):
        return not (page.opens(i) and len(words) == 1 and page.tokens[start].shape == "a")
    if head in _NEEDS_NAME or shouting or page.tokens[start].shape == "a":
        return False
    rest = [t for t in words if t.shape in "CA" and not _is_kind(t, known)]
    return any(t.key not in known.lexicon.medical or known.known.is_name(t.key) for t in rest)


def _is_kind(word: Word, known: Names) -> bool:
    """Whether a word says what kind of clinic it is."""
    return word.key in known.lexicon.departments or word.key in known.lexicon.units


def _names_one(key: str, head: str, known: Names) -> bool:
    """Whether a word can only be the name of a clinic: a surname counts, but no disease's before "Clinic"."""
    if known.unexplained(key) or placed(key, known) or key in known.lexicon.hospitals:
        return True
    surname = known.known.is_name(key) and key not in known.lexicon.ordinary
    return surname and (head not in ("clinic", "center", "centre") or key not in known.lexicon.eponyms)


def _after_head(page: Page, j: int, known: Names) -> int:
    """The end of ``Hospital of New Joseph``, ``Hospital Boston``, ``Clinic in Rochester``, ``Hospital at Westlake``."""
    if j >= len(page.tokens):
        return j
    word, gap = page.tokens[j], page.gap(j - 1)
    if gap in (" ", ", ") and word.shape == "C":
        return _listed_city(page, j, known, sure=gap == " ")
    if gap != " " or word.key not in _CITY_LINKS or j + 1 >= len(page.tokens) or page.gap(j) != " ":
        return j
    if page.tokens[j + 1].shape not in "CA":
        return j
    end = read_place(page, j + 1, known)
    if end > j + 1:
        return end
    return j + 2 if page.tokens[j + 1].key in known.known.cities else j


def _listed_city(page: Page, j: int, known: Names, *, sure: bool) -> int:
    """The end of a listed city that starts at word ``j``; ``j`` if there is none."""
    end = read_place(page, j, known)
    if end == j or " ".join(t.key for t in page.tokens[j:end]) not in known.known.cities:
        return j
    return end if sure or end - j > 1 or placed(page.tokens[j].key, known) else j


def _saints(page: Page, known: Names) -> Iterator[Hit]:
    """``St. Mary's``, which is a hospital unless more tells otherwise."""
    for start, i in page.after(_SAINT):
        if page.tokens[i].key not in known.lexicon.saints:
            continue
        following = page.tokens[i + 1].key if i + 1 < len(page.tokens) and page.joined(i) else ""
        if following not in _SAINT_OTHER and not known.lexicon.is_eponym(page, i):
            yield Hit(start, page.tokens[i].end, "HOSPITAL", CUE)
