"""From a suite's name and what is at hand to a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medloom.bench.base import CHAT, BuildRequest
from medloom.bench.build import build, is_current
from medloom.bench.documents import DocumentsInput
from medloom.bench.registry import suite, suite_names
from medloom.bench.store import read_suite
from medloom.errors import MedloomError, StageError
from medloom.records import Document

NAMES = ["ask", "rerank", "pairs", "sort", "label", "alike", "order"]


class Writer:
    name = "writer"

    def complete(self, prompt: str) -> str:
        return prompt


@pytest.fixture
def notes(tmp_path: Path) -> DocumentsInput:
    from medloom.artifacts import Manifest, write_manifest, write_table

    folder = tmp_path / "notes"
    folder.mkdir()
    documents = [Document(f"n{i}", "notes", f"title {i}", f"text {i}") for i in range(5)]
    write_table(folder / "documents.parquet", documents, Document)
    write_manifest(folder, Manifest("collect", "f", {}, {}))
    return DocumentsInput("notes", folder)


@pytest.mark.usefixtures("fake_suite")
def test_what_can_be_built_is_and_the_rest_says_why(tmp_path: Path) -> None:
    told: list[str] = []
    built = build("toy", tmp_path / "out", tell=told.append)
    assert [task.name for task in built.tasks] == NAMES
    assert built.left_out == {"hard": "needs notes"}
    assert told[0] == "ask: 12 items"
    assert len(told) == 7
    assert read_suite(tmp_path / "out") == built


@pytest.mark.usefixtures("fake_suite")
def test_with_documents_more_is_built_and_their_hash_is_kept(tmp_path: Path, notes: DocumentsInput) -> None:
    built = build("toy", tmp_path / "out", data=[notes], seed=4)
    assert [task.name for task in built.tasks] == [*NAMES, "hard"]
    assert (built.left_out, built.inputs, built.seed) == ({}, {"notes": notes.hash()}, 4)
    assert "medloom" in built.versions


@pytest.mark.usefixtures("fake_suite")
def test_compat_may_need_a_chat_model(tmp_path: Path, notes: DocumentsInput) -> None:
    built = build("toy", tmp_path / "out", "compat", data=[notes])
    assert built.left_out == {"hard": "needs chat model"}
    assert not build("toy", tmp_path / "out", "compat", data=[notes], chat=Writer()).left_out


@pytest.mark.usefixtures("fake_suite")
def test_only_the_tasks_asked_for(tmp_path: Path) -> None:
    built = build("toy", tmp_path / "out", only=["sort", "ask"])
    assert [task.name for task in built.tasks] == ["ask", "sort"]
    assert not built.left_out
    with pytest.raises(MedloomError, match="the suite toy has no task sport: see `medloom bench tasks --suite toy`"):
        build("toy", tmp_path / "out", only=["sort", "sport"])


@pytest.mark.usefixtures("fake_suite")
def test_nothing_could_be_built(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"no task of toy could be built here \(hard: needs notes\)"):
        build("toy", tmp_path / "out", only=["hard"])
    assert not (tmp_path / "out").exists()


def test_documents_are_read_once_and_only_if_needed(fake_suite: Any, tmp_path: Path, notes: DocumentsInput) -> None:
    reads = []

    class Counting(DocumentsInput):
        def load(self) -> Any:
            reads.append(self.source)
            return super().load()

    counting = Counting(notes.source, notes.path)
    build("toy", tmp_path / "out", only=["ask"], data=[counting])
    assert reads == []
    original = fake_suite.build

    def twice(request: BuildRequest, left_out: dict[str, str]) -> Any:
        request.documents["notes"]()
        return original(request, left_out)

    fake_suite.build = twice
    build("toy", tmp_path / "out", data=[counting])
    assert reads == ["notes"]


def test_a_mode_that_the_suite_does_not_have(fake_suite: Any, tmp_path: Path) -> None:
    fake_suite.modes = ("strict",)
    with pytest.raises(MedloomError, match="the suite toy has no mode compat: it has strict"):
        build("toy", tmp_path / "out", "compat")


def test_suites_are_known_by_name_and_the_nearest_is_named() -> None:
    assert suite_names() == ["open", "checks", "medteb", "medteb-full", "medembed", "mteb-medical"]
    assert suite("medembed").name == "medembed"
    with pytest.raises(MedloomError, match=r"no suite 'medtab' \(did you mean medteb\?\); the suites are: open, checks"):
        suite("medtab")
    with pytest.raises(MedloomError, match="no suite 'zzz'; the suites are"):
        suite("zzz")


def test_what_is_missing_depends_on_the_mode(fake_suite: Any, notes: DocumentsInput) -> None:
    hard = fake_suite.entries()[-1]
    load: dict[str, Callable[[], Any]] = {"notes": notes.load}
    assert BuildRequest().missing(hard) == ("notes",)
    assert BuildRequest("compat").missing(hard) == ("notes", CHAT)
    assert BuildRequest("compat", documents=load).missing(hard) == (CHAT,)
    assert BuildRequest("compat", documents=load, chat=Writer()).missing(hard) == ()
    assert BuildRequest(documents=load).missing(hard) == ()


@pytest.mark.usefixtures("fake_suite")
def test_a_suite_on_disk_is_current_unless_more_is_at_hand(tmp_path: Path, notes: DocumentsInput) -> None:
    without = build("toy", tmp_path / "a", "compat")
    assert is_current(without, [])
    assert not is_current(without, [notes])
    assert not is_current(without, [], chat=True)
    given = build("toy", tmp_path / "b", "compat", data=[notes], chat=Writer())
    assert is_current(given, [notes])
    assert is_current(given, [notes], chat=True)
    assert is_current(given, []), "the documents need not be given again"
    assert not is_current(build("toy", tmp_path / "c", only=["ask"]), []), "the rest was not asked for then"
