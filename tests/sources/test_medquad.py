"""The MedQuAD source, on rows of our own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from medloom.errors import RowError, SourceError
from medloom.records import Document
from medloom.sources import Rejects
from medloom.sources.medquad import MedQuadSource

Write = Callable[..., Path]


def _read(folder: Path, **settings: object) -> list[Document]:
    source = MedQuadSource(**settings).relative_to(folder)
    return list(source.documents(Rejects(folder / "rejects.jsonl")))


def test_both_ways_to_name_the_fields(tmp_path: Path, write_jsonl: Write) -> None:
    write_jsonl("a.jsonl", [{"id": "1-1", "focus": "Gout", "question": "What is gout ?", "answer": "A disease.\n"}])
    write_jsonl("b.jsonl", [{"question_id": "1-2", "question_focus": "Gout", "question": "Who gets gout ?", "answer": None}])
    assert _read(tmp_path, path=(Path("a.jsonl"), Path("b.jsonl"))) == [
        Document("1-1", "medquad", "What is gout ?", "A disease.", "Gout"),
        Document("1-2", "medquad", "Who gets gout ?", "", "Gout"),
    ]


def test_ids_that_repeat_get_the_number_of_their_row(tmp_path: Path, write_jsonl: Write) -> None:
    rows = [
        {"id": i, "focus": "Gout", "question": f"Question {n}?", "answer": "."} for n, i in enumerate(["7", "7", "8", "7"])
    ]
    rows.append({"focus": "Gout", "question": "Without id?", "answer": "."})
    write_jsonl("a.jsonl", rows)
    assert [d.id for d in _read(tmp_path, path=Path("a.jsonl"))] == ["7", "7#2", "8", "7#4", "5"]


def test_a_row_without_question(tmp_path: Path, write_jsonl: Write) -> None:
    path = write_jsonl("a.jsonl", [{"answer": "secret"}, {"question": "What?", "answer": "secret"}])
    with pytest.raises(RowError, match=rf"{path}, line 1: no text in the field 'question'.*on_error: skip") as caught:
        _read(tmp_path, path=Path("a.jsonl"))
    assert "secret" not in str(caught.value)
    assert [d.title for d in _read(tmp_path, path=Path("a.jsonl"), on_error="skip")] == ["What?"]
    assert "line 1" in (tmp_path / "rejects.jsonl").read_text("utf-8")


@pytest.mark.parametrize(("value", "problem"), [(3, "holds int"), ("a\ud800", "surrogate")])
def test_a_field_that_is_no_text(tmp_path: Path, write_jsonl: Write, value: object, problem: str) -> None:
    write_jsonl("a.jsonl", [{"question": "What?", "answer": value}])
    with pytest.raises(RowError, match=f"field 'answer' {problem}|field 'answer' .*{problem}"):
        _read(tmp_path, path=Path("a.jsonl"))


def test_files_that_cannot_be_read(tmp_path: Path, write_jsonl: Write) -> None:
    write_jsonl("empty.jsonl", [])
    with pytest.raises(SourceError, match=r"source medquad: no file .*gone\.jsonl"):
        _read(tmp_path, path=Path("gone.jsonl"))
    with pytest.raises(SourceError, match=r"empty\.jsonl holds no rows"):
        _read(tmp_path, path=Path("empty.jsonl"))
    with pytest.raises(SourceError, match="path is empty"):
        _read(tmp_path, path=())


def test_a_folder_stands_for_its_tables(tmp_path: Path, write_jsonl: Write) -> None:
    write_jsonl("b.jsonl", [{"question": "Second?"}])
    write_jsonl("a.jsonl", [{"question": "First?"}])
    (tmp_path / "LICENCE.txt").write_text("CC BY 4.0", "utf-8")
    assert [d.title for d in _read(tmp_path, path=Path())] == ["First?", "Second?"]
    (tmp_path / "other").mkdir()
    with pytest.raises(SourceError, match="nor a folder with JSONL"):
        _read(tmp_path, path=Path("other"))


def test_release_inputs_and_count(tmp_path: Path, write_jsonl: Write) -> None:
    path = write_jsonl("a.jsonl", [{"question": "What?", "answer": "This."}])
    source = MedQuadSource(path=path, version="2019")
    assert (source.release().licence, source.release().version) == ("CC BY 4.0", "2019")
    assert MedQuadSource(path=path).release().version == "not stated"
    before = source.inputs()
    assert list(before) == ["1-a.jsonl"]
    assert source.count() == 1
    write_jsonl("a.jsonl", [{"question": "What?", "answer": "That."}] * 2)
    assert source.inputs() != before
    assert source.count() == 2
