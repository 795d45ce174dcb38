"""Documents into an open store: cut, embedded, put, and written down, a batch at a time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from medloom.encode import Encoder
from medloom.encode.multivector import TokenEncoder
from medloom.errors import SearchError
from medloom.records import Document
from medloom.search.chunks import Chunker, chunk_id, document_digest
from medloom.search.index import fitted
from medloom.search.journal import Journal, Key
from medloom.search.records import Chunk
from medloom.search.store import Floats, VectorStore
from medloom.search.tokens import TokenTable

BATCH = 512
_SEEN_AT_ONCE = 2_000


@dataclass(slots=True)
class Waiting:
    """A document that is to be written.

    Attributes:
        digest: Of the document.
        chunks: What it was cut into.
        before: How many chunks the store may hold of it already.
    """

    digest: str
    chunks: list[Chunk]
    before: int


@dataclass
class Filling:
    """Brings a store to what a stream of documents says.

    Attributes:
        store: Where the chunks go.
        journal: What is known of the documents.
        chunker: Cuts them.
        encoder: Embeds the chunks.
        late: Embeds their tokens; None for none.
        packed: Where the vectors of tokens go; the store if None.
        counts: Documents ``added``, ``changed``, ``unchanged``, ``deleted``, ``repeated`` and ``empty``; ``texts`` embedded.
        contains_phi: Whether any document is said to be about patients who can be told from it; None if of some nobody has
            said, False if none is.
    """

    store: VectorStore
    journal: Journal
    chunker: Chunker
    encoder: Encoder
    late: TokenEncoder | None = None
    packed: TokenTable | None = None
    counts: Counter[str] = field(default_factory=Counter)
    contains_phi: bool | None = False
    _waiting: dict[Key, Waiting] = field(default_factory=dict)
    _seen: dict[Key, str] = field(default_factory=dict)

    def over(self, documents: Iterable[Document], encrypted: bool = True) -> Iterator[int]:
        """Take documents in, yielding after each how many there were.

        Args:
            documents: They, each once.
            encrypted: Whether the way to the store is.

        Raises:
            SearchError: Two documents are different and have the same source and id, or one is about patients and may not go
                to the store.
        """
        number = 0
        for number, document in enumerate(documents, start=1):
            self._mark(document.contains_phi, encrypted)
            self._take(document, number)
            if sum(len(w.chunks) for w in self._waiting.values()) >= BATCH or len(self._waiting) >= BATCH:
                self._write()
            if len(self._seen) >= _SEEN_AT_ONCE:
                self._note_seen()
            yield number
        self._write()
        self._note_seen()

    def delete_unseen(self) -> None:
        """Take out what the round did not come upon."""
        for part in self.journal.unseen():
            self._delete([chunk_id(*key, number) for key, chunks in part for number in range(chunks)])
            self.store.flush()
            self.counts["deleted"] += len(part)

    def _mark(self, contains_phi: bool | None, encrypted: bool) -> None:
        if contains_phi and not encrypted:
            raise SearchError(
                "the documents are marked as patient text, and --store sends them unencrypted to another machine: use https"
            )
        if contains_phi or self.contains_phi:
            self.contains_phi = True
        elif contains_phi is None:
            self.contains_phi = None

    def _take(self, document: Document, number: int) -> None:
        key, digest = (document.source, document.id), document_digest(document)
        entry = self.journal.entry(key)
        here = self._waiting[key].digest if key in self._waiting else self._seen.get(key, "")
        if not here and entry is not None and entry.round == self.journal.round:
            here = entry.digest
        if here:
            if here != digest:
                raise SearchError(
                    f"document {number:,} is another one than an earlier one of the source {document.source!r} with the "
                    "same id: give every document its own"
                )
            self.counts["repeated"] += 1
        elif entry is not None and entry.digest == digest:
            self._seen[key] = digest
            self.counts["unchanged"] += 1
        else:
            chunks = self.chunker(document)
            self.counts["changed" if entry is not None and entry.digest else "added"] += 1
            self.counts["empty"] += not chunks
            self._waiting[key] = Waiting(digest, chunks, entry.chunks if entry is not None else 0)

    def _note_seen(self) -> None:
        self.journal.seen(self._seen)
        self._seen.clear()

    def _write(self) -> None:
        """Put what waits: announced first, then put and safe, then noted."""
        if not self._waiting:
            return
        self.journal.intend([(key, len(w.chunks)) for key, w in self._waiting.items()])
        chunks = [chunk for w in self._waiting.values() for chunk in w.chunks]
        for start in range(0, len(chunks), BATCH):
            self._put(chunks[start : start + BATCH])
        self._delete([chunk_id(*key, n) for key, w in self._waiting.items() for n in range(len(w.chunks), w.before)])
        self.store.flush()
        self.journal.done([(key, w.digest, len(w.chunks)) for key, w in self._waiting.items()])
        self.counts["texts"] += len(chunks)
        self._waiting.clear()

    def _put(self, chunks: Sequence[Chunk]) -> None:
        texts = [chunk.embedded for chunk in chunks]
        vectors = self.encoder.encode(texts, prompt=self.encoder.prompt_for("document"))
        tokens: list[Floats] | None = None
        if self.late is not None:
            tokens = [one.astype("float32") for one in self.late.encode(texts, "document")]
        if self.packed is not None and tokens is not None:
            self.packed.put([chunk.id for chunk in chunks], tokens)
            tokens = None
        self.store.put(chunks, fitted(vectors, self.store.settings.dimensions), tokens)

    def _delete(self, ids: Sequence[str]) -> None:
        self.store.delete(ids)
        if self.packed is not None:
            self.packed.delete(ids)
