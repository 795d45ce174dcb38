"""E-mail, web, network and telephone."""

import pytest

from medloom.deid.page import read_page
from medloom.deid.rules.contacts import contacts
from medloom.deid.rules.hits import to_spans


def found(text: str) -> list[tuple[str, str]]:
    """What is found, with kinds."""
    return [(text[s.start : s.end], s.kind) for s in to_spans(text, contacts(read_page(text)))]


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("mail jörg.m@klinik-süd.de.", "jörg.m@klinik-süd.de", "EMAIL"),
        ("e-mail: a.b+c@mail.example.co.uk,", "a.b+c@mail.example.co.uk", "EMAIL"),
        ("see https://x.org/viewer/1 now", "https://x.org/viewer/1", "URL"),
        ("link www.tate-howard.com/visit/3.", "www.tate-howard.com/visit/3", "URL"),
        ("from 15.92.175.76.", "15.92.175.76", "IP"),
        ("host fe80::1ff:fe23:4567:890a up", "fe80::1ff:fe23:4567:890a", "IP"),
        ("at 617-555-0199;", "617-555-0199", "PHONE"),
        ("at (617) 555-0199", "(617) 555-0199", "PHONE"),
        ("at +1 915 715 0465 x12", "+1 915 715 0465 x12", "PHONE"),
        ("at 609.767.8461 x1497", "609.767.8461 x1497", "PHONE"),
        ("call back number is 7136328318", "7136328318", "PHONE"),
        ("pager 83578", "83578", "PHONE"),
        ("ext. 4432", "4432", "PHONE"),
        ("tel +44 20 7946 0958", "+44 20 7946 0958", "PHONE"),
        ("faxed to 617-555-0188", "617-555-0188", "FAX"),
        ("617-555-0188 (fax)", "617-555-0188", "FAX"),
    ],
)
def test_contacts(text: str, value: str, kind: str) -> None:
    """The whole value, without the punctuation of the sentence."""
    assert found(text) == [(value, kind)]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "doi.org/10.1000/x",
            "https://pubmed.ncbi.nlm.nih.gov/31452104",
            "version 1.2.3",
            "pH 7.50-7.55",
            "(normal 232-1137)",
            "13.5 x 220 mm",
        ),
        *(
            "pain.no fever",
            "called 3 times",
            "text 12 mg",
            "BP 120-130",
            "contact lenses 20/20",
            "page 3",
            "cell count 1200 cells",
        ),
    ],
)
def test_no_contacts(text: str) -> None:
    """Public addresses, values, ranges."""
    assert found(text) == []
