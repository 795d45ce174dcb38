"""Queries that do not find their own passage again are dropped."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from medloom.generate.config import Checks, GenerateConfig
from medloom.generate.roundtrip import round_trip
from medloom.mine.topk import Floats
from medloom.records import TrainingRecord

ORGANS = ["heart", "liver", "spleen", "kidney", "lung", "colon", "thyroid", "bladder", "stomach", "retina"]
RECORDS = [
    TrainingRecord(f"enlarged {organ}", (f"The {organ} was found to be large.",), "keyword_passage", "notes", f"d{i}")
    for i, organ in enumerate(ORGANS)
]
LOST = replace(RECORDS[0], query="What was found in the patient?", kind="lay_passage")


def config(method: Literal["bm25", "base", "off"] = "bm25", k: int = 3) -> GenerateConfig:
    return GenerateConfig(checks=Checks(round_trip=method, round_trip_k=k))


class Vectors:
    """One axis for each organ; a text without one lies along the last organ."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str, texts: Sequence[str], role: Literal["query", "document"]) -> Floats:
        self.names.append(name)
        made = np.zeros((len(texts), len(ORGANS)), dtype=np.float32)
        for row, text in enumerate(texts):
            made[row, next((i for i, organ in enumerate(ORGANS) if organ in text), -1)] = 1
        return made


def test_bm25_keeps_what_finds_its_passage() -> None:
    counts: dict[str, int] = {}
    assert round_trip([*RECORDS, LOST], config(), None, counts) == [True] * 10 + [False]
    assert counts == {}


def test_a_query_without_a_word_of_the_corpus_finds_nothing() -> None:
    strange = replace(RECORDS[3], query="zzz yyy")
    assert round_trip([*RECORDS, strange], config(k=9)) == [True] * 10 + [False]


def test_depth() -> None:
    second = replace(RECORDS[9], query="heart, heart and retina")
    assert round_trip([*RECORDS, second], config(k=1))[-1] is False
    assert round_trip([*RECORDS, second], config(k=2))[-1] is True


def test_a_place_among_equals_is_chance() -> None:
    vague = [replace(record, query="large") for record in RECORDS]
    assert round_trip([*RECORDS, *vague], config(k=9)) == [True] * 10 + [False] * 10
    alike = [replace(record, query="a question of nothing") for record in RECORDS]
    assert round_trip([*RECORDS, *alike[:9]], config("base", 9), Vectors()) == [True] * 10 + [False] * 9


def test_any_positive_will_do() -> None:
    both = replace(RECORDS[9], query="enlarged liver", positives=(RECORDS[9].positives[0], RECORDS[1].positives[0]))
    assert round_trip([*RECORDS, both], config(k=1))[-1] is True


def test_the_base_model() -> None:
    vectors = Vectors()
    lost = replace(RECORDS[0], query="a question of nothing")
    assert round_trip([*RECORDS, lost], config("base", 1), vectors) == [True] * 10 + [False]
    assert len(vectors.names) == len(set(vectors.names)) == 2
    with pytest.raises(ValueError, match="vectors"):
        round_trip(RECORDS, config("base"))


def test_a_small_corpus_proves_nothing_and_is_counted() -> None:
    counts: dict[str, int] = {"other": 1}
    assert round_trip([*RECORDS, LOST], config(k=10), None, counts) == [True] * 11
    assert counts == {"other": 1, "round_trip_void": 11}
    assert round_trip([*RECORDS, LOST], config(k=9), None, counts)[-1] is False


def test_each_source_is_searched_by_itself() -> None:
    other = [replace(record, source="a-few") for record in [*RECORDS[:2], LOST]]
    mixed = [other[0], *RECORDS, other[2], LOST, other[1]]
    counts: dict[str, int] = {}
    assert round_trip(mixed, config(), None, counts) == [True] * 12 + [False, True]
    assert counts == {"round_trip_void": 3}
    vectors = Vectors()
    many = [*RECORDS, *(replace(record, source="b") for record in RECORDS)]
    assert all(round_trip(many, config("base", 1), vectors))
    assert len(set(vectors.names)) == 4


def test_passages_that_look_for_questions_are_exempt() -> None:
    turned = TrainingRecord("Nothing in common.", ("What is large?",), "passage_question", "notes", "d0")
    assert round_trip([turned, *RECORDS, LOST], config()) == [True] * 11 + [False]
    assert round_trip([turned], config(k=1)) == [True]


def test_off_and_nothing() -> None:
    assert round_trip([LOST], config("off")) == [True]
    assert round_trip([], config()) == []


def test_the_order_of_records_does_not_matter() -> None:
    records = [*RECORDS, LOST]
    backwards = round_trip(records[::-1], config())
    assert backwards[::-1] == round_trip(records, config())
