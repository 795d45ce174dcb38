"""Conditions: how they are written and what they mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.errors import SearchError
from medloom.search.filters import day_of, facts_of, meets, number_of, parse_filter
from medloom.search.payload import chunk_of, indexed_fields, key_of, name_of, payload_of
from medloom.search.records import Chunk, Condition


def a_chunk(*facts: tuple[str, str]) -> Chunk:
    return Chunk("i", "pubmed", "d1", 0, "T", "H", "text", -1, 0, 4, "p1", facts)


@pytest.mark.parametrize(
    ("written", "condition"),
    [
        ("specialty=cardiology", Condition("specialty", "=", ("cardiology",))),
        (" source = pubmed | pmc ", Condition("source", "=", ("pubmed", "pmc"))),
        ("source!=pmc", Condition("source", "!=", ("pmc",))),
        ("date>=2020-01-01", Condition("date", ">=", ("2020-01-01",))),
        ("age<65", Condition("age", "<", ("65",))),
        ("url=https://example.org/a?b=c", Condition("url", "=", ("https://example.org/a?b=c",))),
    ],
)
def test_reads_what_is_written(written: str, condition: Condition) -> None:
    assert parse_filter([written]) == (condition,)


@pytest.mark.parametrize("written", ["", "cardiology", "=x", "date>", "date=|", "date>soon", "age<=old", "date>=2020-13"])
def test_refuses_what_means_nothing(written: str) -> None:
    with pytest.raises(SearchError, match="filter"):
        parse_filter([written])


@pytest.mark.parametrize(
    ("written", "value", "holds"),
    [
        ("date>=2020", "2020-01-01", True),
        ("date>2020", "2020-12-31", False),
        ("date>2020", "2021-01-01", True),
        ("date<=2020-02", "2020-02-29", True),
        ("date<=2020-02", "2020-03", False),
        ("date<2020-02-29", "2020-02", True),
        ("date>=2020-02-29", "2020-02-29T08:00:00Z", True),
        ("date<=2020-02-29", "2020-02-29T23:59:59+00:00", True),
        ("date<2020-02-29T12:00", "2020-02-29T13:00", False),
        ("date>=2020", "2021", True),
        ("date<=2020", "no date", False),
        ("age>=9", "10", True),
        ("age<9.5", "-3", True),
        ("age<9.5", "9.5", False),
    ],
)
def test_sizes_compare_as_dates_and_numbers(written: str, value: str, holds: bool) -> None:
    name = written[: 4 if written.startswith("date") else 3]
    assert meets(a_chunk((name, value)), parse_filter([written])) is holds


def test_all_conditions_must_hold_and_any_value_will_do() -> None:
    chunk = a_chunk(("mesh", "Asthma"), ("mesh", "Child"), ("date", "2020"))
    assert meets(chunk, parse_filter(["mesh=Child|Adult", "date>=2019", "source=pubmed", "id=d1", "group=p1"]))
    assert not meets(chunk, parse_filter(["mesh=Child", "mesh!=Asthma"]))
    assert meets(chunk, parse_filter(["unknown!=x"]))
    assert not meets(chunk, parse_filter(["unknown=x"]))
    assert meets(chunk, ())


def test_a_chunks_own_facts_win() -> None:
    facts = facts_of(a_chunk(("source", "other"), ("mesh", "A"), ("mesh", "A")))
    assert facts == {"source": ["pubmed"], "id": ["d1"], "group": ["p1"], "mesh": ["A"]}


def test_what_is_no_number_or_day_has_no_size() -> None:
    assert [number_of(v) for v in ("12", "-1.5", "1e5", "nan", "", "1,000", "٣")] == [
        12.0,
        -1.5,
        None,
        None,
        None,
        None,
        None,
    ]
    assert [day_of(v) for v in ("0001-01-02", "2020-02-30", "2020-1-1", "0000", "2020-01-01T99:00")] == [
        2.0,
        None,
        None,
        None,
        None,
    ]
    assert day_of("0001-01-01T12:00") == 1.5


@given(st.text(max_size=20))
def test_any_name_is_a_key_and_comes_back(name: str) -> None:
    key = key_of(name)
    assert key.replace("-", "").replace("_", "").isalnum() or not key.strip("-_")
    assert name_of(key) == name


@given(
    st.lists(st.tuples(st.text(max_size=8), st.text(max_size=12)), max_size=6, unique=True), st.none() | st.text(max_size=5)
)
def test_a_chunk_comes_back_from_its_payload(facts: list[tuple[str, str]], context: str | None) -> None:
    chunk = Chunk("i", "s", "d", 3, "T", "H", "text", 2, 5, 9, "g", tuple(sorted(facts, key=lambda f: f[0])), "x", context)
    assert chunk_of("i", payload_of(chunk)) == chunk


def test_what_compares_by_size_has_an_index_for_numbers_and_for_days() -> None:
    fields = indexed_fields([a_chunk(("date", "2020-01-01"), ("mesh", "Asthma")), a_chunk(("age", "7"))])
    own = {"source": False, "doc_id": False, "group": False}
    facts = {"facts.date": False, "facts.mesh": False, "facts.age": False}
    sizes = {f"{kind}.{name}": True for kind in ("numbers", "days") for name in ("date", "age")}
    assert fields == own | facts | sizes
