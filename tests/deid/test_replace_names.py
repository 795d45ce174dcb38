"""Names and places: one invented person for each real one, however the name is written."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.deid.keys import Draw
from medloom.deid.spans import Kind
from medloom.deid.surrogates import NoteSurrogates, pools

KEY = bytes(range(32))


def _invented(*names: str, patient: str = "p", kind: Kind = "NAME", key: bytes = KEY) -> list[str]:
    """Counterparts of names; a title and a bar before one is the text before the span."""
    found: list[tuple[Kind, str, str]] = []
    for name in names:
        before, _, text = name.rpartition("|")
        found.append((kind, text, before))
    note = NoteSurrogates(Draw(key, patient), found)
    return [note.of(*one) or "" for one in found]


def test_all_forms_of_a_name_are_one_person() -> None:
    full, reverse, title, initials, j, genitive, capital, given_name, bare = _invented(
        "Janice Gilbert",
        "GILBERT, JANICE M.",
        "Mrs. Gilbert",
        "J.G.",
        "J. Gilbert",
        "Gilbert’s",
        "GILBERT",
        "Janice",
        "Mr. |Gilbert",
    )
    first, last = full.split()
    assert reverse.startswith(f"{last.upper()}, {first.upper()} ")
    assert re.fullmatch(r"[A-Z]\.", reverse.split()[-1])
    assert title == f"Mrs. {last}"
    assert initials == f"{first[0]}.{last[0]}."
    assert j == f"{first[0]}. {last}"
    assert genitive == f"{last}’s"
    assert (capital, given_name, bare) == (last.upper(), first, last)


def test_initials_fit_without_the_full_name_in_the_same_note() -> None:
    full = _invented("Janice Gilbert")[0]
    first, last = full.split()
    assert _invented("J.G.") == [f"{first[0]}.{last[0]}."]
    assert _invented("JG") == [f"{first[0]}{last[0]}"]
    assert _invented("Janice G.") == [f"{first} {last[0]}."]


def test_a_patient_is_one_in_all_notes_and_another_for_another_patient_or_key() -> None:
    here = _invented("Janice Gilbert", "Robert Lee")[0]
    assert _invented("Janice Gilbert") == [here]
    assert _invented("Janice Gilbert", patient="q") != [here]
    assert _invented("Janice Gilbert", key=KEY[::-1]) != [here]


@pytest.mark.parametrize(
    ("name", "gender"), [("Janice", "female"), ("Robert", "male"), ("MARIA", "female"), ("josé", "male")]
)
def test_the_gender_of_a_given_name_stays(name: str, gender: str) -> None:
    for patient in "abcdefgh":
        assert pools.gender_of(pools.fold(_invented(f"{name} Gilbert", patient=patient)[0].split()[0])) == gender


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("Robert Lee Jr.", r"[A-Z][a-z]+ [A-Z][a-z]+ Jr\."),
        ("Janice Gilbert, M.D.", r"[A-Z][a-z]+ [A-Z][a-z]+, M\.D\."),
        ("Dr. Gilbert MD", r"Dr\. [A-Z][a-z]+ MD"),
        ("C. Cruz RN", r"[A-Z]\. [A-Z][a-z]+ RN"),
        ("Anne-Marie Smith-Jones", r"[A-Z][a-z]+-[A-Z][a-z]+ [A-Z][a-z]+-[A-Z][a-z]+"),
        ("janice gilbert", r"[a-z]+ [a-z]+"),
        ("John and Mary Smith", r"[A-Z][a-z]+ and [A-Z][a-z]+ [A-Z][a-z]+"),
        ("Maria de la Cruz", r"[A-Z][a-z]+ [A-Z][a-z]+"),
        ("Janice\nGilbert", r"[A-Z][a-z]+\n[A-Z][a-z]+"),
        ("M.D.", r"[A-Z]\.[A-Z]\."),
        ("李明", r"[A-Z][a-z]+"),
        ("jsmith72", r"[a-z]+\d\d"),
    ],
)
def test_the_shape_stays_and_the_words_go(name: str, shape: str) -> None:
    for patient in "abcd":
        new = _invented(name, patient=patient)[0]
        assert re.fullmatch(shape, new)
        kept = {"dr", "md", "jr", "rn", "and", "m", "d"}
        assert not ({*re.findall(r"[^\W\d]+", new.casefold())} & {*re.findall(r"[^\W\d]+", name.casefold())}) - kept


def test_parts_are_the_same_whatever_accent_apostrophe_or_hyphen() -> None:
    a, b, c = (one.split()[-1] for one in _invented("José Muñoz", "Jose Munoz", "Jose\u0301 Mun\u0303oz"))
    assert a == b == c
    assert _invented("Sean O'Brien")[0] == _invented("Sean Obrien")[0]
    double, single = _invented("Anna Smith-Jones", "Mr. Smith")
    assert double.split()[1].split("-")[0] == single.split()[1]


def test_what_a_bare_name_is_comes_from_the_note() -> None:
    full, bare = _invented("Amy James", "James")
    assert full.split()[1] == bare
    full, bare = _invented("James Amy", "James")
    assert full.split()[0] == bare


@given(
    st.lists(
        st.sampled_from(["Janice", "Gilbert", "Robert", "Lee", "Caldmere", "Elise", "Ng", "Sandra"]), min_size=1, max_size=6
    )
)
def test_no_counterpart_is_an_original_of_the_note(names: list[str]) -> None:
    invented = {word for new in _invented(*names) for word in new.casefold().split()}
    assert not invented & {name.casefold() for name in names}


def test_an_invented_name_that_is_an_original_gives_way() -> None:
    plain = _invented("Mr. Gilbert")[0].split()[1]
    moved = _invented("Mr. Gilbert", f"Mr. {plain}")[0].split()[1]
    assert moved != plain
    assert _invented("Mr. Gilbert", f"{plain} Hospital")[0].split()[1] != plain


def _places(kind: Kind, *texts: str) -> list[str]:
    return _invented(*texts, kind=kind)


@pytest.mark.parametrize(
    ("kind", "text", "shape"),
    [
        ("CITY", "Springfield, IL", r"[A-Z][a-z]+, IL"),
        ("CITY", "Springfield, New York", r"[A-Z][a-z]+, New York"),
        ("CITY", "ATLANTA", r"[A-Z]+"),
        ("CITY", "St. Louis", r"[A-Z][a-z]+"),
        ("ADDRESS", "123 Elm Street, Springfield, IL 62704", r"[1-9]\d\d [A-Z][a-z]+ Street, [A-Z][a-z]+, IL \d{5}"),
        ("ADDRESS", "12 Main St Apt 4B", r"\d\d [A-Z][a-z]+ St Apt \d[A-Z]"),
        ("ADDRESS", "N. 3rd Ave", r"N\. \d(?:st|nd|rd|th) Ave"),
        ("HOSPITAL", "Boston Children's Hospital", r"[A-Z][a-z]+ Children's Hospital"),
        ("HOSPITAL", "Cancer Center in New York", r"Cancer Center in [A-Z][a-z]+"),
        ("HOSPITAL", "General Hospital", r"[A-Z][a-z]+ General Hospital"),
        ("HOSPITAL", "MGH", r"[A-Z]{3}"),
        ("ORG", "Lopez, Bennett and Dougherty", r"[A-Z][a-z]+, [A-Z][a-z]+ and [A-Z][a-z]+"),
        ("ORG", "Ruiz Inc", r"[A-Z][a-z]+ Inc"),
    ],
)
def test_places_keep_what_they_are_and_lose_their_name(kind: Kind, text: str, shape: str) -> None:
    new = _places(kind, text)[0]
    assert re.fullmatch(shape, new)
    assert new != text
    for word in (
        "Springfield",
        "ATLANTA",
        "Louis",
        "Elm",
        "Main",
        "Boston",
        "Cancer Center in New York",
        "MGH",
        "Lopez",
        "Ruiz",
    ):
        assert word not in new


def test_a_state_alone_stays_and_a_run_of_capitals_and_words_is_no_capital() -> None:
    assert _invented("MD", kind="CITY") == ["MD"]
    assert re.fullmatch(r"[A-Z][a-z]+", _invented("NYC Manhattan", kind="CITY")[0])


def test_a_town_is_one_wherever_it_stands() -> None:
    alone, address = _invented("Springfield", kind="CITY"), _invented("1 Elm Street, Springfield", kind="ADDRESS")
    assert address[0].endswith(f", {alone[0]}")
    assert _invented("Springfield General Hospital", kind="HOSPITAL") == [f"{alone[0]} General Hospital"]


def test_pools_are_large_and_hold_no_words() -> None:
    for letter in pools.LETTERS:
        assert len(pools.surnames(letter)) >= 100
        for gender in ("female", "male"):
            names = pools.given_names(letter, gender)
            assert len(names) >= 10
            assert not {name.casefold() for name in names} & set(pools.words("words"))
            assert all(name[0].casefold() == letter for name in names)


def test_without_the_extra_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    from medloom.errors import MedloomError

    pools._table.cache_clear()
    monkeypatch.setattr(pools, "find_spec", lambda name: None)
    with pytest.raises(MedloomError, match=r"pip install medloom\[deid\]"):
        pools._table("last")
    monkeypatch.undo()
    assert pools._table("last")["gilbert"] > 0


@pytest.mark.parametrize(
    "parts",
    [
        ["A"] * 20_000,
        ["Mr."] * 10_000,
        ["de"] * 10_000,
        ["x'" * 20_000],
        [","] * 30_000,
        ["A", "M.D."] * 10_000,
        ["A and"] * 9_000,
    ],
)
def test_long_hostile_names_take_linear_time(parts: Sequence[str]) -> None:
    import time

    started = time.process_time()
    _invented(" ".join(parts))
    assert time.process_time() - started < 3
