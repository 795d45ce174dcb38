"""The table of packed token vectors: learnt late, survives a kill, read from a read-only folder."""

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from tests.encode.test_token_codec import clustered

from medloom.encode.maxsim import max_sim
from medloom.errors import ArtifactError, SearchError
from medloom.search import tokens as module
from medloom.search.store import Floats
from medloom.search.tokens import TOKENS, Packed, TokenTable

DIMENSIONS = 24


def texts(n: int, seed: int = 0) -> tuple[list[str], list[Floats]]:
    """Ids and token vectors of some chunks, from 3 to 12 tokens each."""
    sizes = np.random.default_rng(seed).integers(3, 13, n)
    vectors = clustered(int(sizes.sum()), DIMENSIONS, seed)
    return [f"c{seed}-{i:04}" for i in range(n)], np.split(vectors, np.cumsum(sizes)[:-1])


def fill(folder: Path, packed: Packed, *parts: tuple[list[str], list[Floats]]) -> None:
    table = TokenTable.write(folder, DIMENSIONS, packed)
    for ids, vectors in parts:
        table.put(ids, vectors)
    table.close()


@pytest.mark.parametrize(("packed", "near"), [("int8", 0.01), ("binary", 0.15)])
def test_scores_are_about_those_of_whole_vectors(
    tmp_path: Path, packed: Packed, near: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SAMPLE", 1_000)
    ids, vectors = texts(300)
    fill(tmp_path, packed, (ids, vectors))
    table = TokenTable.read(tmp_path, DIMENSIONS, packed)
    query = clustered(4, DIMENSIONS, seed=7)
    found = table.late(query, ids)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    whole = dict(zip(ids, max_sim(query, vectors), strict=True))
    assert {one for one, _ in found} == set(ids)
    assert np.mean([abs(score - whole[one]) for one, score in found]) / len(query) < near
    table.close()


def test_a_table_packs_what_it_held_once_it_has_enough_to_learn_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SAMPLE", 1_000)
    few, more = texts(5), texts(300, seed=1)
    query = clustered(3, DIMENSIONS, seed=7)
    fill(tmp_path / "few", "binary", few)
    reading = TokenTable.read(tmp_path / "few", DIMENSIONS, "binary")
    expected = dict(zip(few[0], max_sim(query, few[1]), strict=True))
    for one, score in reading.late(query, few[0]):
        assert score == pytest.approx(expected[one], abs=5e-3), "few are kept as float16"
    reading.close()
    shutil.copytree(tmp_path / "few", tmp_path / "many")
    fill(tmp_path / "many", "binary", more)
    fill(tmp_path / "at-once", "binary", (few[0] + more[0], few[1] + more[1]))
    scores = []
    for name in ("many", "at-once"):
        table = TokenTable.read(tmp_path / name, DIMENSIONS, "binary")
        scores.append(table.late(query, few[0] + more[0]))
        table.close()
    assert scores[0] == scores[1], "whether they came in one part or two"
    with sqlite3.connect(tmp_path / "many" / TOKENS) as database:
        (held,) = database.execute("SELECT sum(length(data)) FROM tokens").fetchone()
    assert held == sum(map(len, few[1] + more[1])) * (2 + DIMENSIONS // 8)


def test_chunks_are_replaced_and_deleted_and_some_have_no_tokens(tmp_path: Path) -> None:
    ids, vectors = texts(4)
    empty = np.empty((0, DIMENSIONS), dtype=np.float32)
    fill(tmp_path, "int8", (ids, vectors), ([ids[0], "none"], [vectors[3], empty]))
    table = TokenTable.write(tmp_path, DIMENSIONS, "int8")
    table.delete([ids[1], "nobody"])
    found = dict(table.late(vectors[3], [*ids, "none", "nobody"]))
    assert found.keys() == {ids[0], ids[2], ids[3]}
    assert found[ids[0]] == found[ids[3]] == pytest.approx(len(vectors[3]), rel=1e-3)
    assert table.late(vectors[3], []) == []
    table.close()


def test_what_was_put_outlives_a_process_that_never_closed(tmp_path: Path) -> None:
    ids, vectors = texts(3)
    killed = TokenTable.write(tmp_path, DIMENSIONS, "int8")
    killed.put(ids, vectors)
    del killed
    again = TokenTable.write(tmp_path, DIMENSIONS, "int8")
    assert len(again.late(vectors[0], ids)) == 3
    again.close()


def test_a_read_only_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids, vectors = texts(3)
    fill(tmp_path, "int8", (ids, vectors))
    assert [path.name for path in tmp_path.iterdir()] == [TOKENS]
    monkeypatch.setattr("os.access", lambda path, mode: False)
    table = TokenTable.read(tmp_path, DIMENSIONS, "int8")
    assert len(table.late(vectors[0], ids)) == 3
    table.close()


def test_a_table_that_is_gone_or_another_file(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="are gone"):
        TokenTable.read(tmp_path, DIMENSIONS, "int8")
    (tmp_path / TOKENS).write_bytes(b"no database at all" * 100)
    for opening in (TokenTable.write, TokenTable.read):
        with pytest.raises(ArtifactError, match="is not an SQLite file"):
            opening(tmp_path, DIMENSIONS, "int8")
