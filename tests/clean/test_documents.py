"""Clean documents: what changes, what goes, what is counted."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from medloom.clean import CleanConfig, CleanCounts, clean_documents
from medloom.errors import RecipeError
from medloom.records import Document, Section, Synonym

NOTICE = "© 2020 Elsevier B.V. All rights reserved."
GERMAN = "Der Patient wurde wegen starker Schmerzen in der Brust aufgenommen."
ENGLISH = "The patient was admitted because of severe pain in the chest."


def _clean(*documents: Document, config: CleanConfig | None = None) -> tuple[list[Document], CleanCounts]:
    counts = CleanCounts()
    return list(clean_documents(documents, config or CleanConfig(), counts)), counts


def test_every_text_is_repaired_and_nothing_else_changes() -> None:
    document = Document(
        id="Â°1",
        source="s&amp;t",
        title="Fever of 39 Â°C",
        text="  5 Âµg  daily ",
        group="g\u00a0h",
        sections=(Section("Plan &amp; goals", "a\u200bspirin"), Section("Seen", "well")),
        synonyms=(Synonym("Ménière", "exact"), Synonym("MÃ©niÃ¨re", "related", lay=True), Synonym("\u200b")),
        parents=("p  q",),
        categories=("c  d",),
        contains_phi=True,
        deidentified="m",
        revision="2",
        metadata=(("url", "https://example.org/?a&amp;b"),),
    )
    (clean,), counts = _clean(document)
    assert clean == replace(
        document,
        title="Fever of 39 °C",
        text="5 µg daily",
        sections=(Section("Plan & goals", "aspirin"), Section("Seen", "well")),
        synonyms=(Synonym("Ménière", "exact"), Synonym("Ménière", "related", lay=True)),
    )
    assert counts.by_reason == {"repaired": 1}


def test_a_clean_document_is_passed_on() -> None:
    document = Document("1", "s", "Cough", "A dry cough.", sections=(Section("a", "b"),), synonyms=(Synonym("Tussis"),))
    (clean,), counts = _clean(document)
    assert clean is document
    assert (counts.documents, counts.by_reason, counts.removed) == (1, {}, {})


def test_boilerplate_is_counted_by_rule() -> None:
    one = Document("1", "s", "T", f"Fever fell. {NOTICE}")
    two = Document("2", "s", "T", "", sections=(Section("Plan", "Rest.\nPage 2 of 3"), Section("References", "1. A title.")))
    clean, counts = _clean(one, two, Document("3", "s", "T", "Well."))
    assert [d.text for d in clean] == ["Fever fell.", "", "Well."]
    assert clean[1].sections == (Section("Plan", "Rest."),)
    assert counts.by_reason == {"without_boilerplate": 2}
    assert counts.removed == {"copyright": 1, "page_number": 1, "reference_tail": 1}
    clean, counts = _clean(one, two, config=CleanConfig(boilerplate=False))
    assert clean == [one, two] and counts.by_reason == {}


def test_a_text_made_of_sections_follows_them() -> None:
    sections = (Section("a", "5 Âµg. © 2020 The Authors."), Section("See also", "Cough"), Section("b", "Well."))
    document = Document("1", "s", "T", "\n\n".join(s.text for s in sections), sections=sections)
    (clean,), counts = _clean(document)
    assert clean.sections == (Section("a", "5 µg."), Section("b", "Well."))
    assert clean.text == "5 µg.\n\nWell."
    assert counts.removed == {"copyright": 1, "reference_tail": 1}


def test_a_section_of_nothing_visible_goes() -> None:
    sections = (Section("a", "\u200b"), Section("b", "Well."), Section("c", ""))
    (clean,), _ = _clean(Document("1", "s", "T", "\u200b\n\nWell.\n\n", sections=sections))
    assert clean.sections == sections[1:]
    assert clean.text.strip() == "Well."


def test_retracted_documents() -> None:
    retracted = Document("1", "s", "T", "text", metadata=(("retracted", "yes"),))
    fine = Document("2", "s", "T", "text", metadata=(("retracted", "no"),))
    clean, counts = _clean(retracted, fine)
    assert clean == [fine] and counts.dropped == {"retracted": 1}
    assert _clean(retracted, config=CleanConfig(drop_retracted=False))[0] == [retracted]


def test_licences() -> None:
    licences = ["CC BY 4.0", "CC BY-NC", "", "not stated"]
    documents = [Document(str(i), "s", "T", "text", metadata=(("licence", name),)) for i, name in enumerate(licences)]
    documents += [
        Document("4", "s", "T", "text"),
        replace(documents[1], id="5", metadata=(("licence", "MIT"), ("licence", "CC0"))),
    ]
    documents.append(Document("6", "s", "T", "text", metadata=(("licence", "none"),)))
    clean, counts = _clean(*documents, config=CleanConfig(licences=("cc-by", "cc0")))
    assert [d.id for d in clean] == ["0", "5"]
    assert counts.dropped == {"licence": 1, "licence_not_stated": 4}
    clean, counts = _clean(*documents, config=CleanConfig(licences=("cc-by", "not stated")))
    assert [d.id for d in clean] == ["0", "2", "3", "4", "6"]
    assert counts.dropped == {"licence": 2}


def test_languages() -> None:
    documents = [Document("1", "s", "T", ENGLISH), Document("2", "s", "T", GERMAN), Document("3", "s", "Fever")]
    clean, counts = _clean(*documents, config=CleanConfig(languages=("en",)))
    assert [d.id for d in clean] == ["1", "3"] and counts.dropped == {"language": 1}
    with pytest.raises(RecipeError, match="cannot be told"):
        _clean(*documents, config=CleanConfig(languages=("qq",)))


def test_short_and_empty_documents() -> None:
    documents = [
        Document("1", "s", "Fever"),
        Document("2", "s", "T", "short"),
        Document("3", "s", "T", "long enough"),
        Document("4", "s", "T", "s", sections=(Section("a", "five5"), Section("b", "four"))),
        Document("5", "s", "Correction", "[This corrects the article DOI: 10.1/2.]"),
        Document("6", "s", "\u200b"),
        Document("7", "s", "T", sections=(Section("References", "1. A title."),)),
        Document("8", "s", "T", "s", sections=(Section("a", "five5"), Section("b", "five5"))),
    ]
    clean, counts = _clean(*documents, config=CleanConfig(min_chars=10))
    assert [d.id for d in clean] == ["1", "3", "8"]
    assert counts.dropped == {"too_short": 2, "empty": 3}


def test_long_documents_are_cut_where_a_sentence_ends() -> None:
    long = " ".join(f"This is sentence {n} of many." for n in range(20))
    sections = (Section("a", long[:55]), Section("b", long), Section("c", "never reached"))
    clean, counts = _clean(
        Document("1", "s", "T", long), Document("2", "s", "T", sections=sections), config=CleanConfig(max_chars=120)
    )
    assert clean[0].text == " ".join(f"This is sentence {n} of many." for n in range(4))
    assert [s.heading for s in clean[1].sections] == ["a", "b"]
    assert clean[1].sections[1].text == "This is sentence 0 of many. This is sentence 1 of many."
    assert counts.by_reason == {"cut": 2}


def test_documents_stream() -> None:
    read: list[int] = []

    def documents() -> Iterator[Document]:
        for n in range(1000):
            read.append(n)
            yield Document(str(n), "s", "T", "text")

    stream = clean_documents(documents(), CleanConfig(), CleanCounts())
    assert next(stream).id == "0" and len(read) == 1


def test_cleaning_again_changes_nothing() -> None:
    document = Document("1", "s", "a&amp;b", f"Fell.\n\nPage 3\n {NOTICE}", sections=(Section("x", f"y\u00a0z. {NOTICE}"),))
    once, _ = _clean(document)
    again, counts = _clean(*once)
    assert again == once and counts.by_reason == {}
