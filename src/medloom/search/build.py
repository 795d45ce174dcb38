"""``medloom index``: documents become an index, and an index follows its documents.

A first build writes generation 1. An update writes a copy, the next generation, and ``index.json`` changes over to it in one
rename: readers never see half an update. A killed command goes on where it was when it is given again.
"""

import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from medloom.artifacts import disk_errors
from medloom.encode import Encoder, Precision, load_encoder
from medloom.encode.encoder import Backend
from medloom.encode.multivector import TokenEncoder, load_multivector
from medloom.encode.token_codec import Stored
from medloom.errors import RunLockedError, SearchError
from medloom.progress import bar
from medloom.records import Document, stricter
from medloom.search.backends import open_for_writing, settle
from medloom.search.chunks import ChunkSettings
from medloom.search.filling import Filling
from medloom.search.generations import (
    copy_generation,
    disk_bytes,
    generation_folder,
    is_copied,
    remove_generations,
)
from medloom.search.index import check_model
from medloom.search.journal import JOURNAL, Journal
from medloom.search.lexical import missing_extra
from medloom.search.measure import chunker_for
from medloom.search.settings import IndexSettings, IndexState
from medloom.search.store import Quantised
from medloom.search.tokens import TokenTable

_LOCK = ".lock"
_WORDS_PER_TOKEN = 0.35
"""Words that are not stop words, for each token that a chunk may have: 90 for 256; chunks of ClinicalTrials.gov have 89."""
_PACKAGES = ("medloom", "qdrant-edge-py", "qdrant-client", "sentence-transformers", "torch")


@dataclass(frozen=True)
class Wanted:
    """What a user asks of an index; None leaves it as it is, or at its default for a new one.

    Attributes:
        model: What embeds: a name, a folder, or an encoder.
        precision: Of its arithmetic.
        tokens: Longest chunk.
        overlap: Sentences that a chunk repeats.
        dimensions: Of the vectors that are kept.
        quantised: Smaller copies of the vectors.
        late: Multi-vector model for late interaction.
        store: Address of a Qdrant cluster.
        collection: Name in the cluster; that of the index's folder if not given.
        late_stored: What the vectors of tokens are kept as.
        late_pool: How many tokens of a chunk become one vector, about.
        backend: What computes the vectors, which are the same but for rounding.
    """

    model: str | Path | Encoder | None = None
    precision: Precision | None = None
    tokens: int | None = None
    overlap: int | None = None
    dimensions: int | None = None
    quantised: Quantised | None = None
    late: str | None = None
    store: str | None = None
    collection: str | None = None
    late_stored: Stored | None = None
    late_pool: float | None = None
    backend: Backend = "torch"


@dataclass(frozen=True)
class Summary:
    """What came of it.

    Attributes:
        folder: The index.
        documents: Documents in it.
        chunks: Chunks in it.
        added: Documents that were new to it.
        changed: Documents that were put in the place of another version.
        unchanged: Documents that were in it as they are.
        deleted: Documents that were taken out.
        repeated: Documents that came twice, the same each time.
        empty: Documents without text, of which nothing can be found.
        unfinished: Documents that an earlier, killed command left half written and that did not come again.
        texts: Chunks embedded by this command.
        seconds: Wall time.
        texts_per_second: Chunks embedded per second of it.
        bytes: What the index takes on this machine's disk.
        contains_phi: Whether it holds patient text; None where nobody has said.
    """

    folder: str
    documents: int
    chunks: int
    added: int
    changed: int
    unchanged: int
    deleted: int
    repeated: int
    empty: int
    unfinished: int
    texts: int
    seconds: float
    texts_per_second: float
    bytes: int
    contains_phi: bool | None


def build_index(
    documents: Iterable[Document],
    folder: Path,
    wanted: Wanted,
    *,
    update: bool = False,
    keep: bool = False,
    wait: float = 0.0,
    total: int | None = None,
) -> Summary:
    """Make an index of documents, go on with one that was begun, or bring one up to date.

    Args:
        documents: All that the index is to hold, streamed once.
        folder: Of the index.
        wanted: How it is made.
        update: Whether an index that is finished may be changed.
        keep: Whether what the index holds and ``documents`` does not stays in it.
        wait: Seconds to wait for another command that writes to the folder.
        total: Number of documents, for the progress bar.

    Raises:
        SearchError: The folder holds something else, or an index that is finished or of another model or settings.
        RunLockedError: Another command writes to the folder.
    """
    started = time.perf_counter()
    with disk_errors(folder), _held(folder, wait):
        state = _there(folder, wanted, update)
        encoder, late = _encoders(state, wanted)
        state = state or _begin(folder, wanted, encoder, late)
        writing = _writing_generation(folder, state, keep)
        with Journal(writing / JOURNAL) as journal:
            filling = _fill(documents, state, encoder, late, journal, writing, keep, total)
            settle(writing, state.settings)
            whole, chunks, unfinished = journal.totals()
        number = int(writing.name.rpartition("-")[2])
        contains_phi = stricter(filling.contains_phi, state.contains_phi) if keep else filling.contains_phi
        state.model_copy(
            update={
                "state": "ready",
                "generation": number,
                "contains_phi": contains_phi,
                "documents": whole,
                "chunks": chunks,
                "versions": {name: version(name) for name in _PACKAGES},
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        ).write(folder)
        remove_generations(folder, but=number)
        seconds = time.perf_counter() - started
        counts = filling.counts
        return Summary(
            folder=str(folder),
            documents=whole,
            chunks=chunks,
            **{name: counts[name] for name in ("added", "changed", "unchanged", "deleted", "repeated", "empty", "texts")},
            unfinished=unfinished,
            seconds=round(seconds, 2),
            texts_per_second=round(counts["texts"] / seconds, 1),
            bytes=disk_bytes(folder),
            contains_phi=contains_phi,
        )


def _fill(
    documents: Iterable[Document],
    state: IndexState,
    encoder: Encoder,
    late: TokenEncoder | None,
    journal: Journal,
    writing: Path,
    keep: bool,
    total: int | None,
) -> Filling:
    settings = state.settings
    chunker = chunker_for(encoder, settings.chunking)
    store = open_for_writing(writing, settings, journal)
    packed: TokenTable | None = None
    try:
        if settings.late_dimensions and settings.late_stored != "float16":
            packed = TokenTable.write(writing, settings.late_dimensions, settings.late_stored)
        filling = Filling(store, journal, chunker, encoder, late, packed)
        journal.begin()
        with bar("indexing", total, "documents") as advance:
            for _ in filling.over(documents, _is_safe(settings)):
                advance()
        if not keep:
            filling.delete_unseen()
        with bar("building the graph"):
            store.optimise()
    finally:
        store.close()
        if packed is not None:
            packed.close()
    return filling


def _there(folder: Path, wanted: Wanted, update: bool) -> IndexState | None:
    """The state of the index in a folder; None if there is none yet.

    Raises:
        SearchError: It may not be written as is wanted.
    """
    state = IndexState.read(folder)
    if state is None:
        others = [path.name for path in folder.iterdir() if path.name != _LOCK]
        if others:
            raise SearchError(f"{folder} holds other things than an index: give a folder of its own")
        _check_libraries()
        return None
    if state.state == "ready" and not update:
        raise SearchError(
            f"{folder} holds a finished index: give --update to bring it up to date with the documents, or another --out"
        )
    _check_same(state.settings, wanted)
    return state


def _begin(folder: Path, wanted: Wanted, encoder: Encoder, late: TokenEncoder | None) -> IndexState:
    """Write down what a new index is made with."""
    if late is None and (wanted.late_stored or wanted.late_pool):
        raise SearchError("--late-stored and --late-pool say how vectors of tokens are kept: give --late MODEL too")
    dimensions = encoder.dimensions if wanted.dimensions is None else wanted.dimensions
    if not 0 < dimensions <= encoder.dimensions:
        raise SearchError(f"--dimensions {dimensions}: the model's vectors have {encoder.dimensions}: give that or fewer")
    given = {"tokens": wanted.tokens, "overlap": wanted.overlap}
    chunking = ChunkSettings(**{name: value for name, value in given.items() if value is not None})
    settings = IndexSettings(
        model=str(wanted.model) if isinstance(wanted.model, str | Path) else type(wanted.model).__name__,
        model_hash=encoder.hash,
        precision=wanted.precision or "auto",
        dimensions=dimensions,
        full_dimensions=encoder.dimensions,
        chunking=chunking,
        quantised=wanted.quantised or "none",
        average_words=_WORDS_PER_TOKEN * chunking.tokens,
        late=wanted.late or "",
        late_hash=late.hash if late else "",
        late_dimensions=late.dimensions if late else None,
        late_stored=wanted.late_stored or "float16",
        late_pool=wanted.late_pool or 1.0,
        store=wanted.store or "",
        collection=(wanted.collection or folder.resolve().name) if wanted.store else "",
    )
    state = IndexState(settings=settings)
    state.write(folder)
    return state


def _check_same(settings: IndexSettings, wanted: Wanted) -> None:
    """Refuse to go on with other settings than an index was begun with.

    Raises:
        SearchError: One is another.
    """
    was = {
        "precision": settings.precision,
        "tokens": settings.chunking.tokens,
        "overlap": settings.chunking.overlap,
        "dimensions": settings.dimensions,
        "quantised": settings.quantised,
        "late": settings.late,
        "late_stored": settings.late_stored,
        "late_pool": settings.late_pool,
        "store": settings.store,
        "collection": settings.collection,
    }
    for name, value in was.items():
        given = getattr(wanted, name)
        if given is not None and given != value:
            raise SearchError(
                f"the index was begun with --{name.replace('_', '-')} {value or 'none'}, not {given}: leave the option out, "
                "or make another index in another folder"
            )


def _encoders(state: IndexState | None, wanted: Wanted) -> tuple[Encoder, TokenEncoder | None]:
    """The model of an index, and that of its tokens.

    Raises:
        SearchError: None is given, or the index is of another one.
    """
    model = wanted.model if state is None or wanted.model is not None else state.settings.model
    precision = state.settings.precision if state else wanted.precision or "auto"
    encoder = load_encoder(model, precision, wanted.backend) if isinstance(model, str | Path) else model
    if encoder is None:
        raise SearchError("a new index needs a model: give --model")
    name = state.settings.late if state else wanted.late
    pool = (state.settings.late_pool if state else wanted.late_pool) or 1.0
    late = load_multivector(name, precision, pool) if name else None
    if state is not None:
        check_model(state.settings, encoder)
        if late is not None and late.hash != state.settings.late_hash:
            raise SearchError(f"the index keeps token vectors of another model than {name} is now: restore that one")
    return encoder, late


def _writing_generation(folder: Path, state: IndexState, keep: bool) -> Path:
    """The folder that is written to: a first build's own, or a copy of what readers have open."""
    if state.state == "building" or state.settings.store:
        generation = generation_folder(folder, state.generation)
        generation.mkdir(exist_ok=True)
        return generation
    number = state.generation + 1
    if is_copied(folder, number) and not (keep and _has_unfinished(generation_folder(folder, number))):
        return generation_folder(folder, number)
    shutil.rmtree(generation_folder(folder, number), ignore_errors=True)
    return copy_generation(folder, number)


def _has_unfinished(generation: Path) -> bool:
    """Whether a killed update has left documents half written, of which only the generation before has all."""
    with Journal(generation / JOURNAL) as journal:
        return journal.totals()[2] > 0


def _is_safe(settings: IndexSettings) -> bool:
    if not settings.store:
        return True
    from medloom.search.qdrant_remote import is_safe

    return is_safe(settings.store)


def _check_libraries() -> None:
    try:
        import qdrant_client
        import qdrant_edge
    except ImportError as error:
        raise missing_extra() from error
    del qdrant_client, qdrant_edge


@contextmanager
def _held(folder: Path, wait: float) -> Iterator[None]:
    """Nobody else writes to the folder; the lock goes with the process, even when it is killed.

    Raises:
        RunLockedError: Somebody does, for longer than ``wait`` seconds.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / _LOCK, timeout=wait):
            yield
    except Timeout:
        raise RunLockedError(folder) from None
