"""A name found once is found everywhere in its note."""

from medloom.deid.gazetteers import gazetteer
from medloom.deid.medical import lexicon
from medloom.deid.page import read_page
from medloom.deid.rules.hits import CUE, MODEL, Hit
from medloom.deid.rules.reading import Names
from medloom.deid.rules.spread import spread
from medloom.deid.spans import Kind

KNOWN = Names(lexicon(), gazetteer())


def further(first: str, kind: Kind, second: str, sure: int = CUE) -> list[str]:
    """What the second text gives once the first is known to be an identifier."""
    pages = [read_page(first), read_page(second)]
    found = spread(pages, [[Hit(0, len(first), kind, sure)], []], KNOWN)[1]
    return [second[h.start : h.end] for h in found]


def test_parts_of_a_name() -> None:
    """In any order and case; initials, titles and particles alone are no parts."""
    assert further("Dr. Janet Q. Whitaker", "NAME", "WHITAKER, JANET; whitaker's Q. Dr. Xyz") == [
        "WHITAKER",
        "JANET",
        "whitaker",
    ]
    assert further("Dr. Van Houten", "NAME", "Van Houten left; a van came") == ["Van Houten"]


def test_parts_that_are_words_need_a_capital_in_mid_sentence() -> None:
    """And no medical word after them."""
    text = "Brown sputum. Then Brown left; brown urine; the Brown catheter; Mark it; WILL GO."
    assert further("Will Brown", "NAME", text) == ["Brown"]
    assert further("Will May", "NAME", "may go; PT WILL MAY left; in May he") == ["WILL", "MAY", "May"]


def test_parts_that_are_eponyms_stay_eponyms() -> None:
    """Parkinson the patient and Parkinson the disease."""
    assert further("Parkinson", "NAME", "Parkinson disease; Wolff-Parkinson-White; then Parkinson slept") == ["Parkinson"]


def test_places_and_numbers() -> None:
    """Names of places that nothing else explains, and values of numbers."""
    assert further("Ryanburgh", "CITY", "the Ryanburgh church") == ["Ryanburgh"]
    assert further("Ryanburgh", "CITY", "the Ryanburgh church", MODEL) == []
    assert further("Mount Hope Hospital", "HOSPITAL", "hope; a hospital") == []
    assert further("AB-12345", "MRN", "visit/AB-12345 and AB-123456") == ["AB-12345"]
