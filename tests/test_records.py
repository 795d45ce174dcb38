"""Documents and training records: what they say of themselves, and that rows keep all of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.records import Document, Section, Synonym, TrainingRecord

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
SYNONYMS = st.lists(
    st.builds(Synonym, TEXT, st.sampled_from(("exact", "narrow", "broad", "related")), st.booleans()), max_size=3
)
DOCUMENTS = st.builds(
    Document,
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    st.lists(st.builds(Section, TEXT, TEXT), max_size=3).map(tuple),
    SYNONYMS.map(tuple),
    TEXTS,
    TEXTS,
    st.sampled_from((None, True, False)),
    TEXT,
    TEXT,
    st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
)
RECORDS = st.builds(
    TrainingRecord, TEXT, TEXTS, TEXT, TEXT, TEXT, TEXTS, st.lists(st.floats(-1, 1, width=32), max_size=3).map(tuple)
)


@given(DOCUMENTS)
def test_a_document_survives_as_a_row(document: Document) -> None:
    assert Document.from_row(document.to_row()) == document


@given(RECORDS)
def test_a_record_survives_as_a_row(record: TrainingRecord) -> None:
    assert TrainingRecord.from_row(record.to_row()) == record


def test_rows_are_plain_values() -> None:
    row = Document("1", "s", sections=(Section("h", "t"),), synonyms=(Synonym("n", lay=True),)).to_row()
    assert row["sections"] == ({"heading": "h", "text": "t"},)
    assert row["synonyms"] == ({"text": "n", "scope": "exact", "lay": True},)


def test_names() -> None:
    assert Document("1", "s", "Title", synonyms=(Synonym("a"), Synonym(""), Synonym("b", "broad"))).names() == [
        "Title",
        "a",
        "b",
    ]
    assert Document("1", "s", synonyms=(Synonym("a"),)).names() == ["a"]
    assert Document("1", "s").names() == []


def test_split_key() -> None:
    assert Document("1", "s").split_key == "s:1"
    assert Document("1", "s", group="patient").split_key == "s:patient"


def test_task() -> None:
    assert TrainingRecord("q", ("p",), "lay_name", "hpo", "1").task == "hpo/lay_name"


def test_records_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Document("1", "s").title = "x"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        TrainingRecord("q", ("p",), "k", "s", "1").query = "x"  # type: ignore[misc]


def test_facts() -> None:
    document = Document("1", "s", metadata=(("mesh", "Fever"), ("mesh", "Cough")))
    assert document.fact("mesh") == "Fever"
    assert document.fact("date") == ""
