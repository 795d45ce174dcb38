"""The normal form of texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.text import characters_key, clean, text_key, words
from medloom.text.normalise import one_line


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Déjà vu", "deja vu"),
        ("e\u0301toile", "étoile"),
        ("STRASSE", "Straße"),
        ("fever,  high!", "Fever (high)"),
        ("ﬁbrosis", "fibrosis"),
        ("H₂O", "H2O"),
        ("½ tablet", "1⁄2 tablet"),
        ("Ⅳ", "iv"),
        ("ΜΕΓΑΣ", "μεγας"),
        ("a\u00a0b", "a b"),
        ("one\ntwo\tthree", "one two three"),
        ("Behçet's", "behcet s"),
    ],
)
def test_two_spellings_of_one_text(a: str, b: str) -> None:
    assert text_key(a) == text_key(b) != ""


@pytest.mark.parametrize(("a", "b"), [("type 1", "type 2"), ("ab c", "a bc"), ("B12", "B 12"), ("心", "肺")])
def test_two_texts(a: str, b: str) -> None:
    assert text_key(a) != text_key(b)


def test_words() -> None:
    assert words("Café-au-lait spots: 6 or more (≥ 1.5 cm).") == [
        "cafe",
        "au",
        "lait",
        "spots",
        "6",
        "or",
        "more",
        "1",
        "5",
        "cm",
    ]
    assert words("?!… —") == []


@given(st.text())
def test_text_key_is_idempotent(text: str) -> None:
    assert text_key(text_key(text)) == text_key(text)


@given(st.text())
def test_text_key_does_not_see_outer_space(text: str) -> None:
    assert text_key(f"\n {text}\t") == text_key(text)


@given(st.text(st.characters(max_codepoint=127)))
def test_text_key_does_not_see_case(text: str) -> None:
    assert text_key(text.upper()) == text_key(text.lower())


@given(st.text())
def test_text_key_is_the_words(text: str) -> None:
    assert text_key(text) == " ".join(words(text))
    assert all(words(text))


@given(st.text())
def test_clean_is_idempotent_and_keeps_the_words_and_lines(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert "\r" not in once
    assert not [c for c in once if ord(c) < 32 and c not in "\n\t"]
    assert once == once.strip()


def test_clean() -> None:
    assert clean("\ufefffever"[1:]) == "fever"
    assert clean(" a\x00\x07b\r\nc\rd\x7f\tE\u00a0f \n") == "ab\nc\nd\tE\u00a0f"


def test_one_line() -> None:
    assert one_line("  a\n\n b\t\u00a0c  ") == "a b c"


def test_character_grams() -> None:
    assert characters_key("Fever!") == {"feve", "ever"}
    assert characters_key("Fever!", n=5) == {"fever"}
    assert characters_key("ab") == {"ab"}
    assert characters_key("a b c") == {"a b ", " b c"}
