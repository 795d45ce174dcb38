"""Addresses, cities, codes."""

import pytest

from medloom.deid.gazetteers import gazetteer
from medloom.deid.medical import lexicon
from medloom.deid.page import read_page
from medloom.deid.rules.hits import to_spans
from medloom.deid.rules.places import places
from medloom.deid.rules.reading import Names

KNOWN = Names(lexicon(), gazetteer())


def found(text: str) -> list[tuple[str, str]]:
    """What is found, with kinds."""
    return [(text[s.start : s.end], s.kind) for s in to_spans(text, places(read_page(text), KNOWN))]


def test_an_american_address() -> None:
    """Street with unit, city and code apart; the state stays before a code."""
    text = "Address: 7725 Beck Courts Apt 98, Ryanburgh, MO 21340."
    assert found(text) == [("7725 Beck Courts Apt 98", "ADDRESS"), ("Ryanburgh", "CITY"), ("21340", "ZIP")]
    assert found("at 118 Jamie Mount, Unit B, West Robert, ID 81002")[1:] == [("West Robert", "CITY"), ("81002", "ZIP")]


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("lives in Ryanburgh with", "Ryanburgh", "CITY"),
        ("attends church in New Tracy.", "New Tracy", "CITY"),
        ("from Chicago on", "Chicago", "CITY"),
        ("from chicago on", "chicago", "CITY"),
        ("lives in Atlanta, GA.", "Atlanta, GA", "CITY"),
        ("showering in Cheyenne, Wyoming.", "Cheyenne, Wyoming", "CITY"),
        ("living in the Bronx,", "the Bronx", "CITY"),
        ("P.O. Box 1234,", "P.O. Box 1234", "ADDRESS"),
        ("on 5th Avenue.", "5th Avenue", "ADDRESS"),
        ("from Elm Street, Denver", "Elm Street", "ADDRESS"),
        ("at 12 Kings Road, LS1 4DY", "LS1 4DY", "ZIP"),
        ("zip code 02139-4307", "02139-4307", "ZIP"),
        ("in 10115 Berlin", "10115", "ZIP"),
        ("Montreal H2X 1Y4", "H2X 1Y4", "ZIP"),
        ("resident of Cook County", "Cook County", "CITY"),
        ("Pierce County jail", "Pierce", "CITY"),
        ("at 45 maple street, unit", "45 maple street", "ADDRESS"),
    ],
)
def test_places(text: str, value: str, kind: str) -> None:
    """By cue, by gazetteer, by form."""
    assert (value, kind) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "from Mexico",
            "in Texas",
            "from Home",
            "to Surgery",
            "in ICU",
            "Boston Naming Test",
            "Los Angeles grade B",
            "Glasgow Coma Scale",
            "Lyme disease",
        ),
        *(
            "Diabetes, MI and",
            "Jane Brown, MD",
            "plaster of Paris",
            "2 Blood Cultures",
            "4 Chamber View",
            "T3N2M0",
            "in Reading order"[3:],
            "0.5 Normal Saline",
        ),
        *(
            "from general anesthesia",
            "in place",
            "took 2 tablets in court",
            "ROOM 12 CARDIAC CT",
            "HEENT, GI, GU",
            "10 mg IV Drive",
        ),
    ],
)
def test_no_places(text: str) -> None:
    """States, countries, wards, eponyms, counts."""
    assert found(text) == []
