"""Pairs read off the structure of documents."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.generate.config import TASK_KINDS
from medloom.mine import PairsConfig, pairs_of, target_of
from medloom.mine.pairs import TARGETS
from medloom.records import CONCEPT, Document, Section, Synonym
from medloom.text import text_key


def pairs(document: Document, **settings: Any) -> tuple[list[tuple[str, str, str]], dict[str, int]]:
    """(kind, query, positive) of each pair, and what was dropped."""
    counts: dict[str, int] = {}
    records = list(pairs_of(document, PairsConfig(**settings), counts))
    assert {(r.source, r.doc_id, r.negatives, r.scores) for r in records} <= {(document.source, document.id, (), ())}
    assert all(len(r.positives) == 1 for r in records)
    return [(r.kind, r.query, r.positives[0]) for r in records], counts


def concept(*synonyms: Synonym, **fields: Any) -> Document:
    return Document("1", "s", **({"title": "Cardiomegaly", "categories": ("Heart",)} | fields), synonyms=synonyms)


def test_concepts_give_names_and_definitions() -> None:
    document = concept(
        Synonym("Large heart", lay=True),
        Synonym("Enlarged heart"),
        Synonym("Heart trouble", "broad"),
        text="The heart is big.",
    )
    found, counts = pairs(document)
    assert found == [
        ("lay_name", "Large heart", "Cardiomegaly"),
        ("synonym_name", "Enlarged heart", "Cardiomegaly"),
        ("name_definition", "Cardiomegaly", "The heart is big."),
    ]
    assert counts == {}


def test_prose_gives_titles_headings_and_paragraphs() -> None:
    document = Document(
        "1", "s", "Fever", "Intro.\n\nMore.", sections=(Section("", "First one.\n\nThen two."), Section("Dose", "Take one."))
    )
    found, counts = pairs(document)
    assert found == [
        ("title_text", "Fever", "Intro. More."),
        ("heading_section", "Fever: Dose", "Take one."),
        ("paragraph_next", "First one.", "Then two."),
    ]
    assert counts == {}


def test_headings_without_title_and_paragraphs_without_sections() -> None:
    assert pairs(Document("1", "s", sections=(Section("Dose", "Take one."),)))[0] == [
        ("heading_section", "Dose", "Take one.")
    ]
    assert pairs(Document("1", "s", text="One here.\n\nTwo here.\n\nThree here."))[0] == [
        ("paragraph_next", "One here.", "Two here."),
        ("paragraph_next", "Two here.", "Three here."),
    ]


@pytest.mark.parametrize("fields", [{"parents": ("2",)}, {"metadata": (CONCEPT,)}])
def test_what_makes_a_concept(fields: dict[str, Any]) -> None:
    assert pairs(Document("1", "s", "Name", "What it is.", **fields))[0] == [("name_definition", "Name", "What it is.")]
    prose = Document("1", "s", "Name", "What it is.", categories=("found by this search",))
    assert pairs(prose)[0] == [("title_text", "Name", "What it is.")]


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (("exact",), ["one", "lay"]),
        (("narrow",), ["two"]),
        (("exact", "broad", "related"), ["one", "three", "four", "lay"]),
        ((), []),
    ],
)
def test_scopes(scopes: Sequence[str], expected: list[str]) -> None:
    document = concept(
        Synonym("one"),
        Synonym("two", "narrow"),
        Synonym("three", "broad"),
        Synonym("four", "related"),
        Synonym("lay", lay=True),
    )
    found, _ = pairs(document, scopes=scopes)
    assert sorted(query for _, query, _ in found) == sorted(expected)


def test_only_the_kinds_asked_for() -> None:
    document = concept(Synonym("Large heart", lay=True), Synonym("Enlarged heart"), text="The heart is big.")
    assert [k for k, _, _ in pairs(document, kinds=("name_definition", "lay_name"))[0]] == ["lay_name", "name_definition"]
    assert pairs(document, kinds=())[0] == []


NOTE = Document(
    "1",
    "s",
    "A stay",
    sections=(
        Section("Chief Complaint", "Cough"),
        Section("history", "Since Monday."),
        Section("HISTORY", "And before."),
        Section("diagnosis", "Pneumonia"),
    ),
)


def test_sections_that_belong_together() -> None:
    wanted = [
        {"query": "Diagnosis", "finds": ["chief complaint", " history "]},
        {"query": "title", "finds": ["diagnosis"]},
        {"query": "diagnosis", "finds": ["chief complaint", "instructions"]},
        {"query": "instructions", "finds": ["diagnosis"]},
    ]
    assert pairs(NOTE, kinds=("section_section",), section_pairs=wanted)[0] == [
        ("section_section", "Pneumonia", "Cough Since Monday. And before."),
        ("section_section", "A stay", "Pneumonia"),
    ]


def test_no_sections_are_paired_unasked() -> None:
    assert {kind for kind, _, _ in pairs(NOTE)[0]} == {"heading_section"}
    assert pairs(NOTE, kinds=("section_section",))[0] == []


def test_every_kind_has_a_target() -> None:
    assert {kind: target_of(kind) for kind in TARGETS} == {
        "lay_name": "title",
        "synonym_name": "title",
        "name_definition": "text",
        "title_text": "text",
        "heading_section": "part",
        "paragraph_next": "part",
        "section_section": "part",
        "keyword_passage": "passage",
        "question_passage": "passage",
        "treatment_passage": "passage",
        "lay_passage": "passage",
        "passage_question": "question",
    }


def test_generated_kinds_and_kinds_of_others_have_a_target() -> None:
    assert set(TASK_KINDS.values()) <= set(TARGETS)
    assert target_of("brought_along") == "passage"


def test_drops_are_counted() -> None:
    document = concept(
        Synonym("cardiomegaly!"),
        Synonym("CARDIOMEGALY", lay=True),
        Synonym("Big"),
        Synonym("big?"),
        Synonym("ab"),
        Synonym("???"),
        Synonym("Large"),
    )
    found, counts = pairs(document)
    assert found == [("synonym_name", "Big", "Cardiomegaly"), ("synonym_name", "Large", "Cardiomegaly")]
    assert counts == {"same_text": 2, "repeated_in_document": 1, "too_short": 2}


def test_a_query_may_recur_under_another_kind() -> None:
    found, counts = pairs(concept(Synonym("Large heart", lay=True), Synonym("Large heart")))
    assert [kind for kind, _, _ in found] == ["lay_name", "synonym_name"]
    assert counts == {}


def test_a_concept_without_a_name_gives_no_names() -> None:
    found, counts = pairs(concept(Synonym("Large heart"), title=""))
    assert found == []
    assert counts == {"too_short": 1}


def test_counts_add_up_over_documents() -> None:
    counts = {"too_short": 5}
    list(pairs_of(concept(Synonym("ab")), PairsConfig(), counts))
    assert counts == {"too_short": 6}


def test_texts_are_cut_at_a_word() -> None:
    text = "word " * 20
    found, _ = pairs(Document("1", "s", "A title", text), max_chars=52)
    assert found == [("title_text", "A title", " ".join(["word"] * 10))]
    found, _ = pairs(Document("1", "s", "A title", "x" * 80), max_chars=52)
    assert found == [("title_text", "A title", "x" * 52)]
    whole = "y" * 47 + " word"
    assert pairs(Document("1", "s", "A title", whole), max_chars=52)[0][0][2] == whole


def test_a_cut_never_drops_a_word_that_fits() -> None:
    text = "a" * 45 + " " + "b" * 6 + " tail"
    found, _ = pairs(Document("1", "s", "A title", text), max_chars=52)
    assert found == [("title_text", "A title", "a" * 45 + " " + "b" * 6)]


TEXT = st.text("ab \n.é", max_size=120)


@given(
    st.builds(
        Document,
        st.just("1"),
        st.just("s"),
        TEXT,
        TEXT,
        sections=st.lists(st.builds(Section, TEXT, TEXT), max_size=3).map(tuple),
        synonyms=st.lists(st.builds(Synonym, TEXT, st.just("exact"), st.booleans()), max_size=4).map(tuple),
    )
)
def test_pairs_are_always_usable(document: Document) -> None:
    found, _ = pairs(document, max_chars=50, min_chars=2)
    for _, query, positive in found:
        assert 2 <= len(query) <= 50
        assert 2 <= len(positive) <= 50
        assert "\n" not in query + positive
        assert "" != text_key(query) != text_key(positive) != ""
    assert len({(k, text_key(q), text_key(p)) for k, q, p in found}) == len(found)
