"""Words, their shapes, and what stands around them."""

import pytest

from medloom.deid.page import fold, read_page


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("Ångström", "angstrom"),
        ("Brown's", "brown"),
        ("O’Dwyer’s", "o'dwyer"),
        ("James'", "james"),
        ("Łódź", "lodz"),
        ("STRAẞE", "strasse"),
    ],
)
def test_folding(word: str, key: str) -> None:
    """Accents, case and the possessive go; the apostrophe inside a name stays."""
    assert fold(word) == key


def test_words_and_places() -> None:
    """Hyphens and apostrophes join, digits and underscores part, combining accents belong to their letter."""
    text = "Wolff-Parkinson-White; Pe\u0301rez-2 x_y O'Neil"
    page = read_page(text)
    assert [text[t.start : t.end] for t in page.tokens] == ["Wolff-Parkinson-White", "Pe\u0301rez", "x", "y", "O'Neil"]
    assert page.tokens[1].key == "perez"


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("anna", "a"),
        ("Anna", "C"),
        ("ANNA", "A"),
        ("J", "I"),
        ("McDonald", "C"),
        ("AFib", "A"),
        ("PVCs", "A"),
        ("Val717", "a"),
        ("SAM-related", "a"),
    ],
)
def test_shapes(text: str, shape: str) -> None:
    """A capital inside a word, or a digit beside it, makes no name."""
    assert read_page(text).tokens[0].shape == shape


def test_sentences_and_shouting() -> None:
    """Where a capital says nothing."""
    page = read_page("Seen. Then Anna\n- Bob said CT HEAD NORMAL")
    words = {t.key: i for i, t in enumerate(page.tokens)}
    assert [page.opens(words[w]) for w in ("seen", "then", "anna", "bob", "said")] == [True, True, False, True, False]
    assert page.shouts(words["head"])
    assert not page.shouts(words["anna"])
