"""How figures and texts of a leaderboard are written."""

import math

import numpy as np
import pytest

from medloom.bench.report import figures


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "0.5", True, [], {}])
def test_what_is_no_number_is_nan(value: object) -> None:
    assert math.isnan(figures.figure(value))


def test_numbers_of_numpy_are_numbers() -> None:
    assert figures.figure(np.float32(0.5)) == 0.5
    assert figures.figure(np.int64(3)) == 3.0


def test_scores_have_three_decimals_and_a_real_minus() -> None:
    assert [figures.score(v) for v in (0.12345, -0.5, math.nan)] == ["0.123", "−0.500", "–"]
    assert [figures.signed(v) for v in (0.12345, -0.5, 0.0, math.nan)] == ["+0.123", "−0.500", "0.000", "–"]
    assert figures.interval(0.1, 0.2) == "0.100 to 0.200"
    assert figures.interval(0.1, math.nan) == ""
    assert figures.gap(-0.1, 0.2) == "−0.100 to +0.200"
    assert figures.gap(math.nan, 0.2) == "–"


def test_p_values_and_shares_are_never_rounded_to_nothing() -> None:
    assert [figures.p_value(v) for v in (0.0, 0.00099, 0.001, 0.25, math.nan)] == ["<0.001", "<0.001", "0.001", "0.250", "–"]
    assert [figures.percent(v) for v in (0.0, 0.0004, 0.0312, 1.0, math.nan)] == ["0.0%", "<0.1%", "3.1%", "100.0%", "–"]


def test_quantities() -> None:
    assert [figures.amount(v) for v in (21500.4, 412.4, 90.9, 14.0, 0.41, math.nan, None)] == [
        "21,500", "412", "90.9", "14", "0.41", "–", "–",
    ]  # fmt: skip
    assert [figures.millions(v) for v in (22_713_216, 1.5e9, 5e7, 0, math.nan)] == ["22.7 M", "1.5 B", "50 M", "", ""]
    assert [figures.count(v) for v in (1840.0, math.nan)] == ["1,840", "–"]


def test_shared_ranks_have_an_equals_sign() -> None:
    assert [figures.rank(place, (1, 1, 3, None)) for place in (1, 3, None)] == ["1=", "3", ""]


def test_names_in_words() -> None:
    assert figures.words("PairClassification") == "Pair classification"
    assert figures.words("STS") == "STS"
    assert figures.metric("ndcg_at_10") == "nDCG@10"
    assert figures.metric("map_at_5") == "map_at_5"
    assert figures.facet("consumer") == "consumer questions"
    assert figures.moment("2026-01-02T03:04:05Z") == "2 January 2026, 03:04 UTC"
    assert figures.moment("yesterday") == "yesterday"
    assert figures.short("sha256:" + "ab" * 32) == "ab" * 6
    assert figures.clipped("one\n two three", 8) == "one two…"


def test_breaks_are_offered_inside_names_and_markup_is_escaped() -> None:
    assert str(figures.breakable("LongName<b>")) == "Long<wbr>Name&lt;b&gt;"


def test_what_cannot_be_seen_is_made_visible() -> None:
    assert figures.printable("a\x00\ud800\u202e\u2066\nb") == "a����\nb"
    assert figures.printable(3) == 3
