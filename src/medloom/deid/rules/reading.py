"""Reading a person's name from a place in a page, forwards after a cue and backwards before one."""

from dataclasses import dataclass

from medloom.deid.gazetteers import Gazetteer
from medloom.deid.medical import MONTHS, WEEKDAYS, Lexicon
from medloom.deid.page import Page, Word
from medloom.text.wordlist import word_set

CREDENTIALS = word_set(
    "md m.d do rn r.n np pa pa-c pac lpn lvn cna crna phd ph.d dds dmd dpm dvm od pharmd rph pt dpt ot otr rd lcsw msw "
    "lmsw mbbs mbchb facs facp facc frcs frcp mrcp aprn dnp cnm cns arnp fnp fnp-c fnp-bc ma emt rt rrt msn bsn psyd "
    "lmft lpc cpnp acnp ms3 ms4 pgy esq mph mba msc bsc ccc-slp slp rdn do jd"
)
PARTICLES = word_set(
    "van von der den de del della di da la le el al bin ibn ben ter ten dos das du y e st bint abu af av zu zur"
)
SUFFIXES = word_set("jr sr ii iii iv")
_NEVER = CREDENTIALS | word_set(
    "the a an is was are were be has had have and or of in on at to from by for with as per his her their our your my "
    "he she they we it this that these those not no none name names mrn mr# dob dos age sex gender room bed unit ssn "
    "phone fax date time patient pt pts md rn np address account acct visit encounter department dept provider "
    "attending physician doctor nurse service clinic hospital medical record number id insurance admit admission "
    "discharge admitted discharged seen signed dictated electronically transcribed cc re subject diagnosis history "
    "physical chief complaint present illness past social family review systems exam examination assessment plan "
    "impression findings procedure medications allergies vitals labs follow up report summary note progress consult "
    "consultation operative preoperative postoperative indication indications technique comparison clinical tolerated "
    "tolerating stable male female m f yo year years old mr mrs ms miss dr prof sir madam spouse relationship status "
    "ordering referring primary care who whom which when where what how why if then than but so because also will_ can "
    "could should would may_ might must do does did yes unknown n/a na self inc llc ltd plc company group team office "
    "home cell work email"
)
_AFTER_NAME = word_set(
    "will would may also then now who whose about regarding after before during since until while when where because "
    "again today yesterday tomorrow here there over under into via last this next each every all both very currently "
    "recently previously still only just later soon tonight likes needs makes takes gets goes comes sees says does did "
    "made took got saw met kept let began started stopped tried decided suffered sustained developed received had "
    "stated explained requested performed removed placed ordered recommended advised discussed reviewed examined "
    "evaluated saw seen called paged notified signed dictated suggested believes feels thinks hopes plans wishes "
    "appeared seems looked remained stayed became gave brought passed died followed"
)
TITLES = word_set("dr drs mr mrs ms miss mx prof professor doctor rev sgt nurse capt lt col hon")
_SHORT_NAMES = word_set("an do no in on so my he her who to")
_GAPS = frozenset((" ", "  ", ". ", ".", "-", " - "))
_MOST_WORDS = 7


@dataclass(frozen=True)
class Names:
    """What is needed to tell a name from another word.

    Attributes:
        lexicon: The medical guard.
        known: Names of people and places; may be empty.
    """

    lexicon: Lexicon
    known: Gazetteer

    def unexplained(self, key: str) -> bool:
        """Whether nothing but a name explains a word (each part of it, if it is hyphenated)."""
        if self.lexicon.explains(key):
            return False
        parts = key.split("-")
        return len(parts) == 1 or not all(len(p) < 2 or self.lexicon.explains(p) for p in parts)

    def is_first(self, key: str) -> bool:
        """Whether a word is a first name and no word of the language."""
        if key in self.known.first:
            return key not in self.lexicon.ordinary
        return "-" in key and all(part in self.known.first for part in key.split("-"))

    def plausible(self, key: str) -> bool:
        """Whether a word may be a name without much support: unexplained, or a first name that is no ordinary word."""
        return self.unexplained(key) or self.is_first(key)


def can_be_name(word: Word) -> bool:
    """Whether a word has the form of a part of a name."""
    return word.shape == "I" or (word.shape in "CA" and word.key not in _NEVER and word.key not in TITLES)


def read_forward(page: Page, i: int, names: Names, free: bool) -> int:
    """Where a name that starts at word ``i`` ends.

    Args:
        page: The text.
        i: The first word.
        names: Tells names from other words.
        free: After the first word, ordinary words count as well, if the gazetteer has them as last names or there is none
            (after a title or label, "Dawn Graves" is a name).

    Returns:
        The number of the word after the name; ``i`` if there is none.
    """
    j = i
    real = 0
    while j < len(page.tokens) and j - i < _MOST_WORDS:
        word = page.tokens[j]
        if j > i and not _continues(page, j):
            break
        if _is_particle(page, j):
            j += 1
            continue
        if free and real and word.shape == "C" and word.key in _SHORT_NAMES and _ends_well(page, j):
            j += 1
            continue
        if not can_be_name(word) or (real and not _goes_on(page, j, names, free)):
            break
        if j > i and not real and word.shape != "I" and not _after_initial(word.key, names):
            break
        real += word.shape != "I"
        j += 1
    while j > i and (page.tokens[j - 1].key in PARTICLES and page.tokens[j - 1].shape == "a"):
        j -= 1
    return _with_suffix(page, j) if j > i else i


def _after_initial(key: str, names: Names) -> bool:
    """Whether a word after an initial is a last name, not the start of the next sentence."""
    return names.plausible(key) or key in names.known.last or key in names.lexicon.eponyms


def _continues(page: Page, j: int) -> bool:
    gap = page.gap(j - 1)
    if gap not in _GAPS:
        return False
    if gap in (". ", "."):
        return page.tokens[j - 1].shape == "I" or page.tokens[j - 1].key in ("st", "jr", "sr")
    return True


def _is_particle(page: Page, j: int) -> bool:
    word = page.tokens[j]
    if word.key not in PARTICLES or j + 1 >= len(page.tokens) or page.gap(j) not in _GAPS:
        return False
    if word.shape == "A" and (j == 0 or page.tokens[j - 1].shape != "A"):
        return False
    return can_be_name(page.tokens[j + 1]) or page.tokens[j + 1].key in PARTICLES


def _goes_on(page: Page, j: int, names: Names, free: bool) -> bool:
    """Whether a later word still is of the name."""
    word = page.tokens[j]
    if word.shape == "I":
        return True
    if (
        word.shape == "A"
        and page.tokens[j - 1].shape == "C"
        and not (names.known.is_name(word.key) and word.end - word.start > 3)
    ):
        return False
    if word.key in MONTHS or word.key in WEEKDAYS:
        return word.key == "may" and word.shape != "a" and (free or page.tokens[j - 1].key in names.known.first)
    if names.plausible(word.key):
        return True
    if names.lexicon.is_eponym(page, j) and not page.shouts(j):
        return False
    after_first = free or names.is_first(page.tokens[j - 1].key)
    if word.key not in names.lexicon.ordinary:
        return after_first or word.key in names.known.last
    if page.shouts(j) and not names.known.complete:
        return False
    return after_first and (word.key in names.known.last or not names.known.complete) and _ends_well(page, j)


def _ends_well(page: Page, j: int) -> bool:
    """Whether what follows word ``j`` can follow a name: the end, punctuation, a credential, a small word, a label."""
    if j + 1 >= len(page.tokens):
        return True
    following, gap = page.tokens[j + 1], page.gap(j)
    if gap != " ":
        return True
    return following.shape == "a" or following.key in _NEVER or following.key in SUFFIXES or following.shape == "A"


def _with_suffix(page: Page, j: int) -> int:
    """The end with Jr., III."""
    if (
        j < len(page.tokens)
        and page.tokens[j].key in SUFFIXES
        and page.gap(j - 1) in (" ", ", ")
        and page.tokens[j].shape != "a"
    ):
        return j + 1
    return j


def followed_as_name(page: Page, j: int, known: Names) -> bool:
    """Whether what follows a name that ends before word ``j`` lets it be one: not a thing, as in "Doyle splints"."""
    if j >= len(page.tokens) or page.gap(j - 1) != " ":
        return True
    following = page.tokens[j]
    if following.shape != "a":
        return following.shape != "A" or following.key in _NEVER
    return following.key in _NEVER or following.key in _AFTER_NAME or following.key in known.lexicon.person_verbs


def read_backward(page: Page, j: int, names: Names) -> int:
    """The first word of a name that ends before word ``j``; ``j`` if there is none.

    Ordinary words count only beside one that only a name explains.
    """
    i = j
    while i > 0 and j - i < _MOST_WORDS:
        word = page.tokens[i - 1]
        if i < j and page.gap(i - 1) not in _GAPS:
            break
        if i < j and page.gap(i - 1) in (". ", ".") and word.shape != "I" and word.key not in ("st", "jr", "sr"):
            break
        if not (can_be_name(word) or (word.key in PARTICLES and i < j) or (word.key in SUFFIXES and i == j)):
            break
        i -= 1
    while i < j and page.tokens[i].shape == "a" and page.tokens[i].key not in ("de", "van", "von", "la", "al", "el"):
        i += 1
    return i


def end_of(page: Page, j: int) -> int:
    """The character after word ``j - 1``, with the dot of an initial."""
    word = page.tokens[j - 1]
    dotted = word.shape == "I" and page.text[word.end : word.end + 1] == "."
    return word.end + 1 if dotted else _without_possessive(page, word)


def _without_possessive(page: Page, word: Word) -> int:
    return word.end - 2 if page.text[word.start : word.end].endswith(("'s", "’s")) else word.end
