"""Reciprocal rank fusion, by hand and by its properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.errors import SearchError
from medloom.search.fuse import alone, check_weights, fuse

RANKING = st.lists(st.sampled_from("abcdefgh"), unique=True).map(lambda ids: [(i, 1.0 - n / 10) for n, i in enumerate(ids)])


def test_a_chunk_scores_the_sum_of_its_reciprocal_ranks() -> None:
    found = fuse({"dense": [("a", 0.9), ("b", 0.8)], "lexical": [("b", 12.0), ("c", 3.0)]})
    assert [one.id for one in found] == ["b", "a", "c"]
    assert [one.score for one in found] == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62])
    assert found[0].parts == {"dense": (2, 0.8), "lexical": (1, 12.0)}
    assert found[1].parts == {"dense": (1, 0.9)}


def test_equal_scores_go_by_id_whatever_the_order_of_the_ways() -> None:
    one, other = [("b", 1.0)], [("a", 5.0)]
    assert [r.id for r in fuse({"dense": one, "lexical": other})] == ["a", "b"]
    assert [r.id for r in fuse({"lexical": other, "dense": one})] == ["a", "b"]


@given(dense=RANKING, lexical=RANKING)
def test_a_way_of_weight_zero_is_left_out(dense: list[tuple[str, float]], lexical: list[tuple[str, float]]) -> None:
    found = fuse({"dense": dense, "lexical": lexical}, {"lexical": 0.0})
    assert [r.id for r in found] == [i for i, _ in dense]
    assert all(list(r.parts) == ["dense"] for r in found)


@given(dense=RANKING, lexical=RANKING, weight=st.floats(0.1, 10))
def test_only_the_ratio_of_the_weights_orders(
    dense: list[tuple[str, float]], lexical: list[tuple[str, float]], weight: float
) -> None:
    rankings = {"dense": dense, "lexical": lexical}
    one, twice = (fuse(rankings, {"dense": w, "lexical": 0.5 * w}) for w in (weight, 2 * weight))
    assert [r.id for r in one] == [r.id for r in twice]
    assert {r.id for r in one} == {i for i, _ in dense + lexical}
    assert [r.score for r in one] == sorted((r.score for r in one), reverse=True)


def test_one_way_keeps_its_scores() -> None:
    assert [(r.id, r.score, r.parts) for r in alone("dense", [("a", 0.5)])] == [("a", 0.5, {"dense": (1, 0.5)})]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"sparse": 1.0}, "no way of searching is called 'sparse'"),
        ({"dense": -1.0}, "from 0 up"),
        ({"dense": float("nan")}, "from 0 up"),
        ({"dense": 0.0, "lexical": 0.0}, "above 0"),
    ],
)
def test_weights_that_mean_nothing_are_refused(weights: dict[str, float], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        check_weights(weights, ("dense", "lexical"))
