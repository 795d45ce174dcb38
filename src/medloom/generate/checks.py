"""What a generated query must pass. A draft that fails is dropped with the name of the check."""

import re
import unicodedata
from array import array
from dataclasses import replace
from functools import cached_property
from typing import Any

from medloom.deid.spans import Detector
from medloom.generate.config import GenerateConfig
from medloom.generate.drafts import Draft
from medloom.generate.lexicon import stem
from medloom.generate.parse import is_refusal
from medloom.generate.phrases import content_words
from medloom.text import characters_key, text_key
from medloom.text.sentences import sentences

MIN_PASSAGE_WORDS = 4
_COPIED_WORDS = 5
_LATIN_AND_GREEK = 0x3FF
_ANSWERED_SHARE, _ANSWERED_WORDS = 0.75, 3
_SEED = 42
_BANDS = ((0.8, 252, 36), (0.7, 250, 50), (0.6, 252, 63))
_ESTIMATE_ERROR = 0.15

_SAME = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛`´ʼ′", "'"),
        **dict.fromkeys("“”„‟«»″", '"'),
        **dict.fromkeys("‐‑‒–—―−﹘﹣-", "-"),
        "…": "...",
        "‹": "<",
    }
)
_NAME_PART = re.compile(r"\b[A-Z]\w{2,}")
_GARBLED = re.compile(r'[{}]|":\s*"|</?\w+>|\\[nt"]|�')

_KIND_OF_TEXT = r"(?:notes?|passages?|texts?|excerpts?|documents?|snippets?|extracts?|paragraphs?|transcripts?)"
_KIND_OF_RECORD = (
    r"(?:records?|reports?|charts?|summar(?:y|ies)|information|details|description|data|context|history|case|scenario|"
    r"statements?|content)"
)
_ADJECTIVE = (
    r"(?:clinical |medical |given |provided |above |following |patient['’]s |doctor['’]s |physician['’]s |progress |"
    r"discharge |operative |consult(?:ation)? |short |source |original |attached |same )"
)
_TOLD = (
    r"(?:described|mentioned|stated|noted|listed|documented|provided|given|presented|outlined|discussed|shown|reported|"
    r"recorded|cited|referenced|indicated|specified)"
)
_WHO = r"(?:patient|case|person|procedure|individual|man|woman|child|condition|treatment|lesion|findings?)"
_MENTIONS = re.compile(
    "|".join(
        (
            rf"\b(?:the|this|these|those|your|above|given|provided|following) {_ADJECTIVE}{{0,3}}{_KIND_OF_TEXT}\b"
            r"(?! (?:of|through|way|messag\w*|neck)\b)",
            r"\b(?:the|this) patient note\b",
            rf"\b(?:according to|based (?:up)?on|as per|per|in light of|from|in) (?:the|this|these) {_ADJECTIVE}{{0,3}}"
            rf"(?:above|provided|given|{_KIND_OF_RECORD} (?:above|provided|given|below))\b(?![- ](?:knee|elbow|\d))",
            rf"\b(?:according to|based (?:up)?on|as per) (?:the |this |these )?{_ADJECTIVE}{{0,3}}"
            r"(?:records?|reports?|charts?|summary|information|details|description|context|scenario|case|statements?|content)\b",
            rf"\b{_TOLD} (?:above|below|here|earlier|in (?:the|this|that|these|your)\b(?! (?:literature|guidelines?)))",
            r"\b(?:described|mentioned|stated|provided)\W*$",
            rf"\b{_WHO} (?:described|mentioned|in question|above)\b",
            r"\bin this (?:particular )?(?:case|scenario|vignette|example|instance|context|report|summary|study)\b",
            r"\bthis (?:particular |specific )?(?:patient|individual|person|man|woman|child|gentleman|lady)\b",
            r"\b(?:afore|above[- ])mentioned\b",
        )
    ),
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?:(?:in|at|for|to|by|on|with|from|under|after|before|about|during|of|and) )?"
    r"(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|can|could|should|would|will|has|have|had|"
    r"may|might|must|am|isn['’]t|aren['’]t|doesn['’]t|don['’]t|didn['’]t|can['’]t|shouldn['’]t|won['’]t)\b",
    re.IGNORECASE,
)


def mentions_note(query: str) -> bool:
    """Whether a query points at a text that who asks has not seen: "according to the note", "the patient described"."""
    return _MENTIONS.search(query) is not None


def reads_as_question(query: str) -> bool:
    """Whether a query ends in a question mark or begins as questions do."""
    return query.rstrip(" \"'”’)").endswith("?") or _ASKS.match(query) is not None


class Folded:
    """A text in which passages are found whatever their white space, case, and form of quotes and dashes.

    Args:
        text: The text; folded once, in linear time.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._folded, self._places = _fold(text)

    def find(self, passage: str) -> tuple[int, int] | None:
        """Where a passage stands, in whole words: first character and one past the last in the text; None if nowhere."""
        wanted = _fold(passage)[0].strip()
        at = self._folded.find(wanted) if wanted else -1
        while at >= 0:
            end = at + len(wanted)
            if _is_edge(self._folded, at) and _is_edge(self._folded, end):
                return self._places[at], self._places[end - 1] + 1
            at = self._folded.find(wanted, at + 1)
        return None

    @cached_property
    def sentence_words(self) -> list[frozenset[str]]:
        """The stems of the content words of each sentence."""
        return [stems(sentence) for sentence in sentences(self._text)]


class Checker:
    """Checks drafts one at a time.

    Args:
        config: Kinds that were asked for, and what is demanded.
        detector: Finds identifiers; None leaves that check out.
        counts: Increased by what was mended rather than dropped (``negative_in_note``, ``negative_identifiers``,
            ``negative_length``), in place.
    """

    def __init__(self, config: GenerateConfig, detector: Detector | None, counts: dict[str, int] | None = None) -> None:
        self._config, self._checks = config, config.checks
        self._detector = detector if config.checks.identifiers else None
        self._counts: dict[str, int] = {} if counts is None else counts
        self._shown: tuple[str, Folded] = ("", Folded(""))
        self._named: tuple[str, frozenset[str]] = ("", frozenset())

    def check(self, draft: Draft, shown: str) -> Draft | str:
        """The draft with its evidence as it stands in the text, or the name of the check that drops it.

        Args:
            draft: A query and what it claims.
            shown: The document's text (:func:`medloom.generate.drafts.shown_text`); drafts of one document in a row are
                fastest, for it is prepared once.
        """
        if reason := self._form(draft, shown):
            return reason
        if shown != self._shown[0]:
            self._shown = shown, Folded(shown)
        folded = self._shown[1]
        place = folded.find(draft.evidence)
        if place is None:
            return "not_verbatim"
        draft = replace(draft, evidence=shown[place[0] : place[1]])
        reason = self._lengths(draft) or self._words(draft) or self._answered(draft, folded)
        return reason or self._identified(draft, folded)

    def _form(self, draft: Draft, shown: str) -> str | None:
        if not self._config.kinds.get(draft.kind) or not draft.query.strip() or not draft.evidence.strip():
            return "schema"
        if not 0 <= draft.relevance <= 1:
            return "schema"
        if is_refusal(draft.query):
            return "refusal"
        if _GARBLED.search(draft.query) or any(_is_strange(c) and c not in shown for c in set(draft.query)):
            return "garbled"
        low = draft.kind != "absent" and draft.relevance < self._checks.min_relevance
        return "low_relevance" if low else None

    def _lengths(self, draft: Draft) -> str | None:
        passage, query = len(draft.evidence.split()), len(draft.query.split())
        if passage < MIN_PASSAGE_WORDS:
            return "passage_too_short"
        if passage > self._checks.max_passage_words:
            return "passage_too_long"
        if query < self._checks.min_words or not any(c.isalpha() for c in draft.query):
            return "too_short"
        return "too_long" if query > self._checks.max_words else None

    def _words(self, draft: Draft) -> str | None:
        if mentions_note(draft.query):
            return "mentions_note"
        if draft.kind == "keyword" and "?" in draft.query:
            return "not_keywords"
        if draft.kind in ("question", "absent") and not reads_as_question(draft.query):
            return "not_question"
        key = text_key(draft.query)
        if len(key.split()) >= _COPIED_WORDS and any(
            text_key(s) == key for s in [draft.evidence, *sentences(draft.evidence)]
        ):
            return "copied"
        return None

    def _answered(self, draft: Draft, folded: Folded) -> str | None:
        """Whether one sentence has nearly all content words of a question whose answer should not be there."""
        if draft.kind != "absent":
            return None
        asked = stems(draft.query)
        if len(asked) < _ANSWERED_WORDS:
            return None
        found = max((len(asked & words) for words in folded.sentence_words), default=0)
        return "answered_after_all" if found >= _ANSWERED_SHARE * len(asked) else None

    def _identified(self, draft: Draft, folded: Folded) -> Draft | str:
        """Look for identifiers; a bad negative goes alone."""
        query, negative = self._identifiers(draft)
        if query:
            return "identifiers"
        if not draft.negative:
            return draft
        words = len(draft.negative.split())
        if negative:
            reason = "negative_identifiers"
        elif not MIN_PASSAGE_WORDS <= words <= self._checks.max_passage_words:
            reason = "negative_length"
        elif folded.find(draft.negative) or Folded(draft.negative).find(draft.evidence):
            reason = "negative_in_note"
        else:
            return draft
        self._counts[reason] = self._counts.get(reason, 0) + 1
        return replace(draft, negative="")

    def _identifiers(self, draft: Draft) -> tuple[bool, bool]:
        """Whether the query, and the negative, hold an identifier, or a part of a name that is one in the document."""
        if self._detector is None:
            return False, False
        shown = self._shown[0]
        if self._named[0] != shown:
            spans = next(iter(self._detector.find_many([[shown]])))[0]
            found = (shown[span.start : span.end] for span in spans if span.kind == "NAME")
            self._named = shown, frozenset(part for name in found for part in _NAME_PART.findall(name))
        names = self._named[1]
        query, negative = next(iter(self._detector.find_many([[draft.query, draft.negative]])))
        return (
            bool(query) or not names.isdisjoint(_NAME_PART.findall(draft.query)),
            bool(negative) or not names.isdisjoint(_NAME_PART.findall(draft.negative)),
        )


class Duplicates:
    """Queries seen so far, for dropping those that are nearly the same: the first one stays.

    MinHash over character 4-grams proposes a pair at the threshold with a chance of at least 0.999 and sorts out most others
    by its estimate; the rest is counted exactly. A query takes about five kilobytes.

    Args:
        threshold: Jaccard overlap of character 4-grams, at least 0.6, from which two queries are one; above 1: off.
    """

    def __init__(self, threshold: float) -> None:
        from rensa import RMinHashLSH

        self._threshold = threshold
        self._seen: set[str] = set()
        self._kept: list[tuple[str, Any]] = []
        self._width, bands = next((width, bands) for lowest, width, bands in _BANDS if threshold >= lowest)
        self._lsh: Any = RMinHashLSH(threshold=min(1.0, threshold), num_perm=self._width, num_bands=bands)

    def is_new(self, query: str) -> bool:
        """Whether no query before was nearly the same; it is remembered if so."""
        if self._threshold > 1:
            return True
        key = text_key(query)
        if key in self._seen:
            return False
        grams = characters_key(key)
        sketch = self._sketch(grams)
        for other, its_sketch in (self._kept[number] for number in self._lsh.query(sketch)):
            if sketch.jaccard(its_sketch) < self._threshold - _ESTIMATE_ERROR:
                continue
            its_grams = characters_key(other)
            if len(grams & its_grams) >= self._threshold * len(grams | its_grams):
                return False
        self._lsh.insert(len(self._kept), sketch)
        self._kept.append((key, sketch))
        self._seen.add(key)
        return True

    def _sketch(self, grams: set[str]) -> Any:  # noqa: ANN401
        from rensa import RMinHash

        sketch = RMinHash(num_perm=self._width, seed=_SEED)
        sketch.update(sorted(grams))
        return sketch


def _fold(text: str) -> "tuple[str, array[int]]":
    """The folded text, and for each of its characters the place of the one it came from."""
    folded: list[str] = []
    places = array("q")
    blank = True
    for place, character in enumerate(text):
        if character.isspace():
            if not blank:
                folded.append(" ")
                places.append(place)
            blank = True
            continue
        if unicodedata.category(character) in ("Cc", "Cf"):
            continue
        same = character.translate(_SAME).casefold()
        folded.append(same)
        places.extend([place] * len(same))
        blank = False
    return "".join(folded), places


def _is_edge(text: str, at: int) -> bool:
    """Whether no word goes on across a place."""
    return at <= 0 or at >= len(text) or not (text[at - 1].isalnum() and text[at].isalnum())


def _is_strange(character: str) -> bool:
    """Whether it is a letter of neither the Latin nor the Greek alphabet."""
    return ord(character) > _LATIN_AND_GREEK and character.isalpha()


def stems(text: str) -> frozenset[str]:
    """The stems of the content words of a text."""
    return frozenset(stem(word) for word in content_words(text))
