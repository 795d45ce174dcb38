"""The MedQA source, on rows of our own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medloom.errors import RowError
from medloom.records import Document, Section
from medloom.sources import Rejects
from medloom.sources.medqa import MedQaSource

Write = Callable[..., Path]
ROW: dict[str, Any] = {"question": "Which organ pumps?", "options": {"A": "Liver", "B": "Heart "}, "answer_idx": "B"}


def _read(path: Path, **settings: object) -> list[Document]:
    return list(MedQaSource(path=path, **settings).documents(Rejects(path.with_name("rejects.jsonl"))))


def test_options_become_sections_in_order(write_jsonl: Write) -> None:
    path = write_jsonl("a.jsonl", [ROW, ROW | {"options": json.dumps(ROW["options"]), "id": "q2"}])
    sections = (Section("wrong option", "Liver"), Section("correct option", "Heart"))
    assert _read(path) == [
        Document("1", "medqa", "Which organ pumps?", sections=sections, metadata=(("licence", "MIT"),)),
        Document("q2", "medqa", "Which organ pumps?", sections=sections, metadata=(("licence", "MIT"),)),
    ]


def test_a_withheld_answer(write_jsonl: Write) -> None:
    document = _read(write_jsonl("a.jsonl", [ROW | {"answer_idx": None}]))[0]
    assert [s.heading for s in document.sections] == ["option", "option"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"answer_idx": "E"}, "'answer_idx' names none"),
        ({"options": ["Liver"]}, "'options' must map"),
        ({"options": {}}, "'options' must map"),
        ({"options": {"A": 3}}, "'options' must map"),
        ({"options": "{"}, "'options' is not valid JSON"),
        ({"question": "  "}, "no text in the field 'question'"),
    ],
)
def test_bad_rows(write_jsonl: Write, change: dict[str, object], problem: str) -> None:
    path = write_jsonl("a.jsonl", [ROW | change, ROW])
    with pytest.raises(RowError, match=problem) as caught:
        _read(path)
    assert "line 1" in str(caught.value)
    assert "Liver" not in str(caught.value)
    assert len(_read(path, on_error="skip")) == 1


def test_release_inputs_and_count(write_jsonl: Write) -> None:
    source = MedQaSource(path=write_jsonl("a.jsonl", [ROW, ROW]))
    assert source.release().licence == "MIT"
    assert list(source.inputs()) == ["1-a.jsonl"]
    assert source.count() == 2
