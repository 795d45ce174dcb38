"""Queries without a model: from titles, headings, key phrases and the structure of sections."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from medloom.generate.config import GenerateConfig, QueryKind
from medloom.generate.drafts import Draft, Passage, shown_text
from medloom.generate.evidence import TREATMENT, choose
from medloom.generate.lexicon import plain, stems
from medloom.generate.phrases import Phrase, PhraseStats, content_words, ranked
from medloom.generate.questions import ABSENT, QUESTIONS, TREATMENT_CUES, TREATMENTS, Rule, fill, fits
from medloom.generate.sorts import Sort, is_denied, is_general, sort_of
from medloom.identity import text_hash
from medloom.records import Document
from medloom.text.normalise import one_line, text_key
from medloom.text.notes import canonical
from medloom.text.sentences import first_words, sentences

MODEL = "extractive"
"""What stands as the model of these queries."""

_PHRASES = 8
_MORE_PASSAGES = 3
_ENGLISH = re.compile(r"\b(?:the|of|and|with|for|to|is|was|were|patient|history|no)\b", re.IGNORECASE)
_ENOUGH_ENGLISH = 0.06
_OPENS = frozenset(".!?:;,\n")
_QUESTION_WORD = re.compile(r"(?:what|how|why|when|who|which|can|is|are|does|do|should)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Topic:
    """A key phrase as it would be typed, and what it is."""

    text: str
    sort: Sort


@dataclass(frozen=True, slots=True)
class _Found:
    """A passage with its phrases, best first, and the common name of its heading."""

    passage: Passage
    topics: tuple[_Topic, ...]
    section: str


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What queries of one document are made from.

    Attributes:
        text: The text that is shown.
        found: Passages, best first.
        treated: Passages about treatment, best first.
        theme: The problem that the document is about; empty if none stands out.
        draw: Gives a number for a word of ours, the same for the same seed and document.
    """

    text: str
    found: tuple[_Found, ...]
    treated: tuple[_Found, ...]
    theme: str
    draw: Callable[[str], int]


def extract(document: Document, config: GenerateConfig, stats: PhraseStats, seed: int) -> list[Draft]:
    """Queries of a document, of the kinds and in the numbers that the settings ask for, or fewer.

    The evidence stands verbatim in :func:`medloom.generate.drafts.shown_text`, in its first ``config.max_words`` words. No
    query is a sentence of its evidence. A text that is not English gets keywords only. Templates are drawn by hash of seed,
    source, id and kind.

    Args:
        document: With a text or sections; a title alone has nothing to find and gives none.
        config: Kinds, and the longest text.
        stats: Of the corpus.
        seed: Of the draws.
    """
    text = first_words(shown_text(document), config.max_words)
    kinds = {kind: count for kind, count in config.kinds.items() if count > 0}
    if not text.strip() or not kinds:
        return []
    if not _is_english(text):
        kinds = {kind: count for kind, count in kinds.items() if kind == "keyword"}

    def draw(what: str) -> int:
        return int.from_bytes(text_hash(f"{seed}\0{document.source}\0{document.id}\0{what}", 8), "big")

    sheet = _sheet(text, kinds, stats, draw)
    drafts: list[Draft] = []
    taken: set[str] = set()
    for kind, count in kinds.items():
        made = 0
        for query, passage in _writers[kind](document, sheet):
            key = text_key(query)
            if made == count:
                break
            if key in taken or not key or any(text_key(s) == key for s in sentences(passage.text)):
                continue
            taken.add(key)
            drafts.append(Draft(kind=kind, query=query, evidence=passage.text))
            made += 1
    return drafts


def _sheet(text: str, kinds: dict[QueryKind, int], stats: PhraseStats, draw: Callable[[str], int]) -> _Sheet:
    """Choose the passages and their phrases once for all kinds."""
    count = max(kinds.values(), default=0) + _MORE_PASSAGES
    found = tuple(_found(text, passage, stats) for passage in choose(text, count, stats))
    treated: tuple[_Found, ...] = ()
    if "treatment" in kinds:
        chosen = choose(text, 2 * count, stats, prefer=TREATMENT)
        about = [p for p in chosen if canonical(p.heading) in TREATMENT or TREATMENT_CUES.search(p.text)]
        treated = tuple(_found(text, passage, stats) for passage in about)
    return _Sheet(text, found, treated, _theme((*found, *treated), text), draw)


def _found(text: str, passage: Passage, stats: PhraseStats) -> _Found:
    """A passage's phrases: what is said before what is denied, the telling before the general."""
    topics = []
    for phrase in ranked(passage.text, stats, _PHRASES):
        sort = sort_of(phrase.text)
        if sort != "other" and is_denied(passage.text[: phrase.start]):
            sort = "denied" if sort == "problem" else "plain"
        topics.append(_Topic(_typed(passage, phrase), sort))
    topics.sort(key=lambda topic: (topic.sort == "denied", topic.sort == "plain", is_general(topic.text)))
    return _Found(passage, tuple(topics), canonical(passage.heading) if passage.heading else "")


def _typed(passage: Passage, phrase: Phrase) -> str:
    """A phrase as somebody would type it: no capitals but those of acronyms and names."""
    before = passage.text[: phrase.start].rstrip()
    opens = not before or before[-1] in _OPENS or before.endswith("\n")
    words = phrase.text.split()
    typed = []
    for i, word in enumerate(words):
        shouted = (
            word.isupper()
            and word.isalpha()
            and (len(word) > 5 or passage.text.isupper() or (len(words) > 2 and phrase.text.isupper()))
        )
        capitalised = word[:1].isupper() and word[1:].islower() and i == 0 and opens
        typed.append(word.lower() if shouted or capitalised else word)
    return " ".join(typed)


def _theme(found: Sequence[_Found], text: str) -> str:
    """The problem named most, and more than once, the earlier passage first."""
    folded = text.casefold()
    best, most = "", 0.0
    for place, one in enumerate(found):
        for topic in one.topics:
            count = folded.count(topic.text.casefold())
            weight = min(count, 5) * (1 + 0.2 * len(topic.text.split())) / (2 + place)
            if topic.sort == "problem" and count > 1 and weight > most and not is_general(topic.text):
                best, most = topic.text, weight
    return best


def _keywords(document: Document, sheet: _Sheet) -> Iterator[tuple[str, Passage]]:
    """Two to four key phrases of a passage, the title of the document among the last."""
    telling = sorted((*sheet.found[1:], *sheet.found[:1]), key=lambda one: not one.topics or one.topics[0].sort == "plain")
    for turn in range(2):
        for number, one in enumerate(telling):
            size = 2 + sheet.draw(f"keywords {turn} {number}") % 3
            topics = [t.text for t in one.topics][turn : turn + size]
            if len(topics) > 1 or (topics and len(topics[0].split()) > 1):
                yield _joined(topics, sheet.draw(f"joined {turn} {number}")), one.passage
        if turn == 0 and (near := _about_title(document, sheet)):
            yield one_line(document.title), near


def _joined(topics: Sequence[str], draw: int) -> str:
    return (" ", ", ", " ")[draw % 3].join(topics)


def _questions(document: Document, sheet: _Sheet) -> Iterator[tuple[str, Passage]]:
    """The title, where it asks; headings that ask; then by rule."""
    title = one_line(document.title)
    if title.endswith("?") and (near := _about_title(document, sheet)):
        yield title.removesuffix("?").rstrip() + "?", near
    for one in sheet.found:
        heading = one_line(one.passage.heading)
        if _QUESTION_WORD.match(heading) and len(heading.split()) > 2:
            yield heading.rstrip("?") + "?", one.passage
    yield from _by_rule(QUESTIONS, sheet.found, sheet, "question")


def _treatments(document: Document, sheet: _Sheet) -> Iterator[tuple[str, Passage]]:
    yield from _by_rule(TREATMENTS, sheet.treated, sheet, "treatment")


def _by_rule(rules: Sequence[Rule], found: Sequence[_Found], sheet: _Sheet, kind: str) -> Iterator[tuple[str, Passage]]:
    """One query for each passage, the most telling rule first; then the next for each, until there are none."""
    offers = [(one.passage, sorted(_offers(rules, one, sheet, f"{kind} {number}"))) for number, one in enumerate(found)]
    for turn in range(max((len(queries) for _, queries in offers), default=0)):
        here = [(*queries[turn], passage) for passage, queries in offers if len(queries) > turn]
        for _, query, passage in sorted(here, key=lambda offer: offer[0]):
            yield query, passage


def _offers(rules: Sequence[Rule], one: _Found, sheet: _Sheet, what: str) -> Iterator[tuple[int, str]]:
    """The queries that the rules make of a passage, each main phrase once.

    Yields:
        The rank of the query, lower first (that of its rule; behind all rules if its phrase is general), and the query.
    """
    used: set[str] = set()
    for number, rule in enumerate(rules):
        if not fits(rule, one.passage.text, one.section):
            continue
        for topic in one.topics:
            if topic.sort in rule.sorts and topic.text not in used:
                second, other = _companions(topic, one, sheet)
                if query := fill(rule.templates, topic.text, second, other, sheet.draw(f"{what} {number} {topic.text}")):
                    used.add(topic.text)
                    yield number + (len(rules) if is_general(topic.text) else 0), query
                    break


def _companions(topic: _Topic, one: _Found, sheet: _Sheet) -> tuple[str, str]:
    """A problem, and any phrase, to go with a main phrase: of the passage, else the theme."""
    rest = [
        t
        for t in one.topics
        if t.sort != "plain" and (t.sort == "denied") <= (topic.sort == "denied") and _apart(t.text, topic.text)
    ]
    problems = [t.text for t in rest if t.sort == "problem" and not is_general(t.text)]
    if not problems and sheet.theme and _apart(sheet.theme, topic.text):
        problems = [sheet.theme]
    second = problems[0] if problems else ""
    others = [t.text for t in rest if t.text != second and t.sort == topic.sort] or [
        t.text for t in rest if t.text != second
    ]
    return second, others[0] if others else ""


def _apart(one: str, other: str) -> bool:
    return not set(stems(one)) & set(stems(other))


def _lay(document: Document, sheet: _Sheet) -> Iterator[tuple[str, Passage]]:
    """Questions and keywords in which terms of medicine have lay names in their place."""
    for number, one in enumerate((*sheet.found, *sheet.treated)):
        what = f"lay {number}"
        spoken = [(_Topic(plain(topic.text, what) or topic.text, topic.sort), topic) for topic in one.topics]
        own = [new for new, old in spoken if new.text != old.text]
        if not own:
            continue
        rest = [new for new, old in spoken if new.text == old.text]
        for _, query in _offers(QUESTIONS, _Found(one.passage, (*own, *rest), one.section), sheet, what):
            if any(topic.text in query.casefold() for topic in own):
                yield query, one.passage
                break
        if keywords := [topic.text for topic in (*own, *rest)[:3]]:
            yield _joined(keywords, sheet.draw(what)), one.passage


def _absent(document: Document, sheet: _Sheet) -> Iterator[tuple[str, Passage]]:
    """For each passage a question on its main phrases whose cue is nowhere in the document."""
    silent = [(sorts, templates) for sorts, cue, templates in ABSENT if not cue.search(sheet.text)]
    made: list[tuple[bool, str, Passage]] = []
    for number, one in enumerate(sheet.found):
        telling = [t for t in one.topics if not is_general(t.text)][:3]
        fitting = [
            (t, template) for t in telling for sorts, templates in silent if t.sort in sorts for template in templates
        ]
        fitting = [pair for pair in fitting if pair[0].sort != "other"] or fitting
        if fitting:
            topic, template = fitting[sheet.draw(f"absent {number}") % len(fitting)]
            if query := fill([template], topic.text, "", "", 0):
                made.append((topic.sort == "other", query, one.passage))
    for _, query, passage in sorted(made, key=lambda offer: offer[0]):
        yield query, passage


def _about_title(document: Document, sheet: _Sheet) -> Passage | None:
    """The passage that shares most with the title, if it shares half of its words or more."""
    words = {stem for word in content_words(document.title) for stem in stems(word)}
    if len(words) < 2 or not sheet.found:
        return None
    shared = [len(words & set(stems(one.passage.text))) for one in sheet.found]
    best = max(range(len(shared)), key=lambda i: (shared[i], -i))
    return sheet.found[best].passage if 2 * shared[best] >= len(words) else None


def _is_english(text: str) -> bool:
    """Whether enough of the first words are English function words, or the text is too short to tell."""
    words = text[:6000].split()
    return len(words) < 12 or len(_ENGLISH.findall(text[:6000])) >= _ENOUGH_ENGLISH * len(words)


_writers: dict[QueryKind, Callable[[Document, _Sheet], Iterator[tuple[str, Passage]]]] = {
    "keyword": _keywords,
    "question": _questions,
    "treatment": _treatments,
    "lay": _lay,
    "absent": _absent,
}
