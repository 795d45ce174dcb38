"""Chunks cover their document, know their place, and fit the model."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.records import Document, Section, Synonym
from medloom.search.chunks import Chunker, ChunkSettings, chunk_id, document_digest, part_text
from medloom.search.records import CATEGORY, Chunk
from medloom.text.sentences import sentence_spans


def words(texts: Sequence[str]) -> list[int]:
    """A tokenizer that makes a token of every word, and one more of every six further letters."""
    return [sum(1 + (len(word) - 1) // 6 for word in text.split()) for text in texts]


def chunker(tokens: int = 24, overlap: int = 1, limit: int = 1_000) -> Chunker:
    return Chunker(ChunkSettings(tokens=tokens, overlap=overlap), words, limit)


def cut(document: Document, tokens: int = 24, overlap: int = 1, limit: int = 1_000) -> list[Chunk]:
    return chunker(tokens, overlap, limit)(document)


WORDS = [
    "fever",
    "Cough",
    "a",
    "no",
    "immunoglobulin",
    "heart.",
    "Dr.",
    "5 mg",
    "x" * 70,
    "pain.",
    "The",
    "b.i.d.",
    "- item",
    "\n",
    "é.",
]
TEXT = st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join)
TEXTS = TEXT | st.text(max_size=80)
DOCUMENTS = st.builds(
    Document,
    id=st.just("d"),
    source=st.just("s"),
    title=TEXTS,
    text=TEXTS,
    sections=st.lists(st.builds(Section, TEXTS, TEXTS), max_size=3).map(tuple),
    synonyms=st.lists(st.builds(Synonym, TEXT), max_size=2).map(tuple),
)


@given(DOCUMENTS, st.integers(16, 40), st.integers(0, 3))
def test_chunks_know_their_place_and_fit(document: Document, tokens: int, overlap: int) -> None:
    chunks = cut(document, tokens, overlap)
    for number, chunk in enumerate(chunks):
        assert chunk.text == part_text(document, chunk.part)[chunk.start : chunk.end]
        assert chunk.text == chunk.text.strip() != ""
        assert chunk.number == number
        assert chunk.id == chunk_id("s", "d", number)
        assert chunk.heading == (document.sections[chunk.part].heading if chunk.part >= 0 else "")
        assert words([chunk.embedded])[0] <= tokens or len(chunk.text) == 1
    assert len({chunk.digest for chunk in chunks}) == len(chunks)
    assert chunks == cut(document, tokens, overlap)


@given(TEXT, st.integers(16, 40), st.integers(0, 3))
def test_every_letter_of_a_text_is_in_a_chunk(text: str, tokens: int, overlap: int) -> None:
    chunks = cut(Document(id="d", source="s", text=text or "x"), tokens, overlap)
    covered = {i for chunk in chunks for i in range(chunk.start, chunk.end)}
    assert {i for i, letter in enumerate(text) if not letter.isspace()} <= covered
    assert [c.start for c in chunks] == sorted(c.start for c in chunks)


SENTENCES = " ".join(f"Sentence {name} is here for the test." for name in ("one", "two", "three", "four", "five", "six"))


def test_chunks_begin_and_end_with_sentences_and_overlap() -> None:
    chunks = cut(Document(id="d", source="s", text=SENTENCES), tokens=24, overlap=1)
    spans = sentence_spans(SENTENCES)
    assert {c.start for c in chunks} <= {start for start, _ in spans}
    assert {c.end for c in chunks} <= {end for _, end in spans}
    assert [c.text.count(".") for c in chunks] == [3, 3, 2]
    assert chunks[1].text.startswith("Sentence three")
    assert [c.text.count(".") for c in cut(Document(id="d", source="s", text=SENTENCES), overlap=0)] == [3, 3]


def test_a_chunk_is_of_one_section_and_says_which() -> None:
    document = Document(
        id="d",
        source="s",
        title="Asthma",
        sections=(Section("History", "Wheezes."), Section("", "  "), Section("Plan", "Inhaler.")),
    )
    first, second = cut(document)
    assert (first.heading, first.part, first.text, second.heading, second.part) == ("History", 0, "Wheezes.", "Plan", 2)
    assert second.embedded == "Asthma - Plan\nInhaler."


def test_the_model_reads_no_more_than_it_can() -> None:
    chunks = cut(Document(id="d", source="s", text=SENTENCES), tokens=200, limit=16)
    assert all(words([c.embedded])[0] <= 16 for c in chunks)
    assert len(chunks) > 2


def test_a_long_title_leaves_room_for_the_text() -> None:
    title = " ".join(["word"] * 90)
    (chunk,) = cut(Document(id="d", source="s", title=title, text="Short text."), tokens=30)
    assert chunk.title == title
    assert chunk.embedded == " ".join(["word"] * 10) + "\nShort text."


def test_a_concept_is_one_chunk_of_names_and_definition() -> None:
    document = Document(
        id="d",
        source="s",
        title="Dyspnea",
        text="Hard breathing.",
        synonyms=(Synonym("Short of breath"), Synonym("Dyspnea")),
    )
    (chunk,) = cut(document)
    assert chunk.text == "Dyspnea\nShort of breath\nHard breathing."
    assert chunk.embedded == chunk.text
    assert (chunk.part, chunk.start, chunk.end) == (-1, 0, len(chunk.text))


def test_a_bare_title_can_be_found_and_nothing_cannot() -> None:
    (chunk,) = cut(Document(id="d", source="s", title="Gout"))
    assert (chunk.text, chunk.embedded) == ("Gout", "Gout")
    assert cut(Document(id="d", source="s", text=" \n")) == []


PARTS = (Section("Aim", "To test\n a drug."), Section("Method", "Two arms. Blinded."))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("To test a drug.\n\nTwo arms. Blinded.", [0, 1]),
        ("Aim\nTo test a drug.\nMethod:\nTwo arms. Blinded.", [0, 1]),
        ("To test a drug.", [0, 1]),
        ("", [0, 1]),
        ("Something else.", [-1, 0, 1]),
        ("To test a drug. Two arms. Blinded. Funded.", [-1]),
        ("To test a drug. Funded.", [-1, 1]),
    ],
)
def test_what_text_and_sections_both_say_is_cut_once(text: str, parts: list[int]) -> None:
    assert [c.part for c in cut(Document(id="d", source="s", text=text, sections=PARTS))] == parts


def test_facts_and_group_go_with_the_chunk() -> None:
    document = Document(
        id="d", source="s", text="A.", categories=("heart",), metadata=(("date", "2020"), ("mesh", "A"), ("mesh", "B"))
    )
    (chunk,) = cut(document)
    assert chunk.facts == ((CATEGORY, "heart"), ("date", "2020"), ("mesh", "A"), ("mesh", "B"))
    assert chunk.group == "d"
    assert cut(replace(document, group="p"))[0].group == "p"


def test_the_digest_of_a_document_follows_what_the_index_keeps() -> None:
    document = Document(id="d", source="s", title="T", text="A.", metadata=(("date", "2020"),))
    changes = (
        {"title": "U"},
        {"text": "B."},
        {"metadata": ()},
        {"group": "g"},
        {"categories": ("c",)},
        {"contains_phi": True},
    )
    digests = {document_digest(document), *(document_digest(replace(document, **change)) for change in changes)}
    assert len(digests) == 7
    assert document_digest(replace(document, revision="2")) == document_digest(document)


def test_ids_do_not_run_into_each_other() -> None:
    assert len({chunk_id("a", "b1", 1), chunk_id("a", "b", 11), chunk_id("ab", "1", 1), chunk_id("a", "b1", 2)}) == 4
