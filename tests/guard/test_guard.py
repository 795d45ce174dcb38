"""Nothing that is trained on is also tested on."""

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.guard.tables import guarded

from medloom.guard import GuardConfig, GuardCounts
from medloom.guard.split import texts_of
from medloom.mine import PairsConfig, pairs_of
from medloom.records import Document, Section, Synonym, TrainingRecord
from medloom.text import characters_key, text_key, words

SYLLABLES = ["card", "hep", "neur", "gastr", "derm", "itis", "osis", "algia", "omegaly", "pathy"]
NAME = st.lists(st.sampled_from(SYLLABLES), min_size=1, max_size=4).map("".join)
SENTENCE = st.lists(st.sampled_from([*SYLLABLES, "the", "of", "and"]), min_size=3, max_size=25).map(" ".join)
CORPUS = st.lists(
    st.builds(
        Document,
        st.integers(0, 10_000).map(str),
        st.sampled_from(["a", "b"]),
        NAME,
        st.one_of(st.just(""), SENTENCE, st.tuples(SENTENCE, SENTENCE).map("\n\n".join)),
        st.sampled_from(["", "", "", "p1", "p2", "p3"]),
        st.lists(st.builds(Section, NAME, SENTENCE), max_size=1).map(tuple),
        st.lists(st.builds(Synonym, NAME, st.just("exact"), st.booleans()), max_size=2).map(tuple),
    ),
    max_size=20,
    unique_by=lambda d: (d.source, d.id),
)


def all_pairs(corpus: list[Document]) -> list[TrainingRecord]:
    return [record for document in corpus for record in pairs_of(document, PairsConfig(), {})]


def texts_in(records: list[TrainingRecord]) -> set[str]:
    return {text_key(t) for r in records for t in (r.query, *r.positives)}


@given(CORPUS, st.integers(0, 20), st.sampled_from([0.2, 0.5, 0.8]))
def test_no_concept_and_no_text_on_both_sides(corpus: list[Document], seed: int, holdout: float) -> None:
    held_out, test, train, counts = guarded(corpus, all_pairs(corpus), seed, holdout=holdout)
    held_keys = {d.split_key for d in held_out}
    held_ids = {(d.source, d.id) for d in held_out}
    by_id = {(d.source, d.id): d for d in corpus}
    assert all(by_id[r.source, r.doc_id].split_key not in held_keys for r in train)
    assert all((r.source, r.doc_id) in held_ids for r in test)
    assert [d for d in corpus if d.split_key in held_keys] == held_out

    evaluation = texts_in(test) | {text_key(t) for d in held_out for t in texts_of(d)}
    assert not texts_in(train) & evaluation
    assert counts.evaluation_texts == len(evaluation - {""})
    for text in texts_in(train):
        grams = characters_key(text)
        for other in evaluation:
            if len(text) <= 300 and len(other) <= 300:
                others = characters_key(other)
                assert len(grams & others) < 0.8 * len(grams | others)


def runs(text: str) -> set[tuple[str, ...]]:
    tokens = words(text)
    return {tuple(tokens[i : i + 13]) for i in range(len(tokens) - 12)}


@given(CORPUS, st.integers(0, 20))
def test_no_run_of_thirteen_words_on_both_sides(corpus: list[Document], seed: int) -> None:
    held_out, test, train, _ = guarded(corpus, all_pairs(corpus), seed, holdout=0.5)
    evaluation = texts_in(test) | {text_key(t) for d in held_out for t in texts_of(d)}
    shared = {r for t in texts_in(train) for r in runs(t)} & {r for t in evaluation for r in runs(t)}
    assert shared == set()


@given(CORPUS, st.integers(0, 20), st.sampled_from([None, 1, 3]))
def test_counts_add_up(corpus: list[Document], seed: int, cap: int | None) -> None:
    pairs = all_pairs(corpus)
    held_out, test, train, counts = guarded(corpus, pairs, seed, holdout=0.5, max_per_kind=cap)
    assert (counts.held_out, counts.test, counts.train) == (len(held_out), len(test), len(train))
    assert counts.train + counts.test + sum(counts.reasons.values()) == len(pairs)
    assert set(counts.reasons) <= {"exact", "near_duplicate", "ngram", "repeated_pair", "over_max_per_kind"}
    assert all(counts.reasons.values())


def one_held(*train_texts: tuple[str, str], held: tuple[str, str]) -> tuple[list[TrainingRecord], GuardCounts]:
    """Train on pairs of loose documents while ``held`` is on the other side."""
    for seed in range(200):
        corpus = [Document("held", "s", *held), *(Document(str(i), "s", f"own {i} title") for i in range(len(train_texts)))]
        pairs = [TrainingRecord(held[0], (held[1],), "title_text", "s", "held")]
        pairs += [TrainingRecord(q, (p,), "title_text", "s", str(i)) for i, (q, p) in enumerate(train_texts)]
        held_out, _, train, counts = guarded(corpus, pairs, seed, holdout=0.3)
        if [d.id for d in held_out] == ["held"]:
            return train, counts
    raise AssertionError("no seed holds out that document alone")


def test_each_reason() -> None:
    held = ("What is gout?", "Gout is " + " ".join(f"word{i}" for i in range(30)))
    run_of_13 = " ".join(f"word{i}" for i in range(13))
    train, counts = one_held(
        ("what is GOUT", "clean one"),
        ("What is gout ?s", "clean two"),
        ("clean three", f"Other {run_of_13} text"),
        ("clean four", "clean five"),
        ("Clean four", "CLEAN five!"),
        held=held,
    )
    assert counts.reasons == {"exact": 1, "near_duplicate": 1, "ngram": 1, "repeated_pair": 1}
    assert [r.query for r in train] == ["clean four"]


def test_long_texts_are_checked_each_time() -> None:
    long = " ".join(f"word{i}" for i in range(60))
    train, counts = one_held(("one", long + " a"), ("two", long + " a"), held=("What is gout?", long))
    assert train == []
    assert counts.reasons == {"ngram": 2}


def numbered(count: int, kinds: int = 2) -> tuple[list[Document], list[TrainingRecord]]:
    rng = random.Random(1)

    def word() -> str:
        return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(12))

    corpus = [Document(str(i), "s", word()) for i in range(count)]
    kind_names = ("lay_name", "synonym_name")[:kinds]
    return corpus, [TrainingRecord(word(), (d.title,), kind, "s", d.id) for d in corpus for kind in kind_names]


def test_caps_are_per_task_seeded_and_blind_to_order() -> None:
    corpus, pairs = numbered(100)
    _, _, train, counts = guarded(corpus, pairs, max_per_kind=20)
    assert Counter(r.kind for r in train) == {"lay_name": 20, "synonym_name": 20}
    _, _, uncapped, _ = guarded(corpus, pairs)
    assert counts.reasons == {"over_max_per_kind": len(uncapped) - 40}
    assert set(train) <= set(uncapped)

    shuffled = random.Random(2).sample(pairs, len(pairs))
    _, _, again, _ = guarded(corpus, shuffled, max_per_kind=20)
    assert again == train


def test_caps_draw_by_the_seed() -> None:
    corpus, pairs = numbered(100)
    drawn = []
    for seed in (7, 8):
        held_out, _, train, _ = guarded(corpus, pairs, seed, holdout=1e-12, max_per_kind=20)
        assert held_out == []
        drawn.append({r.query for r in train})
    assert 0 < len(drawn[0] & drawn[1]) < 30


def test_a_cap_above_what_there_is_drops_nothing() -> None:
    corpus, pairs = numbered(30)
    _, _, train, counts = guarded(corpus, pairs, max_per_kind=1_000)
    assert counts.reasons == {}
    assert {r.query for r in train} == {r.query for r in guarded(corpus, pairs)[2]}


def test_tasks_of_one_kind_from_two_sources_are_capped_apart() -> None:
    corpus, pairs = numbered(40, kinds=1)
    others, more = numbered(41, kinds=1)
    both = [*corpus, *(Document(d.id, "t", d.title + "x") for d in others)]
    mixed = pairs + [TrainingRecord(r.query + "y", r.positives, r.kind, "t", r.doc_id) for r in more]
    _, _, train, _ = guarded(both, mixed, max_per_kind=5, near_duplicate=1.0)
    assert max(Counter(r.task for r in train).values()) == 5
    assert set(Counter(r.task for r in train)) == {"s/lay_name", "t/lay_name"}


def test_caps_come_after_cleaning() -> None:
    corpus, pairs = numbered(60, kinds=1)
    repeated = [r for r in pairs for _ in range(3)]
    _, _, train, counts = guarded(corpus, repeated, max_per_kind=10)
    assert len(train) == 10
    assert len(set(train)) == 10
    assert counts.reasons["repeated_pair"] > counts.reasons["over_max_per_kind"]


@pytest.mark.parametrize(
    "bad",
    [{"holdout": 0}, {"holdout": 1}, {"near_duplicate": 0}, {"near_duplicate": 1.1}, {"ngram": 2}, {"max_per_kind": 0}],
)
def test_settings_out_of_range(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GuardConfig(**bad)


def test_negatives_that_are_evaluation_texts_are_taken_out_and_the_pair_stays() -> None:
    corpus = [Document(str(n), "a", f"title {n}", f"body of number {n} and nothing else") for n in range(20)]
    held = {d.id for d in guarded(corpus, [], holdout=0.5)[0]}
    outside = next(d for d in corpus if d.id not in held)
    test_text = next(d.text for d in corpus if d.id in held)
    pair = TrainingRecord("asks", ("answers",), "title_text", "a", outside.id, (test_text, "harmless words"), (0.5,) * 3)
    _, _, train, counts = guarded(corpus, [pair], holdout=0.5)
    assert [r.negatives for r in train] == [("harmless words",)]
    assert (counts.negatives, counts.train, train[0].scores) == (1, 1, ())
