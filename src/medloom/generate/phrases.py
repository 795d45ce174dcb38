"""Key phrases of a passage, and how rare they are over the corpus."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import log
from typing import Self

import numpy as np
import numpy.typing as npt

from medloom.generate.lexicon import lexicon, stem
from medloom.generate.stopwords import BREAKERS, FILLERS, NOT_FIRST, NOT_LAST, NOUNS_IN_ING, NOUNS_LIKE_ADJECTIVES
from medloom.identity import text_hash
from medloom.text.notes import canonical
from medloom.text.wordlist import word_set

_TOKEN = re.compile(r"[^\W_]+(?:['’/-][^\W_]+)*|[^\w\s]")
_NUMBER = re.compile(
    r"[\d./x'-]+(?:st|nd|rd|th|mg|mcg|g|kg|ml|cc|l|cm|mm|m|fr|f|gauge|units?|inch|day|week|month|year|old|[a-z])?"
)
_MEDICAL = re.compile(
    r"(?:itis|osis|oses|oma|omas|omata|emia|aemia|uria|algia|pathy|pathies|ectomy|otomy|ostomy|plasty|scopy|graphy|gram|grams|"
    r"megaly|penia|plegia|paresis|rrhea|rrhoea|rrhage|sclerosis|stenosis|dynia|phagia|phasia|pnea|pnoea|tension|cardia|oedema|"
    r"edema|ectasia|lysis|trophy|plasia|cele|cillin|mycin|micin|oxacin|azole|olol|pril|sartan|statin|idine|amide|azepam|"
    r"azine|prazole|mab|nib|vir|caine|profen|parin|setron|tidine|gliptin|glifozin|formin|olone|isone|ectomies|"
    r"fracture|fractures|cancer|syndrome|disease|infection|tumou?r|lesion|biopsy|surgery|pain|failure|ulcer|hernia|abscess|"
    r"seizures?|infarct(?:ion)?|embol(?:ism|us)|thromb(?:osis|us)|aneurysm|arthritis|therapy|injury|catheter|graft|deficiency)$"
)
_ADJECTIVE = re.compile(r"(?:al|ic|ous|ive|ary|able|ible|ular|ish|less|ful|iac|ory|eal|ile|ized|like)$")
_WITH_NUMBER = re.compile(
    r"\d.*/.*|.*/\d.*|\d+[a-z]{1,4}|\d+(?:-\d+)?-(?:[a-z]{1,4}|year|month|week|hour|minute|french|gauge|pound)s?(?:-.*)?"
)
_SIZES = frozenset({"small", "large", "huge", "tiny"})
_SIZED = frozenset({"bowel", "intestine", "intestinal", "cell", "vessel", "fiber", "fibre", "airway", "airways"})
_EMPTY = FILLERS | BREAKERS
_ROMAN = re.compile(r"[ivx]+")
_WIDTH = 1 << 21
_MASK = (1 << 64) - 1
_MIX = 0x9E3779B97F4A7C15
_LONGEST = 4
_TITLES = word_set(
    """
    dr drs mr mrs ms miss prof professor doctor nurse
    """
)
_KNOWN, _UNKNOWN = 1.3, 0.7
_ADDED_WORDS = (0.0, 1.0, 1.5, 1.75, 1.85)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A key phrase.

    Attributes:
        text: As it stands in the passage, white space made single.
        start: First character in the passage, counted from 0.
        end: One past the last character.
        score: What it was ranked by.
    """

    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Token:
    """A word or mark: text, folded text, and place."""

    text: str
    folded: str
    start: int
    end: int


class PhraseStats:
    """In how many documents a word, or a run of up to four words, occurs.

    Words are stemmed by Snowball. Counts are kept in a count-min sketch (Cormode and Muthukrishnan 2005) of two rows: 16
    MiB whatever the corpus holds, the same for any order of the documents, never too low, and on average too high by the
    number of distinct runs (summed over documents) divided by two million. Without any document every word is as rare as
    any other.
    """

    def __init__(self) -> None:
        self.documents = 0
        self._rows: npt.NDArray[np.uint32] = np.zeros((2, _WIDTH), dtype=np.uint32)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """The statistics of a stream of documents, none of them held."""
        stats = cls()
        for text in texts:
            stats.add(text)
        return stats

    def add(self, text: str) -> None:
        """Count one document."""
        self.documents += 1
        hashes = np.array([_word_hash(token.folded) for token in tokens(text) if token.folded[0].isalnum()], dtype=np.uint64)
        runs = [hashes]
        for length in range(2, _LONGEST + 1):
            if len(hashes) < length:
                break
            with np.errstate(over="ignore"):
                runs.append(runs[-1][:-1] * np.uint64(_MIX) + hashes[length - 1 :])
        distinct = np.unique(np.concatenate(runs))
        for row, places in zip(self._rows, _places_of(distinct), strict=True):
            np.add.at(row, places, np.uint32(1))

    def frequency(self, words: Iterable[str]) -> int:
        """In how many documents a run of one to four words occurs, or a few more."""
        key = 0
        for word in words:
            key = (key * _MIX + _word_hash(word.casefold())) & _MASK
        return min(int(row[place]) for row, place in zip(self._rows, _places(key), strict=True))

    def idf(self, words: Iterable[str]) -> float:
        """Inverse document frequency of a run of words, as in BM25: ln(1 + (N - n + 0.5) / (n + 0.5)), at least 0.1."""
        found = min(self.frequency(words), self.documents)
        return max(0.1, log(1 + (self.documents - found + 0.5) / (found + 0.5)))

    def phrases(self, passage: str, n: int) -> list[str]:
        """The key phrases of a passage, best first, as they stand in it; see :func:`ranked`."""
        return [phrase.text for phrase in ranked(passage, self, n)]


def ranked(passage: str, stats: PhraseStats, n: int) -> list[Phrase]:
    """The best key phrases of a passage, none overlapping another or saying the same.

    Candidates are runs of up to four words between stop words, verbs and punctuation, as in RAKE (Rose et al. 2010); they
    are ranked by the mean idf of their words, longer ones and fixed expressions before others, where a word known to
    medicine (by its ending, as the name of a drug, or from a name of HPO) counts for more. Numbers, doses and pronouns are
    no phrases.

    Args:
        passage: Any text.
        stats: Of the corpus.
        n: How many at most.
    """
    best: dict[tuple[str, ...], Phrase] = {}
    for run in _runs(passage):
        for phrase in _candidates(passage, run, stats):
            key = tuple(sorted(stem(word.casefold()) for word in phrase.text.split()))
            if key not in best or phrase.score > best[key].score:
                best[key] = phrase
    chosen: list[Phrase] = []
    seen: set[str] = set()
    for phrase in sorted(best.values(), key=lambda p: (-p.score, p.start, p.end)):
        if len(chosen) >= n:
            break
        stems = {stem(word.casefold()) for word in phrase.text.split()}
        if 2 * len(stems & seen) >= len(stems) or any(p.start < phrase.end and phrase.start < p.end for p in chosen):
            continue
        seen |= stems
        chosen.append(phrase)
    return chosen


def tokens(text: str) -> Iterator[Token]:
    """Words (with inner hyphens, slashes and apostrophes) and single marks of a text, in order."""
    for found in _TOKEN.finditer(text):
        yield Token(found[0], found[0].casefold(), found.start(), found.end())


def content_words(text: str) -> list[str]:
    """The folded words of a text that carry meaning: no stop words, verbs of reporting, fillers, or numbers."""
    return [token.folded for token in tokens(text) if is_content(token.folded)]


def is_content(folded: str) -> bool:
    """Whether a folded word may stand in a key phrase."""
    return (
        len(folded) > 1
        and folded[0].isalnum()
        and folded not in _EMPTY
        and not _NUMBER.fullmatch(folded)
        and not _WITH_NUMBER.fullmatch(folded)
        and not folded.endswith("n't")
        and not folded.endswith(("'s", "’s"))
    )


def is_medical(word: str) -> bool:
    """Whether a word ends as terms of medicine do, names a drug, or stands in a name of HPO."""
    return _is_medical(word.casefold())


@lru_cache(maxsize=100_000)
def _is_medical(folded: str) -> bool:
    if len(folded) < 4:
        return False
    return _MEDICAL.search(folded) is not None or folded in lexicon().drugs or stem(folded) in lexicon().words


def _runs(passage: str) -> Iterator[list[Token]]:
    """Longest stretches of words that may stand in a phrase."""
    run: list[Token] = []
    name_follows = False
    before = ""
    for token in tokens(passage):
        ok = _may_be_inside(token) and not (name_follows and token.text[0].isupper())
        ok = ok and not (before == "to" and token.text.islower() and not is_medical(token.folded))
        before = token.folded
        name_follows = token.folded in _TITLES or (name_follows and (token.text == "." or not ok))
        if run and (not ok or _is_verb_like(token.folded) or not _adjoin(passage, run[-1], token)):
            yield from _unless_label(run, passage)
            run = []
        if ok:
            run.append(token)
    if run:
        yield from _unless_label(run, passage)


def _may_be_inside(token: Token) -> bool:
    """A content word, or the genitive of a name: Crohn's."""
    if token.folded.endswith(("'s", "’s")):
        return token.text[0].isupper() and not token.text.isupper() and token.folded[:-2] not in _EMPTY
    return is_content(token.folded)


def _is_verb_like(folded: str) -> bool:
    """Whether a word inside a run rather is a verb: "incision closed", "stents constricting"."""
    if folded.endswith("ed"):
        return not folded.endswith("eed") and "-" not in folded
    return folded.endswith("ing") and folded not in NOUNS_IN_ING and len(folded) > 4


def _adjoin(passage: str, one: Token, other: Token) -> bool:
    """Whether nothing but a blank or one line end is between two words."""
    gap = passage[one.end : other.start]
    return not gap.strip() and gap.count("\n") < 2


def _unless_label(run: list[Token], passage: str) -> Iterator[list[Token]]:
    """The run, unless it is a heading in capitals or a known one with a colon."""
    label = passage[run[0].start : run[-1].end]
    if passage[run[-1].end : run[-1].end + 1] != ":" or not (label.isupper() or canonical(label) != "other"):
        yield run


def _candidates(passage: str, run: list[Token], stats: PhraseStats) -> Iterator[Phrase]:
    """Parts of a run, scored."""
    run = run[: 3 * _LONGEST]
    idf = [stats.idf([token.folded]) for token in run]
    boost = [_KNOWN if is_medical(token.folded) else _UNKNOWN if token.text.islower() else 1.0 for token in run]
    for first in range(len(run)):
        for last in range(first, min(len(run), first + _LONGEST)):
            part = run[first : last + 1]
            if not _may_stand(part):
                continue
            size = last - first + 1
            mean = sum(i * b for i, b in zip(idf[first : last + 1], boost[first : last + 1], strict=True)) / size
            whole = stats.idf([token.folded for token in part]) if size > 1 and stats.documents > 1 else mean
            cohesion = 1.0 if size == 1 else min(1.0, mean / whole) if whole > 0 else 1.0
            score = mean * _ADDED_WORDS[size] * (0.75 + 0.25 * cohesion)
            text = " ".join(passage[part[0].start : part[-1].end].split())
            yield Phrase(text, part[0].start, part[-1].end, score)


def _may_stand(part: list[Token]) -> bool:
    """Whether a part of a run reads as a phrase."""
    first, last = part[0].folded, part[-1].folded
    if first in _SIZES and (len(part) == 1 or part[1].folded not in _SIZED):
        return False
    if first in NOT_FIRST or _is_adjective(last) or last.endswith(("'s", "’s", "ed")):
        return False
    if first.endswith("ing") and first not in NOUNS_IN_ING and len(first) > 4:
        return False
    if first.endswith("ly") and len(first) > 5:
        return False
    if len(part) > 1 or len(first) > 3:
        return not _ROMAN.fullmatch(first)
    return part[0].text.isupper() and not _ROMAN.fullmatch(first)


@lru_cache(maxsize=100_000)
def _is_adjective(folded: str) -> bool:
    """Whether a word ends no phrase: an adjective or adverb, by list or by ending."""
    if folded in NOT_LAST:
        return True
    if folded.endswith("ly") and len(folded) > 4:
        return True
    return len(folded) > 4 and (
        _ADJECTIVE.search(folded) is not None and folded not in NOUNS_LIKE_ADJECTIVES and folded not in lexicon().drugs
    )


@lru_cache(maxsize=200_000)
def _word_hash(folded: str) -> int:
    return int.from_bytes(text_hash(stem(folded), 8), "little")


def _places(key: int) -> tuple[int, int]:
    """Where a run is counted in each row."""
    mixed = (key ^ (key >> 31)) * _MIX & _MASK
    return mixed >> 43, (mixed >> 20) & (_WIDTH - 1)


def _places_of(keys: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The same for an array."""
    with np.errstate(over="ignore"):
        mixed = (keys ^ (keys >> np.uint64(31))) * np.uint64(_MIX)
    low = (mixed >> np.uint64(20)) & np.uint64(_WIDTH - 1)
    return (mixed >> np.uint64(43)).astype(np.int64), low.astype(np.int64)
