"""Indexes are made, followed up, killed, fought over, and lose nothing."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from tests.search.conftest import LetterEncoder

from medloom.errors import RunLockedError, SearchError
from medloom.records import Document, Section
from medloom.search import filling, journal
from medloom.search.build import Summary, Wanted, build_index
from medloom.search.chunks import chunk_id, document_digest
from medloom.search.filters import parse_filter
from medloom.search.generations import copy_folder, disk_bytes
from medloom.search.index import Index, open_index
from medloom.search.qdrant_edge import EdgeStore


def note(number: int, text: str = "", **fields: object) -> Document:
    base = Document(
        id=f"n{number}",
        source="notes",
        title=f"Note {number}",
        sections=(Section("History", text or f"Fever for {number} days. Cough at night."), Section("Plan", "Rest.")),
        metadata=(("date", f"20{number % 20:02}-01-01"),),
        contains_phi=False,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def build(documents: list[Document], folder: Path, encoder: LetterEncoder, **how: bool) -> Summary:
    return build_index(documents, folder, Wanted(encoder), **how)


def opened(folder: Path, encoder: LetterEncoder) -> Index:
    return open_index(folder, encoder)


def check_holds(folder: Path, encoder: LetterEncoder, documents: list[Document]) -> None:
    """The index holds the chunks of these documents, each once, with their vectors and words, and knows it."""
    with opened(folder, encoder) as index:
        chunks = list(index.store.chunks())
        assert sorted(c.id for c in chunks) == sorted(chunk_id("notes", d.id, n) for d in documents for n in range(2))
        texts = {(c.doc_id, c.part): c.text for c in chunks}
        assert texts == {(d.id, i): s.text for d in documents for i, s in enumerate(d.sections)}
        np.testing.assert_allclose(
            index.store.vectors([c.id for c in chunks]), index.embed([c.embedded for c in chunks]), atol=1e-6
        )
        assert len(index.store.lexical("rest", 1_000)) == len(documents)
    state = json.loads((folder / "index.json").read_text())
    assert (state["documents"], state["chunks"], state["state"]) == (len(documents), len(chunks), "ready")
    assert len(list(folder.glob("generation-*"))) == 1


def test_makes_an_index_that_finds(tmp_path: Path, encoder: LetterEncoder) -> None:
    documents = [note(i) for i in range(30)]
    summary = build(documents, tmp_path / "i", encoder)
    assert (summary.documents, summary.chunks, summary.added, summary.texts) == (30, 60, 30, 60)
    assert summary.contains_phi is False
    assert summary.bytes == disk_bytes(tmp_path / "i") > 0
    check_holds(tmp_path / "i", encoder, documents)
    with opened(tmp_path / "i", encoder) as index:
        found = index.store.lexical("17", 1)
        assert index.store.get([found[0][0]])[0].doc_id == "n17"
        assert index.store.count(parse_filter(["date>=2019"])) == 2
        best = index.store.dense(index.embed(["Note 3 - Plan\nRest."])[0], 1)
        assert best[0][1] == pytest.approx(1.0, abs=1e-5)


def test_an_update_adds_changes_and_deletes(tmp_path: Path, encoder: LetterEncoder) -> None:
    build([note(i) for i in range(20)], tmp_path / "i", encoder)
    before = encoder.texts
    documents = [note(i) for i in range(1, 19)] + [note(19, "Rash."), note(20)]
    summary = build(documents, tmp_path / "i", encoder, update=True)
    assert (summary.added, summary.changed, summary.deleted, summary.unchanged) == (1, 1, 1, 18)
    assert encoder.texts - before == 4
    check_holds(tmp_path / "i", encoder, documents)


def test_a_document_that_shrank_leaves_no_chunk_behind(tmp_path: Path, encoder: LetterEncoder) -> None:
    build([note(0), note(1)], tmp_path / "i", encoder)
    build([note(0), note(1, sections=(Section("Plan", "None."),))], tmp_path / "i", encoder, update=True)
    with opened(tmp_path / "i", encoder) as index:
        assert [c.text for c in index.store.chunks(parse_filter(["id=n1"]))] == ["None."]


def test_keep_leaves_what_did_not_come(tmp_path: Path, encoder: LetterEncoder) -> None:
    build([note(0), note(1, contains_phi=True)], tmp_path / "i", encoder)
    summary = build([note(2)], tmp_path / "i", encoder, update=True, keep=True)
    assert (summary.documents, summary.deleted, summary.contains_phi) == (3, 0, True)
    check_holds(tmp_path / "i", encoder, [note(0), note(1), note(2)])


@pytest.mark.parametrize(
    ("marks", "index"), [((True, False), True), ((None, False), None), ((None, True), True), ((False, False), False)]
)
def test_says_whether_it_holds_patient_text(
    tmp_path: Path, encoder: LetterEncoder, marks: tuple[bool | None, ...], index: bool | None
) -> None:
    build([note(i, contains_phi=mark) for i, mark in enumerate(marks)], tmp_path / "i", encoder)
    assert json.loads((tmp_path / "i" / "index.json").read_text())["contains_phi"] is index
    assert opened(tmp_path / "i", encoder).contains_phi is index


def test_what_cannot_be_gone_on_with_is_refused(tmp_path: Path, encoder: LetterEncoder) -> None:
    folder = tmp_path / "i"
    with pytest.raises(SearchError, match="needs a model"):
        build_index([note(0)], folder, Wanted())
    build([note(0)], folder, encoder)
    with pytest.raises(SearchError, match="finished index: give --update"):
        build([note(0)], folder, encoder)
    with pytest.raises(SearchError, match="this is another one"):
        build([note(0)], folder, LetterEncoder("other"), update=True)
    with pytest.raises(SearchError, match="begun with --tokens 256, not 64"):
        build_index([note(0)], folder, Wanted(encoder, tokens=64), update=True)
    with pytest.raises(SearchError, match="this is another one"):
        opened(folder, LetterEncoder("other"))
    with pytest.raises(SearchError, match="have 26"):
        build_index([note(0)], tmp_path / "j", Wanted(encoder, dimensions=27))
    (tmp_path / "k").mkdir()
    (tmp_path / "k" / "mine.txt").write_text("x")
    with pytest.raises(SearchError, match="other things"):
        build([note(0)], tmp_path / "k", encoder)
    check_holds(folder, encoder, [note(0)])


def test_what_is_no_index_is_refused(tmp_path: Path, encoder: LetterEncoder) -> None:
    with pytest.raises(SearchError, match="no index"):
        opened(tmp_path, encoder)
    for damage, message in (("{", "damaged"), ('{"format": 9}', "format 9"), ('{"format": 1}', "damaged")):
        (tmp_path / "index.json").write_text(damage)
        with pytest.raises(SearchError, match=message):
            opened(tmp_path, encoder)


def test_two_documents_with_one_id_are_refused_and_copies_are_not(tmp_path: Path, encoder: LetterEncoder) -> None:
    with pytest.raises(SearchError, match="document 2 is another one") as caught:
        build([note(0), note(0, "Other.")], tmp_path / "i", encoder)
    assert "Other" not in str(caught.value)
    summary = build([note(0), note(0)], tmp_path / "j", encoder)
    assert (summary.documents, summary.repeated) == (1, 1)


def test_vectors_can_be_cut_and_made_smaller(tmp_path: Path, encoder: LetterEncoder) -> None:
    build_index([note(i) for i in range(5)], tmp_path / "i", Wanted(encoder, dimensions=8, quantised="int8"))
    with opened(tmp_path / "i", encoder) as index:
        ids = [c.id for c in index.store.chunks()]
        assert index.store.vectors(ids).shape == (10, 8)
        np.testing.assert_allclose(np.linalg.norm(index.store.vectors(ids), axis=1), 1, atol=1e-6)
        assert index.embed(["fever"]).shape == (1, 8)


class _KilledError(Exception):
    pass


STEPS = ("intend", "encode", "put", "flush", "done", "seen", "optimise")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("update", [False, True])
def test_whatever_step_is_cut_off_the_next_try_ends_the_same(
    tmp_path: Path, encoder: LetterEncoder, monkeypatch: pytest.MonkeyPatch, step: str, update: bool
) -> None:
    folder = tmp_path / "i"
    old, new = [note(i) for i in range(8)], [note(i, "Rash." if i % 3 == 0 else "") for i in range(2, 12)]
    if update:
        build(old, folder, encoder)
    monkeypatch.setattr(filling, "BATCH", 3)
    with monkeypatch.context() as patched:
        home = {"put": EdgeStore, "flush": EdgeStore, "optimise": EdgeStore, "encode": LetterEncoder}.get(
            step, journal.Journal
        )
        whole, calls = getattr(home, step), []

        def cut_off(*args: object, **options: object) -> object:
            calls.append(step)
            result = whole(*args, **options)
            if len(calls) == (1 if step in ("optimise", "seen") else 2):
                raise _KilledError
            return result

        patched.setattr(home, step, cut_off)
        with pytest.raises(_KilledError):
            build(new, folder, encoder, update=update)
    if update:
        check_holds_before(folder, encoder, old)
    else:
        with pytest.raises(SearchError, match="not finished"):
            opened(folder, encoder)
    build(new, folder, encoder, update=update)
    check_holds(folder, encoder, new)


def check_holds_before(folder: Path, encoder: LetterEncoder, documents: list[Document]) -> None:
    """Readers still see what was there before the update that was cut off."""
    with opened(folder, encoder) as index:
        assert {c.doc_id for c in index.store.chunks()} == {d.id for d in documents}
        assert index.store.count() == 2 * len(documents)


def test_documents_that_changed_while_it_was_dead_leave_nothing_behind(
    tmp_path: Path, encoder: LetterEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise _KilledError

    with monkeypatch.context() as patched:
        patched.setattr(journal.Journal, "done", fail)
        with pytest.raises(_KilledError):
            build([note(0), note(1)], tmp_path / "i", encoder)
    build([note(0, sections=(Section("", "Rest."),))], tmp_path / "i", encoder)
    with opened(tmp_path / "i", encoder) as index:
        assert [c.text for c in index.store.chunks()] == ["Rest."]


def test_a_killed_update_that_keeps_begins_anew_from_what_was_whole(
    tmp_path: Path, encoder: LetterEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise _KilledError

    build([note(0)], tmp_path / "i", encoder)
    with monkeypatch.context() as patched:
        patched.setattr(journal.Journal, "done", fail)
        with pytest.raises(_KilledError):
            build([note(0, "Changed.")], tmp_path / "i", encoder, update=True, keep=True)
    summary = build([note(1)], tmp_path / "i", encoder, update=True, keep=True)
    assert summary.unfinished == 0
    check_holds(tmp_path / "i", encoder, [note(0), note(1)])


_CHILD = """
import sys, time
from pathlib import Path
from medloom.search import filling, journal
from medloom.search.build import Wanted, build_index
from tests.search.conftest import LetterEncoder
from tests.search.test_build import note
filling.BATCH = 8
documents = (note(i, "Changed." if sys.argv[2] == "new" and i % 2 else "") for i in range(300))
print("started", flush=True)
build_index(documents, Path(sys.argv[1]), Wanted(LetterEncoder()), update=True)
print("ended", flush=True)
"""


def _child(folder: Path, version: str) -> "subprocess.Popen[str]":
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}", "COVERAGE_PROCESS_START": ""}
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(folder), version], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "started\n"
    return child


def test_kill_9_loses_nothing_and_doubles_nothing(tmp_path: Path, encoder: LetterEncoder) -> None:
    folder = tmp_path / "i"
    kills = 0
    for version in ("old", "new"):
        for delay in (0.05, 0.25):
            child = _child(folder, version)
            time.sleep(delay)
            child.send_signal(signal.SIGKILL)
            kills += child.wait() == -signal.SIGKILL
        build([note(i, "Changed." if version == "new" and i % 2 else "") for i in range(300)], folder, encoder, update=True)
        check_holds(folder, encoder, [note(i, "Changed." if version == "new" and i % 2 else "") for i in range(300)])
    assert kills >= 2


def test_a_second_writer_is_refused_or_waits(tmp_path: Path, encoder: LetterEncoder) -> None:
    folder = tmp_path / "i"
    folder.mkdir()
    with FileLock(folder / ".lock"), pytest.raises(RunLockedError, match="another medloom run is writing"):
        _in_another_process(folder, 0.0)
    writer = multiprocessing.get_context("spawn").Process(target=_write, args=(folder, 60.0))
    lock = FileLock(folder / ".lock")
    lock.acquire()
    writer.start()
    time.sleep(0.5)
    assert not (folder / "index.json").exists()
    lock.release()
    writer.join(60)
    assert writer.exitcode == 0
    check_holds(folder, encoder, [note(0)])


def _write(folder: Path, wait: float) -> None:
    build_index([note(0)], folder, Wanted(LetterEncoder()), wait=wait)


def _in_another_process(folder: Path, wait: float) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        pool.apply(_write, (folder, wait))


def test_readers_see_the_old_index_until_the_new_one_is_whole(tmp_path: Path, encoder: LetterEncoder) -> None:
    folder = tmp_path / "i"
    build([note(0), note(1)], folder, encoder)
    with opened(folder, encoder) as reader, opened(folder, encoder) as second:

        def documents() -> Iterator[Document]:
            yield note(2)
            assert {c.doc_id for c in reader.store.chunks()} == {"n0", "n1"}
            assert not reader.is_outdated

        build_index(documents(), folder, Wanted(encoder), update=True)
        assert reader.is_outdated
        assert {c.doc_id for c in second.store.chunks()} == {"n0", "n1"}
        assert len(second.store.lexical("fever", 5)) == 2
    check_holds(folder, encoder, [note(2)])


def test_a_folder_that_is_read_only_is_opened_as_a_copy(
    tmp_path: Path, encoder: LetterEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    build([note(0)], tmp_path / "i", encoder)
    monkeypatch.setattr("medloom.search.qdrant_edge.os.access", lambda *_: False)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with opened(tmp_path / "i", encoder) as index:
        assert index.store.count() == 2
        assert list(temporary.iterdir())
    assert not list(temporary.iterdir())


def test_a_store_that_is_gone_or_damaged_says_so(tmp_path: Path, encoder: LetterEncoder) -> None:
    build([note(0)], tmp_path / "i", encoder)
    shard = tmp_path / "i" / "generation-1" / "shard"
    (shard / "edge_config.json").write_text("{")
    for path in shard.glob("segments/*/segment.json"):
        path.write_text("{")
    with pytest.raises(SearchError, match="cannot be read or written"):
        opened(tmp_path / "i", encoder)
    shard.rename(tmp_path / "elsewhere")
    with pytest.raises(SearchError, match="is gone"):
        opened(tmp_path / "i", encoder)


def test_copies_keep_holes_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with (tmp_path / "a" / "b" / "sparse").open("wb") as file:
        file.seek(5_000_000)
        file.write(b"x" * 10)
        file.truncate(9_000_000)
    (tmp_path / "a" / "empty").touch()
    copy_folder(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "c" / "b" / "sparse").read_bytes() == (tmp_path / "a" / "b" / "sparse").read_bytes()
    assert (tmp_path / "c" / "empty").read_bytes() == b""
    assert disk_bytes(tmp_path / "c") < 1_000_000


def test_the_same_documents_again_change_nothing(tmp_path: Path, encoder: LetterEncoder) -> None:
    documents = [note(i) for i in range(5)]
    build(documents, tmp_path / "i", encoder)
    before = encoder.texts
    summary = build(documents, tmp_path / "i", encoder, update=True)
    assert (summary.unchanged, summary.texts, encoder.texts) == (5, 0, before)
    assert len({document_digest(d) for d in documents}) == 5
    check_holds(tmp_path / "i", encoder, documents)
