"""From overlapping finds to spans."""

from medloom.deid.rules.hits import CUE, FORM, GAZETTEER, Hit, to_spans
from medloom.deid.spans import Span

TEXT = "Mayo Clinic, Rochester 55901"


def test_one_kind_joins() -> None:
    """Parts of a name found apart and together are one span; neighbours stay two."""
    hits = [Hit(0, 4, "NAME", CUE), Hit(0, 11, "NAME", GAZETTEER), Hit(13, 22, "NAME", CUE)]
    assert to_spans(TEXT, hits) == [Span(0, 11, "NAME"), Span(13, 22, "NAME")]


def test_the_surer_keeps_its_place_and_nothing_is_uncovered() -> None:
    """The other keeps what is left, without punctuation."""
    hits = [Hit(0, 22, "HOSPITAL", CUE), Hit(13, 22, "CITY", FORM)]
    assert to_spans(TEXT, hits) == [Span(0, 11, "HOSPITAL"), Span(13, 22, "CITY")]
    inside = [Hit(0, 22, "HOSPITAL", CUE), Hit(5, 11, "NAME", FORM)]
    assert to_spans(TEXT, inside) == [Span(0, 4, "HOSPITAL"), Span(5, 11, "NAME"), Span(13, 22, "HOSPITAL")]


def test_of_two_as_sure_the_longer_wins_whatever_the_order() -> None:
    """Kinds break ties."""
    hits = [Hit(0, 4, "NAME", CUE), Hit(0, 11, "HOSPITAL", CUE)]
    assert to_spans(TEXT, hits) == to_spans(TEXT, hits[::-1]) == [Span(0, 11, "HOSPITAL")]
    assert to_spans(TEXT, []) == []
