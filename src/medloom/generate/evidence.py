"""Passages worth asking about: informative, whole sentences, spread over a document."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

from medloom.generate.drafts import Passage
from medloom.generate.phrases import PhraseStats, content_words, is_medical
from medloom.text.notes import Part, canonical, section_spans
from medloom.text.sentences import sentence_spans

TREATMENT = ("plan", "medications", "procedure", "hospital course", "follow-up", "discharge instructions")
"""Headings to prefer for queries about treatment."""

_SHORTEST, _LONGEST = 15, 80
_MOST_UNITS = 3
_MOST_HEADED = 6
_PREFERRED = 4.0
_MEDICAL, _OTHER = 1.0, 0.35
_SAME_SECTION = 0.7
_SAME_ZONE = 0.6
_OVERLAP = 0.4
_BOILERPLATE = re.compile(
    r"\b(?:patient was (?:seen and examined|placed (?:in|on)|brought to|taken to the (?:operating|recovery)|awakened)|"
    r"prepped and draped|tolerated the procedure|informed consent|risks(?:,| and) benefits|"
    r"sterile (?:fashion|technique|manner)|alert and oriented|no acute distress|regular rate and rhythm|"
    r"well[- ]developed|within normal limits|normocephalic|denies any|clear to auscultation|"
    r"soft,? (?:and )?non-?tender|unremarkable|non-?contributory|vital signs|sponge|needle counts?|all questions|dictated|"
    r"thank you for|pleasure|verbal consent|time spent|electronically)\b",
    re.IGNORECASE,
)
_HANDIWORK = re.compile(
    r"\b(?:incisions?|incised|sutur\w+|vicryl|monocryl|prolene|grasped|irrigat\w+|clamp\w*|retractors?|bovie|cautery|"
    r"electrocautery|hemostasis|trocars?|scissors|scalpel|blade|forceps|dissect\w*|transected|ligated|tourniquet|steri-strips|"
    r"curett?ed|elevator|gauge|fluoroscop\w*)\b",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(r"(?:he |she |patient |pt |the patient )?(?:denies|negative for|no |none\b|not )", re.IGNORECASE)
_OF_SECTION = {
    "review of systems": 0.3,
    "vital signs": 0.3,
    "allergies": 0.6,
    "social history": 0.6,
    "family history": 0.7,
    "physical examination": 0.7,
    "assessment": 1.2,
    "diagnosis": 1.1,
    "imaging": 1.1,
    "results": 1.1,
    "conclusions": 1.2,
}


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence, or a short section with its heading."""

    start: int
    end: int
    words: int
    weight: float
    content: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Window:
    """Units in a row that may become a passage."""

    start: int
    end: int
    score: float
    section: int
    heading: str
    content: frozenset[str]


def choose(text: str, count: int, stats: PhraseStats, prefer: Collection[str] = ()) -> list[Passage]:
    """Informative passages of a document, best first.

    A passage is one to three whole sentences of one section, of 15 to 80 words where the text has them, or several short
    sections with their headings. It is scored by the sum of idf of its distinct content words (words of medicine count
    more) over its words; formulas ("the patient was seen and examined"), steps of an operation, vital signs and lists of
    what is denied score low. Passages that come from the section or the part of the document of one chosen before, or
    share its words, are put back, as in maximal marginal relevance (Carbonell and Goldstein 1998). The same text gives
    the same passages.

    Args:
        text: The document's text, as :func:`medloom.generate.drafts.shown_text` gives it.
        count: How many at most; fewer come back from a short text. None overlaps another.
        stats: Of the corpus.
        prefer: Common names of headings (:func:`medloom.text.notes.canonical`) to prefer.
    """
    left = list(_windows(text, stats, prefer))
    if not left and text.strip():
        left = list(_short(text))
    zone = max(1, len(text) // max(count, 1))
    chosen: list[_Window] = []
    while left and len(chosen) < count:
        best = max(left, key=lambda window: (window.score, -window.start, window.start - window.end))
        chosen.append(best)
        left = [_after(window, best, zone) for window in left if window.end <= best.start or window.start >= best.end]
        left = [window for window in left if window.score > 0]
    return [Passage(text[w.start : w.end], w.start, w.end, w.heading) for w in chosen]


def _after(window: _Window, chosen: _Window, zone: int) -> _Window:
    """A candidate, put back by what it has in common with a chosen passage."""
    score = window.score
    if window.section == chosen.section:
        score *= _SAME_SECTION
    if window.start // zone == chosen.start // zone:
        score *= _SAME_ZONE
    shared = len(window.content & chosen.content)
    if shared > _OVERLAP * min(len(window.content), len(chosen.content)):
        score = 0.0 if shared == len(window.content) else score * 0.3
    return _Window(window.start, window.end, score, window.section, window.heading, window.content)


def _short(text: str) -> Iterator[_Window]:
    """The whole of a text without content words, cut to its first sentences."""
    spans = sentence_spans(text)
    end = spans[0][1]
    for _, stop in islice(spans, 1, _MOST_UNITS):
        if len(text[spans[0][0] : stop].split()) <= _LONGEST:
            end = stop
    yield _Window(spans[0][0], end, 1.0, 0, "", frozenset())


def _windows(text: str, stats: PhraseStats, prefer: Collection[str]) -> Iterator[_Window]:
    """Every run of units that has about the right length."""
    for number, (parts, units) in enumerate(_groups(text, stats)):
        common = canonical(parts[0].heading) if parts[0].heading else ""
        factor = _OF_SECTION.get(common, 1.0)
        if any(canonical(part.heading) in prefer for part in parts if part.heading):
            factor = max(factor, 1.0) * _PREFERRED
        most = _MOST_UNITS if len(parts) == 1 else _MOST_HEADED
        for first in range(len(units)):
            words, weight, content = 0, 0.0, frozenset[str]()
            for unit in units[first : first + most]:
                words += unit.words
                if words > _LONGEST and unit is not units[first]:
                    break
                weight += unit.weight * (1 - len(unit.content & content) / max(1, len(unit.content)))
                content |= unit.content
                if score := _score(weight, words) * factor:
                    yield _Window(units[first].start, unit.end, score, number, parts[0].heading, content)


def _score(weight: float, words: int) -> float:
    """Weight per word, with a floor on the length and a slow gain from it."""
    if words < 5:
        return 0.0
    short = min(1.0, words / _SHORTEST) ** 2
    return float(weight / max(words, _SHORTEST) ** 0.65 * short * min(1.0, _LONGEST / words) ** 2)


def _groups(text: str, stats: PhraseStats) -> Iterator[tuple[list[Part], list[_Unit]]]:
    """The sections with their sentences; short sections in a row as one group, each a unit under its heading."""
    together: list[Part] = []
    for part in section_spans(text):
        if part.heading and len(text[part.start : part.end].split()) < _SHORTEST:
            together.append(part)
            continue
        if together:
            yield together, [_unit(text, p.head, p.end, stats) for p in together]
            together = []
        spans = sentence_spans(text[part.start : part.end])
        yield [part], [_unit(text, part.start + start, part.start + end, stats) for start, end in spans]
    if together:
        yield together, [_unit(text, p.head, p.end, stats) for p in together]


def _unit(text: str, start: int, end: int, stats: PhraseStats) -> _Unit:
    """A sentence, weighed."""
    end = start + len(text[start:end].rstrip(" ,"))
    body = text[start:end]
    words = body.split()
    content = frozenset(content_words(body))
    weight = sum(stats.idf([word]) * (_MEDICAL if is_medical(word) else _OTHER) for word in sorted(content))
    numbers = sum(any(c.isdigit() for c in word) for word in words)
    if _BOILERPLATE.search(body):
        weight *= 0.25
    if len(_HANDIWORK.findall(body)) > 1:
        weight *= 0.6
    if _NEGATIVE.match(body):
        weight *= 0.4
    if numbers > 0.35 * len(words):
        weight *= 0.3
    return _Unit(start, end, len(words), weight, content)
