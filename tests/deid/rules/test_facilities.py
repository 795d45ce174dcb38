"""Hospitals, employers and schools by name, and departments that have none."""

import pytest

from medloom.deid.gazetteers import gazetteer
from medloom.deid.medical import lexicon
from medloom.deid.page import read_page
from medloom.deid.rules.facilities import facilities
from medloom.deid.rules.hits import to_spans
from medloom.deid.rules.organisations import organisations
from medloom.deid.rules.reading import Names

KNOWN = Names(lexicon(), gazetteer())


def found(text: str) -> list[tuple[str, str]]:
    """What is found, with kinds."""
    page = read_page(text)
    return [(text[s.start : s.end], s.kind) for s in to_spans(text, [*facilities(page, KNOWN), *organisations(page, KNOWN)])]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "St. Luke's Medical Center",
            "Barryside Regional Medical Center",
            "Mount Hope Hospital",
            "Grant Cancer Institute",
            "Kirk Family Practice",
        ),
        *(
            "Vernon Creek Nursing Home",
            "University Hospital of New Joseph",
            "Anthonyport VA Medical Center",
            "Brigham and Women's Hospital",
        ),
        *(
            "Children's Hospital Boston",
            "Elm Street Clinic",
            "City Hospital",
            "NYU Langone Health",
            "Mt. Sinai",
            "Cedar Crest",
            "MD Anderson",
        ),
        *(
            "New York-Presbyterian",
            "Mass General",
            "UCSF",
            "St. Vincent’s",
            "Brigham & Women’s",
            "Mayo Clinic in Rochester",
            "Chicago downtown clinic",
        ),
    ],
)
def test_hospitals(name: str) -> None:
    """With a head, with a saint, and by what happened there."""
    assert found(f"She was seen at {name} on Monday.") == [(name, "HOSPITAL")]


@pytest.mark.parametrize(
    "name",
    [
        "Lopez, Bennett and Dougherty",
        "Rose-Bartlett",
        "Powell Inc",
        "Smith PLC",
        "Vasquez and Sons",
        "Kelly Group",
        "Lincoln Elementary School",
    ],
)
def test_employers(name: str) -> None:
    """Firms and schools."""
    assert found(f"He works as a cashier at {name}.") == [(name, "ORG")]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "seen in the Pain Clinic",
            "admitted to the Intensive Care Unit",
            "Emergency Department",
            "seen in Cardiology Clinic",
            "at a community clinic",
        ),
        *(
            "HOSPITAL COURSE:",
            "Hospital day 3",
            "near a university hospital",
            "St. John's wort",
            "St. Jude valve",
            "outpatient Surgery Center",
        ),
        *(
            "transferred to ICU",
            "seen at home",
            "placed in a Foley catheter",
            "treated by TURBT procedure",
            "performed in Trendelenburg position",
        ),
        *("at McBurney point", "Medical Center", "High School graduate", "Public Health"),
    ],
)
def test_no_hospitals(text: str) -> None:
    """Departments, generic words, eponyms."""
    assert found(text) == []
