"""Splits that tear nothing apart."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.guard import split_sides
from medloom.guard.split import texts_of
from medloom.records import Document, Section, Synonym
from medloom.text import text_key

WORD = st.sampled_from(["Fever", "fever!", "cough", "rash", "Gout", "gout", "ache", "numbness"])
CORPUS = st.lists(
    st.builds(
        Document,
        st.integers(0, 10_000).map(str),
        st.sampled_from(["a", "b"]),
        WORD,
        st.one_of(st.just(""), WORD, st.integers(0, 99).map(lambda n: f"text {n}")),
        st.sampled_from(["", "", "p1", "p2"]),
        st.lists(st.builds(Section, st.just("h"), WORD), max_size=1).map(tuple),
        st.lists(st.builds(Synonym, st.integers(0, 60).map(lambda n: f"name {n}")), max_size=2).map(tuple),
    ),
    max_size=25,
    unique_by=lambda d: (d.source, d.id),
)


def distinct(count: int, source: str = "s") -> list[Document]:
    return [Document(str(i), source, f"title {source} {i}", f"text {source} {i}") for i in range(count)]


@given(CORPUS, st.integers(0, 9), st.randoms(use_true_random=False))
def test_sides_depend_on_the_documents_not_on_their_order(corpus: list[Document], seed: int, order: random.Random) -> None:
    shuffled = list(corpus)
    order.shuffle(shuffled)
    assert split_sides(iter(corpus), 0.5, seed) == split_sides(iter(shuffled), 0.5, seed)


@given(CORPUS, st.integers(0, 9))
def test_equal_texts_are_on_one_side(corpus: list[Document], seed: int) -> None:
    sides, largest = split_sides(corpus, 0.5, seed)
    assert set(sides) == {d.split_key for d in corpus}
    by_text: dict[str, set[bool]] = {}
    for document in corpus:
        for text in texts_of(document):
            by_text.setdefault(text_key(text), set()).add(sides[document.split_key])
    assert [text for text, found in by_text.items() if len(found) > 1] == []
    assert largest <= len(corpus)


def brute_force_ties(corpus: Sequence[Document]) -> int:
    """Documents in the largest set that groups and equal texts tie together, by repeated merging."""
    sets = [({d.split_key} | {text_key(t) for t in texts_of(d)}, 1) for d in corpus]
    merged = True
    while merged:
        merged = False
        for i in range(len(sets)):
            for j in range(i + 1, len(sets)):
                if sets[i][0] & sets[j][0]:
                    sets[i] = (sets[i][0] | sets[j][0], sets[i][1] + sets[j][1])
                    del sets[j]
                    merged = True
                    break
            if merged:
                break
    return max((size for _, size in sets), default=0)


@given(CORPUS)
def test_the_largest_tie_is_that_of_brute_force(corpus: list[Document]) -> None:
    assert split_sides(corpus, 0.5, 1)[1] == brute_force_ties(corpus)


@pytest.mark.parametrize("holdout", [0.1, 0.2, 0.5, 0.9])
def test_the_share_is_about_right(holdout: float) -> None:
    sides, largest = split_sides(distinct(5_000), holdout, 7)
    assert sum(sides.values()) / len(sides) == pytest.approx(holdout, abs=4 * (holdout * (1 - holdout) / 5_000) ** 0.5)
    assert largest == 1


def test_groups_are_kept_together_and_sources_apart() -> None:
    corpus = [Document(str(i), "s", f"t{i}", group=f"g{i // 10}") for i in range(200)]
    sides, largest = split_sides(corpus, 0.5, 1)
    assert len(sides) == 20
    assert largest == 10
    assert 0 < sum(sides.values()) < 20


def test_the_seed_matters() -> None:
    corpus = distinct(200)
    assert split_sides(corpus, 0.5, 1)[0] != split_sides(corpus, 0.5, 2)[0]
    assert split_sides(corpus, 0.5, 1)[0] == split_sides(corpus, 0.5, 1)[0]


def test_a_document_more_leaves_the_others_where_they_were() -> None:
    before = split_sides(distinct(200), 0.3, 1)[0]
    after = split_sides([Document("more", "s", "something new"), *distinct(200)], 0.3, 1)[0]
    assert {key: side for key, side in after.items() if key in before} == before


def test_equal_texts_tie_documents_over_sources_and_chains() -> None:
    corpus = [
        Document("1", "a", "Cardiomegaly"),
        Document("1", "b", "Large heart", synonyms=(Synonym("CARDIOMEGALY."),)),
        Document("2", "b", "Other", sections=(Section("h", "large  heart"),)),
        Document("3", "c", "Free"),
    ]
    assert split_sides(corpus, 0.5, 1)[1] == 3
    for seed in range(20):
        sides, _ = split_sides(corpus, 0.5, seed)
        assert sides["a:1"] == sides["b:1"] == sides["b:2"]
    assert len({split_sides(corpus, 0.5, seed)[0]["c:3"] for seed in range(20)}) == 2


def test_texts_without_words_tie_nothing() -> None:
    corpus = [Document(str(i), "s", f"title {i}", "---") for i in range(200)]
    sides, largest = split_sides(corpus, 0.5, 1)
    assert largest == 1
    assert 50 < sum(sides.values()) < 150


def test_no_documents() -> None:
    assert split_sides([], 0.5, 1) == ({}, 0)


def test_every_text_of_a_document() -> None:
    document = Document(
        "1", "s", "Title", "Text", sections=(Section("Head", "Part"),), synonyms=(Synonym("Name"), Synonym("Wide", "broad"))
    )
    assert list(texts_of(document)) == ["Title", "Name", "Wide", "Text", "Part"]
    assert list(texts_of(Document("1", "s"))) == []
