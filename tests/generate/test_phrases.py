"""Key phrases and document frequencies."""

import numpy as np
import pytest

from medloom.generate.phrases import PhraseStats, content_words, is_medical, ranked

NOTE = (
    "The patient underwent laparoscopic cholecystectomy for acute cholecystitis. She was given 500 mg of cefazolin by Dr. "
    "Marlow and denies any chest pain. Crohn's disease was noted in 2010."
)


def test_phrases_stand_in_the_text_and_say_something() -> None:
    found = PhraseStats().phrases(NOTE, 8)
    assert {"laparoscopic cholecystectomy", "acute cholecystitis", "cefazolin", "chest pain", "Crohn's disease"} == set(
        found
    )


@pytest.mark.parametrize(
    "text",
    [
        "She was seen by him and they left.",
        "5 mg, 10 ml, 120/80, 2 x 3 cm, 14-day, 71-year-old, 152mEq/L, II, 3rd",
        "The patient was noted to be stable.",
        "Dr. Marlow Quist",
        "",
        "?! ... --",
    ],
)
def test_no_pronouns_doses_names_or_fillers(text: str) -> None:
    assert PhraseStats().phrases(text, 5) == []


def test_phrases_do_not_cross_marks_verbs_or_paragraphs() -> None:
    found = PhraseStats().phrases("knee effusion, meniscus tear\n\ncartilage loss revealed synovitis", 9)
    assert set(found) == {"knee effusion", "meniscus tear", "cartilage loss", "synovitis"}


def test_one_name_once_and_nothing_overlaps() -> None:
    text = "Renal cyst. A renal cyst and renal cysts. Large renal cyst wall."
    phrases = ranked(text, PhraseStats(), 9)
    assert sum("cyst" in phrase.text.casefold() for phrase in phrases) == 1
    assert all(text[p.start : p.end] == p.text for p in phrases)
    assert all(a.end <= b.start or b.end <= a.start for a in phrases for b in phrases if a is not b)


def test_rare_phrases_come_first() -> None:
    common = ["Patient with asthma on inhaler therapy."] * 30
    stats = PhraseStats.of([*common, "Sarcoidosis with uveitis."])
    assert stats.phrases("asthma and sarcoidosis", 2) == ["sarcoidosis", "asthma"]
    assert PhraseStats.of([*["sarcoidosis"] * 30, "asthma"]).phrases("asthma and sarcoidosis", 2) == [
        "asthma",
        "sarcoidosis",
    ]


def test_sizes_are_left_out() -> None:
    assert PhraseStats().phrases("A large pleural effusion, small bowel obstruction", 3) == [
        "small bowel obstruction",
        "pleural effusion",
    ]


def test_headings_are_no_phrases() -> None:
    assert PhraseStats().phrases("IMPRESSION: Hydrocele.,ANESTHESIA: spinal block", 5) == ["spinal block", "Hydrocele"]


def test_frequencies_count_documents_and_stems() -> None:
    stats = PhraseStats.of(["Renal cysts, renal cysts.", "A renal cyst", "Liver"])
    assert stats.documents == 3
    assert stats.frequency(["renal"]) == 2
    assert stats.frequency(["renal", "cyst"]) == 2 == stats.frequency(["Renal", "CYSTS"])
    assert stats.frequency(["cyst", "renal"]) == 1
    assert stats.frequency(["spleen"]) == 0
    assert stats.idf(["spleen"]) > stats.idf(["liver"]) > stats.idf(["renal"]) > 0


def test_the_order_of_documents_is_of_no_matter() -> None:
    texts = [f"word{i} disease of organ{i % 7}" for i in range(50)]
    one, other = PhraseStats.of(texts), PhraseStats.of(reversed(texts))
    assert all(np.array_equal(a, b) for a, b in zip(one._rows, other._rows, strict=True))


def test_memory_is_bounded_and_counts_are_never_too_low() -> None:
    stats = PhraseStats()
    before = stats._rows.nbytes
    for i in range(300):
        stats.add(" ".join(f"w{i}x{j}" for j in range(100)) + " asthma")
    assert stats._rows.nbytes == before == 16 * 2**20
    assert 300 <= stats.frequency(["asthma"]) < 305
    assert 1 <= stats.frequency(["w5x7", "w5x8"]) <= 3


def test_words() -> None:
    assert content_words("The patient denies chest pain on 5 mg, isn't well") == ["chest", "pain"]
    assert is_medical("Cholecystitis") and is_medical("lisinopril") and is_medical("knee")
    assert not is_medical("doorknob") and not is_medical("ox")


def test_other_languages_do_not_break_it() -> None:
    stats = PhraseStats.of(["Пациент жалуется на кашель", "患者は発熱を訴えた"])
    for text in (
        "Der Patient klagte über starke Kopfschmerzen.",
        "患者は発熱を訴えた",
        "Пациент жалуется на кашель",
        "\ud800 x",
    ):
        assert len(stats.phrases(text, 5)) <= 5
