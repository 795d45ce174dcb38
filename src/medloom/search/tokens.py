"""Packed token vectors of an index: one SQLite file beside the store, from which candidates are read and scored."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self

import numpy as np

from medloom.database import open_database, sqlite_errors
from medloom.encode.maxsim import max_sim
from medloom.encode.token_codec import TokenCodec, make_codec, read_codec
from medloom.errors import SearchError
from medloom.search.store import Floats, Scored

TOKENS = "tokens.sqlite"
Packed = Literal["int8", "binary"]
_APPLICATION = 0x6D6C746B
_VERSION = 1
_TABLES = """
CREATE TABLE codec (one INTEGER PRIMARY KEY CHECK (one = 1), state BLOB NOT NULL);
CREATE TABLE tokens (id TEXT PRIMARY KEY, packed INTEGER NOT NULL, data BLOB NOT NULL) WITHOUT ROWID
"""
_SAMPLE = 32_768
"""Tokens that centroids are found from; until a table holds so many, it keeps them as float16."""
_PAGE = 500


class TokenTable:
    """Token vectors by chunk, packed by a :class:`~medloom.encode.token_codec.TokenCodec`.

    A codec that learns from the vectors learns from the first :data:`_SAMPLE` that come, and what was kept as float16 until
    then is packed in the same transaction: a table that began with three documents is no worse than another.

    Args:
        path: The file.
        database: It, open.
        dimensions: Of a token's vector.
        packed: What vectors that are put are packed as.
        writes: Whether any will be.
    """

    def __init__(self, path: Path, database: sqlite3.Connection, dimensions: int, packed: Packed, writes: bool) -> None:
        self._path, self._database, self._dimensions = path, database, dimensions
        self._packed, self._writes = packed, writes
        with sqlite_errors(path):
            row = database.execute("SELECT state FROM codec").fetchone()
            (loose,) = database.execute("SELECT total(length(data)) FROM tokens WHERE NOT packed").fetchone()
        self._codec: TokenCodec | None = read_codec(row[0]) if row else None
        self._loose = int(loose) // (2 * dimensions)

    @classmethod
    def write(cls, folder: Path, dimensions: int, packed: Packed) -> Self:
        """Open the table of a generation for writing; made if it is not there.

        Raises:
            ArtifactError: The file is none of ours, or cannot be written.
        """
        path = folder / TOKENS
        return cls(path, open_database(path, _APPLICATION, _VERSION, _TABLES), dimensions, packed, True)

    @classmethod
    def read(cls, folder: Path, dimensions: int, packed: Packed) -> Self:
        """Open the table of a generation for reading; any number of processes may.

        Raises:
            SearchError: It is gone.
        """
        path = folder / TOKENS
        if not path.is_file():
            raise SearchError(f"the token vectors in {folder} are gone: index the documents again into another folder")
        how = "mode=ro" if os.access(folder, os.W_OK) else "immutable=1"
        with sqlite_errors(path):
            database = sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, check_same_thread=False)
            return cls(path, database, dimensions, packed, False)

    def put(self, ids: Sequence[str], tokens: Sequence[Floats]) -> None:
        """Add the token vectors of chunks, or put them in the place of those with the same ids.

        Args:
            ids: Of the chunks.
            tokens: Of each, float32, shape (tokens, dimensions).
        """
        if self._packed == "int8" and self._codec is None:
            self._learn()
        rows = [(one, self._codec is not None, self._bytes(vectors)) for one, vectors in zip(ids, tokens, strict=True)]
        with self._writing() as database:
            database.executemany("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?)", rows)
        if self._codec is None:
            self._loose += sum(map(len, tokens))
            if self._loose >= _SAMPLE:
                self._learn()

    def delete(self, ids: Sequence[str]) -> None:
        """Take chunks out; ids that are not there are passed over."""
        with self._writing() as database:
            database.executemany("DELETE FROM tokens WHERE id = ?", ((one,) for one in ids))

    def late(self, tokens: Floats, ids: Sequence[str]) -> Scored:
        """The given chunks by MaxSim, best first.

        Args:
            tokens: The query's, float32, shape (tokens, dimensions).
            ids: Chunks; those that are not there, and those without tokens, are left out.
        """
        found: dict[str, Floats] = {}
        for start in range(0, len(ids), _PAGE):
            part = list(ids[start : start + _PAGE])
            marks = ", ".join("?" * len(part))
            with sqlite_errors(self._path):
                rows = self._database.execute(f"SELECT id, packed, data FROM tokens WHERE id IN ({marks})", part).fetchall()
            found.update((one, self._vectors(data, packed)) for one, packed, data in rows if data)
        scores = max_sim(tokens, list(found.values()))
        return sorted(zip(found, map(float, scores), strict=True), key=lambda item: (-item[1], item[0]))

    def close(self) -> None:
        """Let go of the file. What was written lies in the one file after, so that a read-only folder can be opened."""
        try:
            if self._writes:
                self._database.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError:
            return
        finally:
            self._database.close()

    def _bytes(self, vectors: Floats) -> bytes:
        if not len(vectors):
            return b""
        return self._codec.pack(vectors) if self._codec else vectors.astype("<f2").tobytes()

    def _vectors(self, data: bytes, packed: int) -> Floats:
        if packed and self._codec:
            return self._codec.unpack(data)
        return np.frombuffer(data, dtype="<f2").reshape(-1, self._dimensions).astype(np.float32)

    def _learn(self) -> None:
        """Make the codec, from all that is kept as float16 if it learns, and pack that."""
        with self._writing() as database:
            rows = database.execute("SELECT id, data FROM tokens WHERE NOT packed ORDER BY id").fetchall()
            vectors = [self._vectors(data, 0) for _, data in rows]
            codec = make_codec(self._packed, self._dimensions, vectors)
            database.execute("INSERT INTO codec VALUES (1, ?)", (codec.state(),))
            database.executemany(
                "UPDATE tokens SET packed = 1, data = ? WHERE id = ?",
                ((codec.pack(one) if len(one) else b"", row[0]) for one, row in zip(vectors, rows, strict=True)),
            )
        self._codec, self._loose = codec, 0

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with sqlite_errors(self._path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
