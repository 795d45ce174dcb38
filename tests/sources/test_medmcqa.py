"""The MedMCQA source, on rows of our own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medloom.errors import RowError, SourceError
from medloom.records import Document
from medloom.sources import Rejects
from medloom.sources.medmcqa import MedMcqaSource

Write = Callable[..., Path]


def _row(cop: object, **more: object) -> dict[str, Any]:
    letters = {f"op{letter}": f"option {letter}" for letter in "abcd"}
    return {"question": "Which one?", "cop": cop, "exp": "Because.", **letters, **more}


def _read(*paths: Path, **settings: object) -> list[Document]:
    source = MedMcqaSource(path=paths, **settings)
    return list(source.documents(Rejects(paths[0].with_name("rejects.jsonl"))))


def _correct(document: Document) -> list[str]:
    return [s.text for s in document.sections if s.heading == "correct option"]


@pytest.mark.parametrize(("cops", "letters"), [((0, 2, 3), "acd"), ((1, 3, 4), "acd"), (("1", "4"), "ad")])
def test_the_first_option_is_found(write_jsonl: Write, cops: tuple[object, ...], letters: str) -> None:
    documents = _read(write_jsonl("a.jsonl", [_row(cop) for cop in cops]))
    assert [_correct(d) for d in documents] == [[f"option {letter}"] for letter in letters]
    assert [s.text for s in documents[0].sections] == [f"option {letter}" for letter in "abcd"]
    assert documents[0].title == "Which one?"
    assert documents[0].text == "Because."


def test_each_file_has_its_own_numbering(write_jsonl: Write) -> None:
    documents = _read(write_jsonl("a.jsonl", [_row(0), _row(1)]), write_jsonl("b.jsonl", [_row(1), _row(4)]))
    assert [_correct(d)[0][-1] for d in documents] == ["a", "b", "a", "d"]
    assert [d.id for d in documents] == ["1", "2", "3", "4"]


def test_withheld_answers_and_absent_texts(write_jsonl: Write) -> None:
    first, second, third = _read(write_jsonl("a.jsonl", [_row(-1, exp=None), _row(None, id="x"), _row(0, opb="", id="x")]))
    assert {s.heading for s in (*first.sections, *second.sections)} == {"option"}
    assert first.text == ""
    assert [s.heading for s in third.sections] == ["correct option", "wrong option", "wrong option"]
    assert [first.id, second.id, third.id] == ["1", "x", "x#3"]


def test_a_numbering_that_cannot_be_told(write_jsonl: Write) -> None:
    unclear = write_jsonl("a.jsonl", [_row(1), _row(2)])
    with pytest.raises(SourceError, match="from 0 or from 1: set first_option"):
        _read(unclear)
    assert [_correct(d)[0][-1] for d in _read(unclear, first_option="0")] == ["b", "c"]
    assert [_correct(d)[0][-1] for d in _read(unclear, first_option="1")] == ["a", "b"]
    with pytest.raises(SourceError, match="both 0 and 4"):
        _read(write_jsonl("b.jsonl", [_row(0), _row(4)]))


@pytest.mark.parametrize(("cop", "problem"), [(7, "names none of the four"), ("b", "no whole number")])
def test_bad_answers(write_jsonl: Write, cop: object, problem: str) -> None:
    path = write_jsonl("a.jsonl", [_row(0), _row(cop)])
    with pytest.raises(RowError, match=f"line 2: field 'cop'.*{problem}"):
        _read(path)
    assert len(_read(path, on_error="skip")) == 1


def test_release_inputs_and_count(write_jsonl: Write) -> None:
    source = MedMcqaSource(path=write_jsonl("a.jsonl", [_row(0)]))
    assert source.release().licence == "MIT"
    assert list(source.inputs()) == ["1-a.jsonl"]
    assert source.count() == 1
