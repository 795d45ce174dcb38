"""Names that the words around them give away, with and without the gazetteer."""

import pytest

from medloom.deid.gazetteers import commonest, gazetteer
from medloom.deid.medical import lexicon
from medloom.deid.page import read_page
from medloom.deid.rules.hits import to_spans
from medloom.deid.rules.names import names
from medloom.deid.rules.reading import Names

FULL = Names(lexicon(), gazetteer())
FEW = Names(lexicon(), commonest())


def found(text: str, known: Names = FULL) -> list[str]:
    """What is taken for a name."""
    return [text[s.start : s.end] for s in to_spans(text, names(read_page(text), known))]


@pytest.mark.parametrize("known", [FULL, FEW], ids=["gazetteer", "few"])
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Dr. Okafor noted", "Okafor"),
        ("Mrs. Hoffman's daughter", "Hoffman"),
        ("Mr. Pain was upset", "Pain"),
        ("DR. KRAUSE NOTIFIED", "KRAUSE"),
        ("dr. okafor saw her", "okafor"),
        ("Patient Name: Whitaker, Janet   MRN:", "Whitaker, Janet"),
        ("**Patient Name:** Whitaker", "Whitaker"),
        ("Attending: Dr. Jean-Luc de la Fontaine\n", "Dr. Jean-Luc de la Fontaine"),
        ("Provider: Sandra Winters, MD", "Sandra Winters"),
        ("Consult: HERRING, SUSAN MD, Cardiology", "HERRING, SUSAN"),
        ("PT JEAN-LUC DE LA FONTAINE ROOM 2", "JEAN-LUC DE LA FONTAINE"),
        ("signed by Tomasz Wójcik, RN", "Tomasz Wójcik"),
        ("per K. Boateng RN.", "K. Boateng"),
        ("his wife, Dorota, called", "Dorota"),
        ("her sister Özlem is", "Özlem"),
        ("The nurse, Abebe, agreed", "Abebe"),
        ("a 34-year-old female, Sarah P., with", "Sarah P."),
        ("a boy named Tommy R. with", "Tommy R."),
        ("Wójcik is a 45-year-old man", "Wójcik"),
        ("Then Abebe fell at home", "Abebe"),
        ("Discussed with J.B. from palliative care", "J.B."),
        ("Signed, Björn Ångström (B.Å.)", "B.Å."),
        ("spoke with fatima okafor by phone", "fatima okafor"),
        ("Mr. W., who was", "Mr. W."),
    ],
)
def test_names(text: str, name: str, known: Names) -> None:
    """Whole names, with the title where a first name or an initial follows it."""
    assert name in found(text, known)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("her mother, Rose, said", "Rose"),
        ("son Rose Long is emergency contact", "Rose Long"),
        ("spoke with art hand by phone", "art hand"),
    ],
)
def test_names_that_are_words_need_the_gazetteer(text: str, name: str) -> None:
    """First names that are ordinary words."""
    assert name in found(text)


@pytest.mark.parametrize("known", [FULL, FEW], ids=["gazetteer", "few"])
@pytest.mark.parametrize(
    "text",
    [
        *(
            "The doctor noted no change.",
            "Dr. said no.",
            "Patient: stable.",
            "PATIENT AMBULATED IN HALL",
            "Mother: Diabetes.",
            "Assistant: None.",
        ),
        *(
            "Mother Alzheimer disease; father Parkinson disease",
            "seen by Cardiology",
            "Discussed with Radiology.",
            "brought by EMS",
            "per Protocol",
        ),
        *(
            "from Mexico, Chinese",
            "She was 45.",
            "MR angiography",
            "MS like symptoms",
            "PT evaluation done",
            "Patient is a 45-year-old man",
            "This is a 3-day-old",
        ),
        *(
            "Signed consent",
            "Sister Mary Joseph nodule",
            "U.S. and I.V. and P.O.",
            "wade into",
            "to Surgery",
            "male, Hispanic",
            "HEENT: Normal.",
        ),
    ],
)
def test_no_names(text: str, known: Names) -> None:
    """Roles, wards, peoples, headings, eponyms."""
    assert found(text, known) == []


def test_a_last_name_does_not_swallow_what_follows() -> None:
    """Credentials, labels and the next sentence stay."""
    assert found("Dr. Brown, MD") == ["Brown"]
    assert found("Name: Brown DOB 1/1/1950") == ["Brown"]
    assert found("Dr. Brown Cardiology consult") == ["Brown"]
    assert found("Attending: Dr. Jane Brown\n\nHISTORY") == ["Dr. Jane Brown"]
