"""Documents into chunks: by section, then by sentence, with overlap, each within what the encoder reads."""

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import itemgetter

from pydantic import BaseModel, ConfigDict, Field

from medloom.identity import digest
from medloom.records import Document
from medloom.search.records import CATEGORY, Chunk, heading_of
from medloom.text.sentences import sentence_spans

Measure = Callable[[Sequence[str]], Sequence[int]]
"""Tokens of each text, without those that the model adds."""
Span = tuple[int, int]

_IDS = uuid.UUID("6e7f2a54-6a0e-5a44-9d0c-2b6f5c3f1b1d")
_TEXT = -1
_SHARE_OF_CONTEXT = 3
_WORD = re.compile(r"\S+")
_SPACE = re.compile(r"\s+")


class ChunkSettings(BaseModel):
    """How documents are cut."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: int = Field(default=256, ge=16, description="Longest chunk, title and heading included, in the model's tokens.")
    overlap: int = Field(default=1, ge=0, le=10, description="Sentences that a chunk repeats of the one before it.")


@dataclass(frozen=True)
class Chunker:
    """Cuts documents.

    Attributes:
        settings: How.
        measure: Counts the tokens of texts.
        limit: What the model reads at most, its own tokens and the prompt left out.
    """

    settings: ChunkSettings
    measure: Measure
    limit: int

    @property
    def tokens(self) -> int:
        """Tokens that a chunk may have."""
        return min(self.settings.tokens, self.limit)

    def __call__(self, document: Document) -> list[Chunk]:
        """The chunks of a document, in order; none if it holds no text at all.

        A concept (a title with synonyms) and a bare title are one chunk of all names and the definition. Text that only
        repeats the sections is left out, and so are sections that the text repeats.
        """
        facts = dict.fromkeys((*((CATEGORY, category) for category in document.categories), *document.metadata))
        base = Chunk(
            id="", source=document.source, doc_id=document.id, number=0, title=document.title, heading="", text="",
            part=_TEXT, start=0, end=0, group=document.group or document.id, facts=tuple(sorted(facts, key=itemgetter(0))),
        )  # fmt: skip
        chunks: list[Chunk] = []
        for part in _parts(document):
            text = part_text(document, part)
            heading = document.sections[part].heading if part >= 0 else ""
            context = "" if part == _TEXT and is_concept(document) else self._context(document.title, heading)
            room = self.tokens - (self.measure([context])[0] if context else 0)
            whole = context == heading_of(document.title, heading)
            for start, end in self._spans(text, room):
                chunk = replace(
                    base, number=len(chunks), heading=heading, text=text[start:end], part=part, start=start, end=end,
                    id=chunk_id(document.source, document.id, len(chunks)), context=None if whole else context,
                )  # fmt: skip
                chunks.append(replace(chunk, digest=_digest(chunk)))
        return chunks

    @lru_cache(maxsize=64)  # noqa: B019 - a chunker lives as long as the process that indexes
    def _context(self, title: str, heading: str) -> str:
        """Title and heading, cut to a third of a chunk."""
        head = heading_of(title, heading)
        room = self.tokens // _SHARE_OF_CONTEXT
        if not head or self.measure([head])[0] <= room:
            return head
        words = [m.end() for m in _WORD.finditer(head)]
        low, high = 0, len(words)
        while high - low > 1:
            middle = (low + high) // 2
            if self.measure([head[: words[middle - 1]]])[0] <= room:
                low = middle
            else:
                high = middle
        return head[: words[low - 1]] if low else ""

    def _spans(self, text: str, room: int) -> list[Span]:
        """Where the chunks of a text begin and end."""
        spans = sentence_spans(text)
        if not spans:
            return []
        pieces: list[tuple[int, int, int]] = []
        for (start, end), tokens in zip(spans, self.measure([text[s:e] for s, e in spans]), strict=True):
            if tokens <= room:
                pieces.append((start, end, tokens))
            else:
                pieces += self._cut(text, start, end, room)
        found = list(_packed(pieces, room, self.settings.overlap))
        sizes = self.measure([text[s:e] for s, e in found])
        fitting = [
            [span] if size <= room else self._halves(text, span, room) for span, size in zip(found, sizes, strict=True)
        ]
        return [span for spans in fitting for span in spans]

    def _cut(self, text: str, start: int, end: int, room: int) -> Iterator[tuple[int, int, int]]:
        """A sentence that is too long, cut between words, and words that are too long, anywhere."""
        words = [(start + m.start(), start + m.end()) for m in _WORD.finditer(text[start:end])]
        sizes = self.measure([text[s:e] for s, e in words])
        first = last = words[0][0]
        total = 0
        for (word_start, word_end), size in zip(words, sizes, strict=True):
            if total and total + size > room:
                yield first, last, total
                first, total = word_start, 0
            if size > room:
                for s, e in self._halves(text, (word_start, word_end), room):
                    yield s, e, room
                first = word_end
                continue
            first = first if total else word_start
            last, total = word_end, total + size
        if total:
            yield first, last, total

    def _halves(self, text: str, span: Span, room: int) -> list[Span]:
        """A stretch cut in two, near a blank where there is one, until every part fits or is one character."""
        start, end = span
        if end - start <= 1 or self.measure([text[start:end]])[0] <= room:
            return [span]
        middle = (start + end) // 2
        blank = text.rfind(" ", start + 1, middle)
        cut = blank if blank > start + (end - start) // 4 else middle
        halves = [_trimmed(text, start, cut), _trimmed(text, cut, end)]
        return [part for half in halves if half[0] < half[1] for part in self._halves(text, half, room)]


def _packed(pieces: Sequence[tuple[int, int, int]], room: int, overlap: int) -> Iterator[Span]:
    """Sentences gathered up to the budget; each chunk begins with the last sentences of the one before, if they fit."""
    first, total = 0, 0
    for i, (_, _, tokens) in enumerate(pieces):
        if i > first and total + tokens > room:
            yield pieces[first][0], pieces[i - 1][1]
            first, total = _restart(pieces, first, i, room - tokens, overlap)
        total += tokens
    yield pieces[first][0], pieces[-1][1]


def _restart(pieces: Sequence[tuple[int, int, int]], first: int, i: int, room: int, overlap: int) -> tuple[int, int]:
    """The piece that the next chunk begins with, and the tokens of those that it repeats."""
    start, total = i, 0
    while start - 1 > first and i - start < overlap and total + pieces[start - 1][2] <= room // 2:
        start -= 1
        total += pieces[start][2]
    return start, total


def is_concept(document: Document) -> bool:
    """Whether a document is names, with a definition at most: it has synonyms, or neither text nor sections."""
    return bool(document.synonyms) or not (document.text.strip() or any(s.text.strip() for s in document.sections))


def part_text(document: Document, part: int) -> str:
    """The text that a chunk's ``start`` and ``end`` count in.

    Args:
        document: The document.
        part: Number of the section; -1 for the document's text, which for a concept is all its names, a line each, and its
            definition.
    """
    if part >= 0:
        return document.sections[part].text
    if not is_concept(document):
        return document.text
    return "\n".join([*dict.fromkeys(document.names()), *([document.text] if document.text.strip() else [])])


def chunk_id(source: str, doc_id: str, number: int) -> str:
    """The id of a chunk: a UUID (version 5), the same in every index."""
    return str(uuid.uuid5(_IDS, digest([source, doc_id, number])))


def document_digest(document: Document) -> str:
    """SHA-256 (hex) of all of a document that an index keeps."""
    return digest(
        [
            document.title,
            document.text,
            document.group,
            [[s.heading, s.text] for s in document.sections],
            [s.text for s in document.synonyms],
            document.categories,
            document.contains_phi,
            document.metadata,
        ]
    )


def _digest(chunk: Chunk) -> str:
    return digest([chunk.title, chunk.heading, chunk.text, chunk.context, chunk.part, chunk.start, chunk.group, chunk.facts])


def _parts(document: Document) -> list[int]:
    """The parts that are cut: what the text and the sections say twice is cut once."""
    if is_concept(document):
        return [_TEXT, *(i for i, s in enumerate(document.sections) if s.text.strip())]
    squeezed = [_squeezed(s.text) for s in document.sections]
    text = _squeezed(document.text)
    if _repeats(text, [_squeezed(s.heading) for s in document.sections], squeezed):
        return [i for i, section in enumerate(squeezed) if section]
    return [*([_TEXT] if text else []), *(i for i, section in enumerate(squeezed) if section and section not in text)]


def _repeats(text: str, headings: Sequence[str], sections: Sequence[str]) -> bool:
    """Whether a text holds nothing but what is in the sections."""
    if any(text in section for section in sections):
        return True
    for section in sorted(filter(None, sections), key=len, reverse=True):
        text = text.replace(section, " ", 1)
    for heading in sorted(filter(None, headings), key=len, reverse=True):
        text = text.replace(heading, " ")
    return not any(character.isalnum() for character in text)


def _squeezed(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def _trimmed(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return end - len(piece.lstrip()), start + len(piece.rstrip())
