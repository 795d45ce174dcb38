"""Vectors on disk: encoded once, never lost, never mixed up."""

import errno
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from medloom.encode import cache as module
from medloom.encode.cache import Fill, Store, VectorCache
from medloom.encode.keys import KeyIndex, as_records, text_keys
from medloom.errors import ArtifactError, ModelError

KEY, OTHER = "a" * 64, "b" * 64
TEXTS = ["fever", "heart pain", "", "cough", "fever", "acute kidney"]
Open = Callable[[], AbstractContextManager[Store]]


def vector(text: str) -> list[float]:
    return [len(text), sum(map(ord, text)), 1.0]


class Asked:
    """An encoder of 3 dimensions that notes what it was asked."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> Any:
        self.calls.append(list(texts))
        return np.array([vector(t) for t in texts], dtype=np.float32)


def ragged(texts: Sequence[str]) -> list[Any]:
    return [np.array([[len(t), i, 0.5] for i in range(len(t))], dtype=np.float16).reshape(-1, 3) for t in texts]


@pytest.fixture(params=["disk", "memory"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    if request.param == "disk":
        return lambda: VectorCache(tmp_path).open(KEY, 3)

    @contextmanager
    def memory() -> Iterator[Store]:
        yield Store(3)

    return memory


def test_rows_stand_in_the_order_of_the_texts_and_each_distinct_text_is_encoded_once(opened: Open) -> None:
    asked = Asked()
    with opened() as store:
        rows = store.get(TEXTS, asked)
        again = store.get(TEXTS[::-1], asked)
        fill = store.fill([*TEXTS, "new"], asked)
    np.testing.assert_array_equal(rows, np.array([vector(t) for t in TEXTS], dtype=np.float32))
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(again, rows[::-1])
    assert asked.calls == [["acute kidney", "heart pain", "cough", "fever", ""], ["new"]]
    assert (fill.texts, fill.distinct, fill.encoded, fill.cached) == (7, 6, 1, 5)


def test_missing_texts_go_out_in_chunks_longest_first(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 4)
    asked = Asked()
    texts = ["x" * n for n in (3, 9, 1, 7, 5, 8, 2, 6, 4, 10)]
    with opened() as store:
        rows = store.get(texts, asked)
    assert [[len(t) for t in call] for call in asked.calls] == [[10, 9, 8, 7], [6, 5, 4, 3], [2, 1]]
    assert rows[:, 0].tolist() == [3, 9, 1, 7, 5, 8, 2, 6, 4, 10]


def test_a_text_may_have_several_rows_or_none(opened: Open) -> None:
    with opened() as store:
        fill = store.fill(["abc", "", "ab"], ragged)
        spans = store.spans(["ab", "", "abc", "ab"])
        rows = store.take(spans)
    assert fill.encoded == 3
    assert spans[:, 1].tolist() == [2, 0, 3, 2]
    assert rows.tolist() == [[2, 0, 0.5], [2, 1, 0.5], [3, 0, 0.5], [3, 1, 0.5], [3, 2, 0.5], [2, 0, 0.5], [2, 1, 0.5]]


def test_no_texts_and_only_texts_without_rows(opened: Open) -> None:
    with opened() as store:
        assert store.get([], Asked()).shape == (0, 3)
        assert store.get([""], ragged).shape == (0, 3)
        assert store.fill([""], ragged).encoded == 0


def test_texts_that_were_never_filled_in_are_named_by_number_only(opened: Open) -> None:
    with opened() as store:
        store.fill(["fever"], Asked())
        with pytest.raises(KeyError, match="1 of 2 texts have no vectors") as caught:
            store.spans(["fever", "secret name"])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.zeros((1, 3), dtype=np.float32), r"shape \(1, 3\) for 1 texts where 2 texts of 3 dimensions"),
        (np.zeros((2, 4), dtype=np.float32), r"shape \(2, 4\)"),
        ([np.zeros((2, 4), dtype=np.float32)] * 2, r"shape \(4, 4\)"),
        (np.array([[0, 0, 0], [0, np.nan, 0]], dtype=np.float32), "no finite float32"),
        (np.array([[0, 0, 0], [0, np.inf, 0]], dtype=np.float32), "no finite float32"),
    ],
)
def test_what_is_no_vector_for_each_text_is_refused_and_not_kept(opened: Open, result: Any, message: str) -> None:
    with opened() as store:
        with pytest.raises(ModelError, match=message) as caught:
            store.fill(["secret name", "fever"], lambda texts: result)
        assert "secret" not in str(caught.value)
        assert store.fill(["secret name", "fever"], Asked()).encoded == 2


def test_numbers_too_large_for_half_precision_are_refused() -> None:
    with pytest.raises(ModelError, match="no finite float16"):
        Store(3, "float16").fill(["a"], lambda texts: np.full((1, 3), 1e6, dtype=np.float32))


def test_a_second_run_encodes_nothing(tmp_path: Path) -> None:
    with VectorCache(tmp_path).open(KEY, 3) as store:
        first = store.get(TEXTS, Asked())
    asked = Asked()
    with VectorCache(tmp_path).open(KEY, 3) as store:
        fill = store.fill(TEXTS, asked)
        rows = store.take(store.spans(TEXTS))
    assert asked.calls == []
    assert (fill.encoded, fill.cached, fill.seconds) == (0, 5, 0.0)
    np.testing.assert_array_equal(rows, first)


def test_models_do_not_share_vectors(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    with cache.open(KEY, 3) as one, cache.open(OTHER, 3) as two:
        one.fill(["fever"], Asked())
        assert two.fill(["fever"], Asked()).encoded == 1


def test_no_text_is_on_the_disk(tmp_path: Path) -> None:
    with VectorCache(tmp_path).open(KEY, 3) as store:
        store.fill(["unlikelyword of a patient"], Asked())
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) > 0
    assert not [p for p in files if b"unlikelyword" in p.read_bytes() or "unlikelyword" in p.name]


def test_two_users_in_one_process_see_each_others_work(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    with cache.open(KEY, 3) as one, cache.open(KEY, 3) as two:
        one.fill(["a", "b"], Asked())
        assert two.fill(["b", "c"], Asked()).encoded == 1
        assert one.fill(["a", "b", "c"], Asked()).encoded == 0
        np.testing.assert_array_equal(one.take(one.spans(["c"])), [vector("c")])


def test_what_another_added_meanwhile_is_not_added_twice(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    with cache.open(KEY, 3) as one, cache.open(KEY, 3) as two:

        def slow(texts: Sequence[str]) -> Any:
            two.fill(["b"], Asked())
            return Asked()(texts)

        one.fill(["a", "b", "c"], slow)
        np.testing.assert_array_equal(one.take(one.spans(["a", "b", "c"])), [vector(t) for t in "abc"])
    folder = tmp_path / KEY[:32]
    assert (folder / "index.bin").stat().st_size == 3 * 32
    assert (folder / "rows.bin").stat().st_size == 3 * 3 * 4


@pytest.mark.parametrize("cut_index", [0, 1, 31, 32, 33, 64, 95])
@pytest.mark.parametrize("cut_rows", [0, 1, 11, 12, 13, 35])
def test_half_written_files_lose_their_end_and_nothing_else(tmp_path: Path, cut_index: int, cut_rows: int) -> None:
    texts = ["ccc", "bb", "a"]
    with VectorCache(tmp_path).open(KEY, 3) as store:
        store.fill(texts, Asked())
    for name, cut in (("index.bin", cut_index), ("rows.bin", cut_rows)):
        path = tmp_path / KEY[:32] / name
        os.truncate(path, path.stat().st_size - cut)
    whole = min((96 - cut_index) // 32, (36 - cut_rows) // 12)
    asked = Asked()
    with VectorCache(tmp_path).open(KEY, 3) as store:
        rows = store.get(texts, asked)
    assert asked.calls == ([texts[whole:]] if whole < 3 else [])
    np.testing.assert_array_equal(rows, np.array([vector(t) for t in texts], dtype=np.float32))
    assert (tmp_path / KEY[:32] / "rows.bin").stat().st_size == 36


@pytest.mark.parametrize("garbage", [b"\x00" * 64, b"\xff" * 70, b"\x01" * 5])
def test_garbage_at_the_end_is_cut_off(tmp_path: Path, garbage: bytes) -> None:
    with VectorCache(tmp_path).open(KEY, 3) as store:
        store.fill(["a", "b"], Asked())
    for name in ("index.bin", "rows.bin"):
        with (tmp_path / KEY[:32] / name).open("ab") as file:
            file.write(garbage)
    with VectorCache(tmp_path).open(KEY, 3) as store:
        assert store.fill(["a", "b", "c"], Asked()).encoded == 1
        np.testing.assert_array_equal(store.take(store.spans(["a", "b", "c"])), [vector(t) for t in "abc"])
    assert (tmp_path / KEY[:32] / "index.bin").stat().st_size == 96


SCRIPT = """
import os, signal, sys
from pathlib import Path
import numpy as np
from medloom.encode import cache
cache.CHUNK = 10
calls = 0
def encode(texts):
    global calls
    calls += 1
    if calls == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return np.array([[len(t), sum(map(ord, t)), 1.0] for t in texts], dtype=np.float32)
with cache.VectorCache(Path(sys.argv[1])).open("a" * 64, 3) as store:
    store.fill([f"{i:04d}" for i in range(int(sys.argv[3]), int(sys.argv[4]))], encode)
"""


def start(folder: Path, kill_at: int, first: int, last: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", SCRIPT, str(folder), str(kill_at), str(first), str(last)]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})


def test_a_killed_run_resumes_after_its_last_chunk(tmp_path: Path) -> None:
    assert start(tmp_path, 3, 0, 50).wait() == -signal.SIGKILL
    asked = Asked()
    texts = [f"{i:04d}" for i in range(50)]
    with VectorCache(tmp_path).open(KEY, 3) as store:
        rows = store.get(texts, asked)
    assert [t for call in asked.calls for t in call] == texts[20:]
    np.testing.assert_array_equal(rows, np.array([vector(t) for t in texts], dtype=np.float32))
    assert not list((tmp_path / KEY[:32]).glob("*.user"))


def test_two_processes_share_one_cache(tmp_path: Path) -> None:
    processes = [start(tmp_path, 0, 0, 600), start(tmp_path, 0, 300, 900)]
    assert [p.wait() for p in processes] == [0, 0]
    asked = Asked()
    texts = [f"{i:04d}" for i in range(900)]
    with VectorCache(tmp_path).open(KEY, 3) as store:
        rows = store.get(texts, asked)
    assert asked.calls == []
    np.testing.assert_array_equal(rows, np.array([vector(t) for t in texts], dtype=np.float32))
    assert (tmp_path / KEY[:32] / "index.bin").stat().st_size == 900 * 32


def test_a_full_disk_is_a_clear_error_and_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = VectorCache(tmp_path)
    real = module._write

    def full(file: Any, data: bytes) -> None:
        real(file, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "no space")

    with cache.open(KEY, 3) as store:
        store.fill(["a"], Asked())
        monkeypatch.setattr(module, "_write", full)
        with pytest.raises(ArtifactError, match="the disk is full"):
            store.fill(["a", "b"], Asked())
        monkeypatch.setattr(module, "_write", real)
        assert store.fill(["a", "b", "c"], Asked()).encoded == 2
        np.testing.assert_array_equal(store.take(store.spans(["a", "b", "c"])), [vector(t) for t in "abc"])


@pytest.mark.parametrize("meta", ["", "{", "[]", '{"version": 0}', "\udcff"])
def test_a_folder_whose_description_is_damaged_is_begun_anew(tmp_path: Path, meta: str) -> None:
    with VectorCache(tmp_path).open(KEY, 3) as store:
        store.fill(["a", "b"], Asked())
    path = tmp_path / KEY[:32] / "meta.json"
    path.write_bytes(meta.encode("utf-8", "surrogateescape"))
    with VectorCache(tmp_path).open(KEY, 3) as store:
        assert store.fill(["a", "b"], Asked()).encoded == 2
    assert json.loads(path.read_text("utf-8")) == {"version": 1, "key": KEY, "dimensions": 3, "dtype": "float32"}


def test_other_dimensions_or_numbers_begin_a_folder_anew(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    with cache.open(KEY, 3) as store:
        store.fill(["a"], Asked())
    with cache.open(KEY, 3, "float16") as store:
        assert store.get(["a"], Asked()).dtype == np.float16
    with cache.open(KEY, 2) as store:
        assert store.get(["a"], lambda texts: np.ones((1, 2), dtype=np.float32)).shape == (1, 2)


def fill(cache: VectorCache, key: str, n: int = 100) -> None:
    with cache.open(key, 3) as store:
        store.fill([f"{i:03d}" for i in range(n)], Asked())


def names(folder: Path) -> set[str]:
    return {p.name[0] for p in folder.iterdir() if p.is_dir()}


def age(folder: Path, key: str, seconds: int) -> None:
    meta = folder / key[:32] / "meta.json"
    then = meta.stat().st_mtime - seconds
    os.utime(meta, (then, then))


def test_the_least_recently_used_models_go_first(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, limit_bytes=14_000)
    for key, seconds in (("a" * 64, 10), ("b" * 64, 30), ("c" * 64, 20)):
        fill(VectorCache(tmp_path), key)
        age(tmp_path, key, seconds)
    fill(cache, "d" * 64)
    assert names(tmp_path) == {"a", "c", "d"}
    with cache.open("c" * 64, 3):
        pass
    fill(cache, "e" * 64)
    assert names(tmp_path) == {"c", "d", "e"}


def test_a_model_in_use_is_never_removed(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, limit_bytes=9_000)
    with cache.open("a" * 64, 3) as store:
        store.fill([f"{i:03d}" for i in range(100)], Asked())
        age(tmp_path, "a" * 64, 1000)
        fill(cache, "b" * 64)
        assert names(tmp_path) == {"a"}
        assert store.fill(["000"], Asked()).encoded == 0
    fill(cache, "b" * 64)
    assert names(tmp_path) == {"b"}


def test_what_a_dead_process_left_holds_nothing(tmp_path: Path) -> None:
    fill(VectorCache(tmp_path), "a" * 64)
    (tmp_path / ("a" * 32) / "dead.user").touch()
    age(tmp_path, "a" * 64, 10)
    fill(VectorCache(tmp_path, limit_bytes=9_000), "b" * 64)
    assert names(tmp_path) == {"b"}


def test_another_process_holds_its_model(tmp_path: Path) -> None:
    fill(VectorCache(tmp_path), "a" * 64)
    age(tmp_path, "a" * 64, 10)
    with FileLock(tmp_path / ("a" * 32) / "alive.user"):
        fill(VectorCache(tmp_path, limit_bytes=9_000), "b" * 64)
        assert "a" in names(tmp_path)


def test_a_model_that_outgrows_the_limit_alone_is_used_and_then_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(VectorCache(tmp_path), "a" * 64, 10)
    cache = VectorCache(tmp_path, limit_bytes=3_000)
    texts = [f"{i:03d}" for i in range(100)]
    with cache.open("b" * 64, 3) as store, cache.open("b" * 64, 3) as second, caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(store.get(texts, Asked()), np.array([vector(t) for t in texts], dtype=np.float32))
        assert second.fill(texts, Asked()).encoded == 0
    assert names(tmp_path) == {"a"}
    assert [r.getMessage() for r in caplog.records] == [
        "vector cache: dropped 4536 bytes: this model alone is over the limit"
    ]


def test_keys_that_share_a_half_are_told_apart() -> None:
    index = KeyIndex()
    keys = np.array([[7, 1], [7, 2], [3, 9], [7, 5]], dtype=np.uint64)
    index.add(module._records(keys[:2], np.array([1, 2]), 0))
    index.add(module._records(keys[2:], np.array([0, 4]), 3))
    asked = np.array([[7, 5], [7, 2], [7, 3], [3, 9], [9, 9], [7, 1], [0, 0]], dtype=np.uint64)
    assert index.find(asked).tolist() == [[3, 4], [1, 2], [-1, 0], [3, 0], [-1, 0], [0, 1], [-1, 0]]


@given(st.lists(st.lists(st.integers(0, 40), max_size=12), max_size=12))
def test_an_index_that_grows_bit_by_bit_finds_all_keys_and_the_first_of_equal_ones(rounds: list[list[int]]) -> None:
    index, expected = KeyIndex(), dict[int, int]()
    every = text_keys([str(number) for number in range(41)]) & np.uint64(7)
    names = {tuple(key): number for number, key in enumerate(every.tolist())}
    for start, numbers in enumerate(rounds):
        rows = 100 * start + np.arange(len(numbers))
        index.add(as_records(every[numbers], rows, np.ones(len(numbers), dtype=np.int64)))
        for number, row in zip(numbers, rows.tolist(), strict=True):
            expected.setdefault(names[tuple(every[number].tolist())], row)
        found = index.find(every)[:, 0].tolist()
        assert found == [expected.get(names[tuple(key)], -1) for key in every.tolist()]


@given(st.lists(st.lists(st.text(max_size=3), max_size=8), max_size=5))
def test_a_store_is_a_dictionary_of_vectors(rounds: list[list[str]]) -> None:
    store = Store(3)
    seen: set[str] = set()
    for texts in rounds:
        filled = store.fill(texts, Asked())
        assert filled.encoded == len(set(texts) - seen)
        seen |= set(texts)
        expected = np.array([vector(t) for t in texts], dtype=np.float32).reshape(-1, 3)
        np.testing.assert_array_equal(store.take(store.spans(texts)), expected)


def test_keys_are_the_same_everywhere_and_take_any_string() -> None:
    assert text_keys(["fever"]).tobytes().hex() == "57014768947ee3dbd367d866942a4edf"
    assert text_keys([]).shape == (0, 2)
    assert len({tuple(k) for k in text_keys(["\ud800", "", "\x00", "é", "e\u0301"]).tolist()}) == 5


def test_fills_add_up() -> None:
    assert Fill(3, 2, 1, 0.5) + Fill(1, 1, 0, 0.25) == Fill(4, 3, 1, 0.75)
