"""The language of a text, and when it cannot be told."""

import pytest

from medloom.errors import RecipeError
from medloom.records import Document, Section
from medloom.text.language import UNKNOWN, check_languages, is_in, language_of

GERMAN = "Der Patient wurde wegen starker Schmerzen in der Brust aufgenommen."
ENGLISH = "The patient was admitted because of severe pain in the chest."


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (ENGLISH, "en"),
        (ENGLISH.upper(), "en"),
        (GERMAN, "de"),
        ("Le patient a été admis pour une douleur thoracique depuis deux jours.", "fr"),
        ("Paciente de 54 años con dolor torácico y disnea de esfuerzo.", "es"),
        ("患者は三日前からの胸痛のため入院した。", "ja"),
        ("目的:探讨急性胰腺炎患者的临床特点。方法:回顾性分析本院收治的患者。", "zh"),
        ("He takes 81 mg of aspirin and 25 mg of metoprolol b.i.d. for his heart.", "en"),
    ],
)
def test_what_can_be_told(text: str, language: str) -> None:
    found, probability = language_of(text)
    assert found == language
    assert 0.7 <= probability <= 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Fever",
        "Morbus Crohn",
        "10 20 30 40 50 60 70",
        "胸痛",
        "Na 138 K 4.1 Cl 101 HCO3 24 BUN 12 Cr 0.9 Glu 110 WBC 9.1 Hgb 12.0",
        "aspirin 81 mg daily, metoprolol 25 mg b.i.d., lisinopril 10 mg q.d., atorvastatin 40 mg qhs, furosemide 20 mg",
        "Staphylococcus aureus, Escherichia coli, Klebsiella pneumoniae, Enterococcus faecalis",
    ],
)
def test_what_cannot_be_told(text: str) -> None:
    assert language_of(text)[0] == UNKNOWN


def test_documents_are_told_by_the_first_part_that_tells() -> None:
    english = ("en",)
    assert is_in(Document("1", "s", "Fever"), english)
    assert is_in(Document("1", "s", GERMAN, ENGLISH), english)
    assert not is_in(Document("1", "s", ENGLISH, GERMAN), english)
    assert is_in(Document("1", "s", ENGLISH, GERMAN), ("de", "en"))
    assert not is_in(Document("1", "s", sections=(Section("Anamnese", GERMAN),)), english)
    assert not is_in(Document("1", "s", GERMAN, "Fever"), english)


def test_a_language_that_cannot_be_told_is_refused() -> None:
    check_languages(("en", "de", "zh"))
    with pytest.raises(RecipeError, match="'qq' cannot be told"):
        check_languages(("en", "qq"))
    with pytest.raises(RecipeError, match="'la'"):
        check_languages(("la",))
