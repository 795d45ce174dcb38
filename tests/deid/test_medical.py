"""The medical guard: words that need no identifier to explain them."""

import pytest

from medloom.deid.medical import lexicon, lists
from medloom.deid.page import read_page


@pytest.mark.parametrize(
    "word",
    [
        "fever",
        "noted",
        "brown",
        "lasix",
        "warfarin",
        "parkinson",
        "klebsiella",
        "nigerian",
        "cholecystectomy",
        "gastroenterology",
    ],
)
def test_explained(word: str) -> None:
    """Ordinary words, drugs, eponyms, peoples, and words made as medicine makes them."""
    assert lexicon().explains(word)


@pytest.mark.parametrize("word", ["okafor", "whitaker", "chattanooga", "przybylski"])
def test_unexplained(word: str) -> None:
    """Names that are nothing else."""
    assert not lexicon().explains(word)


@pytest.mark.parametrize("word", ["john", "smith", "johnson", "maria", "boston", "hodgkin"])
def test_names_are_no_ordinary_words(word: str) -> None:
    """Though terminologies hold them, in eponyms."""
    assert word not in lexicon().ordinary


@pytest.mark.parametrize(
    ("text", "word", "eponym"),
    [
        ("the Foley catheter", "foley", True),
        ("Dr. Foley replaced it", "foley", False),
        ("Whitaker syndrome", "whitaker", True),
        ("Whitaker test was done", "whitaker", True),
        ("Whitaker was seen", "whitaker", False),
        ("Child-Pugh class B", "child-pugh", True),
        ("Kerley B lines", "kerley", True),
        ("Wells score", "wells", True),
        ("Miller Fisher variant", "miller", True),
        ("Foley. Disease", "foley", False),
    ],
)
def test_eponyms_in_their_place(text: str, word: str, eponym: bool) -> None:
    """What follows decides."""
    page = read_page(text)
    (i,) = (i for i, t in enumerate(page.tokens) if t.key == word)
    assert lexicon().is_eponym(page, i) is eponym


def test_our_lists_are_folded() -> None:
    """Every entry of words.yaml is written as it is looked up."""
    for name, words in lists().items():
        assert words, name
        assert all(word == word.casefold() for word in words), name
