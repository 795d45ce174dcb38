"""Names that are added to a query: which, from where, and when none is."""

import pytest

from medloom.search.expand import MOST, Expansion, Names, Thesaurus, packaged, written_out

HEART = Names("HPO", "Myocardial infarction", lay=("Heart attack", "Coronary"), short=("MI",), spoken=True)
VALVE = Names("HPO", "Mitral insufficiency", lay=("Leaky valve",), short=("MI", "MR"), spoken=True)
LUNG = Names("HPO", "Chronic pulmonary obstruction", short=("COPD",), others=("Chronic obstructive pulmonary disease",))
SAME_LUNG = Names("MeSH", "Chronic Obstructive Pulmonary Disease", lay=("chronic airflow obstruction",), short=("COPD",))
BROAD = Names("MeSH", "Lung Diseases", lay=("pulmonary disease",))


def added(
    query: str, *concepts: Names, kinds: tuple[str, ...] = ("abbreviations", "lay")
) -> list[tuple[str, tuple[str, ...]]]:
    return [(e.term, e.added) for e in Thesaurus(concepts).expand(query, kinds)]  # type: ignore[arg-type]


def test_a_lay_word_brings_the_name_and_the_name_its_lay_words() -> None:
    assert added("after a heart ATTACK?", HEART, kinds=("lay",)) == [("heart ATTACK", ("Myocardial infarction",))]
    assert added("myocardial infarction", HEART, kinds=("lay",)) == [("myocardial infarction", ("Heart attack", "Coronary"))]


def test_an_abbreviation_brings_the_name_that_it_is_the_initials_of() -> None:
    assert added("COPD, worse", LUNG) == [("COPD", ("Chronic obstructive pulmonary disease",))]
    assert added("chronic obstructive pulmonary disease", LUNG) == [("chronic obstructive pulmonary disease", ("COPD",))]


def test_a_short_form_with_two_meanings_adds_nothing() -> None:
    assert added("history of MI", HEART, VALVE) == []
    assert added("history of MR", HEART, VALVE) == [("MR", ("Mitral insufficiency",))]


def test_two_terminologies_that_mean_the_same_agree() -> None:
    assert added("COPD", LUNG, SAME_LUNG) == [("COPD", ("Chronic obstructive pulmonary disease",))]


@pytest.mark.parametrize("query", ["mi", "the mi of it", "HISTORY OF MI AND OTHER THINGS", "MIX", "heart attacker", "MI5"])
def test_only_whole_words_and_short_forms_as_they_are_written(query: str) -> None:
    assert added(query, HEART) == []


def test_the_longest_name_is_taken_even_if_it_adds_nothing() -> None:
    assert added("pulmonary disease", BROAD) == [("pulmonary disease", ("Lung Diseases",))]
    assert added("chronic obstructive pulmonary disease", LUNG, BROAD, kinds=("lay",)) == []


def test_what_the_query_has_already_is_not_added() -> None:
    assert added("heart attack (myocardial infarctions)", HEART, kinds=("lay",)) == []


def test_only_what_is_asked_for() -> None:
    assert added("heart attack, MR", HEART, VALVE, kinds=()) == []
    assert added("heart attack, MR", HEART, VALVE, kinds=("abbreviations",))[-1] == ("MR", ("Mitral insufficiency",))


def test_a_query_is_given_a_few_names_at_most() -> None:
    concepts = [Names("HPO", f"Name{n} disease", lay=(f"word{n} trouble",)) for n in range(MOST + 5)]
    query = " and ".join(f"word{n} trouble" for n in range(MOST + 5))
    assert sum(len(names) for _, names in added(query, *concepts, kinds=("lay",))) == MOST


def test_a_query_is_searched_with_what_was_added() -> None:
    assert written_out("MI", [Expansion("MI", ("Myocardial infarction", "Heart attack"), "HPO")]) == (
        "MI (Myocardial infarction; Heart attack)"
    )
    assert written_out("MI", []) == "MI"


def test_the_packaged_terminologies_say_where_a_name_is_from() -> None:
    found = packaged().expand("nosebleed and high blood pressure in COPD", ("abbreviations", "lay"))
    assert {e.term for e in found} == {"nosebleed", "high blood pressure", "COPD"}
    assert {name for e in found for name in e.added} >= {"Epistaxis", "Hypertension"}
    assert {e.source for e in found} <= {"HPO", "MeSH"}
