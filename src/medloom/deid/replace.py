"""Identifiers out, surrogates, tags or nothing in: the text of documents without whom it is about."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import tee

from medloom.deid.config import DeidConfig
from medloom.deid.keys import Draw, keyed
from medloom.deid.spans import Detector, Kind, Span
from medloom.deid.surrogates import NoteSurrogates
from medloom.errors import StageError
from medloom.records import Document, Section, Synonym

POLICY = "safe-harbor/1"
_CONTEXT = 24
_ID_CHARACTERS = 24
_POSSESSIVE = re.compile(r"['’]s\b", re.IGNORECASE)
_HARMLESS = frozenset({"language", "licence", "split"})
"""Names of the metadata that say nothing of a patient; all others (dates, admissions, addresses) go."""
_BRACKETS = {"(": ")", "[": "]"}
_CLOSING = tuple(".,;:!?)]")


@dataclass(frozen=True, slots=True)
class PartSpans:
    """What was found in one text of a document.

    Attributes:
        part: ``title``, ``text``, ``sections[0].heading``, ``sections[0].text``, ``synonyms[0]``, ``categories[0]``, ...
        spans: Places in the original text, in order.
        replacements: What took the place of each.
    """

    part: str
    spans: tuple[Span, ...]
    replacements: tuple[str, ...]


class Deidentifier:
    """Removes identifiers from documents.

    A patient is a document's group, whatever its source, or else the document itself: within a patient a value has one
    surrogate and all dates move by one number of days. The result depends on the documents, the settings, the detector
    and the key alone, not on the order or the process.

    Args:
        config: Method, and what becomes of ids.
        detector: Finds the identifiers.
        key: The secret that everything is drawn from.
    """

    def __init__(self, config: DeidConfig, detector: Detector, key: bytes) -> None:
        self._config = config
        self._detector = detector
        self._key = key
        self.counts: Counter[Kind] = Counter()

    @property
    def mark(self) -> str:
        """What documents are marked with: policy, method, detector."""
        return f"{POLICY} {self._config.method} {self._detector.name}"

    def many(self, documents: Iterable[Document]) -> Iterator[tuple[Document, list[PartSpans]]]:
        """De-identify documents, lazily and in order, and count what was found in :attr:`counts`.

        Yields:
            Each document without its identifiers and marked so, and what was found in each of its texts that had any.

        Raises:
            StageError: The detector's spans lie outside the text or overlap.
        """
        asked, again = tee(documents)
        notes = ([text for _, text in texts_of(document)] for document in asked)
        for found, document in zip(self._detector.find_many(notes), again, strict=True):
            yield self._one(document, found)

    def _one(self, document: Document, found: Sequence[Sequence[Span]]) -> tuple[Document, list[PartSpans]]:
        parts = texts_of(document)
        if len(found) != len(parts):
            raise StageError(f"detector {self._detector.name} gave spans of {len(found)} texts for {len(parts)}")
        for (part, text), spans in zip(parts, found, strict=True):
            self._check(part, len(text), spans)
        invent = self._inventor(document, [(text, spans) for (_, text), spans in zip(parts, found, strict=True)])
        changed, told = {}, []
        for (part, text), spans in zip(parts, found, strict=True):
            new = tuple(invent(text, span) for span in spans)
            changed[part] = _replaced(text, spans, new)
            self.counts.update(span.kind for span in spans)
            if spans:
                told.append(PartSpans(part, tuple(spans), new))
        return self._rebuilt(document, changed), told

    def _check(self, part: str, length: int, spans: Sequence[Span]) -> None:
        end = 0
        for span in spans:
            if not end <= span.start < span.end <= length:
                raise StageError(
                    f"detector {self._detector.name} gave spans in {part} that overlap, are empty or lie outside the text"
                )
            end = span.end

    def _inventor(self, document: Document, found: list[tuple[str, Sequence[Span]]]) -> Callable[[str, Span], str]:
        """What gives each span of a document its replacement."""
        method = self._config.method
        if method != "surrogate":
            return lambda text, span: f"[{span.kind}]" if method == "tag" else ""
        originals = [(s.kind, text[s.start : s.end], _before(text, s)) for text, spans in found for s in spans]
        if not originals:
            return lambda text, span: ""
        patient = f"group:{document.group}" if document.group else f"document:{document.source}:{document.id}"
        surrogates = NoteSurrogates(Draw(self._key, patient), originals)

        def invented(text: str, span: Span) -> str:
            new = surrogates.of(span.kind, text[span.start : span.end], _before(text, span))
            return f"[{span.kind}]" if new is None else new

        return invented

    def _rebuilt(self, document: Document, new: dict[str, str]) -> Document:
        hashed = self._config.ids == "hash"
        return replace(
            document,
            id=self._hash(document.id) if hashed else document.id,
            group=self._hash(document.group) if hashed and document.group else document.group,
            parents=tuple(self._hash(parent) for parent in document.parents) if hashed else document.parents,
            title=new.get("title", ""),
            text=new.get("text", ""),
            sections=tuple(
                Section(new.get(f"sections[{i}].heading", ""), new.get(f"sections[{i}].text", ""))
                for i in range(len(document.sections))
            ),
            synonyms=tuple(Synonym(new.get(f"synonyms[{i}]", ""), s.scope, s.lay) for i, s in enumerate(document.synonyms)),
            categories=tuple(new.get(f"categories[{i}]", "") for i in range(len(document.categories))),
            deidentified=self.mark,
            metadata=tuple((name, value) for name, value in document.metadata if name in _HARMLESS),
        )

    def _hash(self, value: str) -> str:
        return keyed(self._key, "id", value).hex()[:_ID_CHARACTERS]


def texts_of(document: Document) -> list[tuple[str, str]]:
    """The texts of a document that are not empty, by the name of their part."""
    parts = [("title", document.title), ("text", document.text)]
    for i, section in enumerate(document.sections):
        parts += [(f"sections[{i}].heading", section.heading), (f"sections[{i}].text", section.text)]
    parts += [(f"synonyms[{i}]", synonym.text) for i, synonym in enumerate(document.synonyms)]
    parts += [(f"categories[{i}]", category) for i, category in enumerate(document.categories)]
    return [(part, text) for part, text in parts if text]


def _before(text: str, span: Span) -> str:
    return text[max(0, span.start - _CONTEXT) : span.start]


def _replaced(text: str, spans: Sequence[Span], replacements: Sequence[str]) -> str:
    """The text with its spans replaced; where by nothing, white space and punctuation around are left tidy."""
    if not spans:
        return text
    out, at = "", 0
    for span, new in zip(spans, replacements, strict=True):
        out += text[at : span.start] + new
        at = span.end
        if not new:
            out, at = _tidied(out, text, at)
    return out + text[at:]


def _tidied(out: str, text: str, at: int) -> tuple[str, int]:
    """What stands before a removed span, and where the text after it goes on."""
    if genitive := _POSSESSIVE.match(text, at):
        at = genitive.end()
    if out and text[at : at + 1] == _BRACKETS.get(out[-1]):
        out, at = out[:-1], at + 1
    following = text[at : at + 1]
    starts = not out or out[-1].isspace()
    if starts and following in (" ", "\t", "-"):
        return out, at + 1
    if out.endswith((" ", "\t")) and (not following or following.isspace() or following in _CLOSING):
        return out[:-1], at
    return out, at
