"""Numbers after labels and by their form; numbers that everybody may look up stay."""

import pytest

from medloom.deid.page import read_page
from medloom.deid.rules.hits import to_spans
from medloom.deid.rules.numbers import numbers


def found(text: str) -> list[tuple[str, str]]:
    """What is found, with kinds."""
    return [(text[s.start : s.end], s.kind) for s in to_spans(text, numbers(read_page(text)))]


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("MRN: 00123456.", "00123456", "MRN"),
        ("Medical Record Number E91435315", "E91435315", "MRN"),
        ("MR# 935-22-77 DOS", "935-22-77", "MRN"),
        ("medical record 1035333-B)", "1035333-B", "MRN"),
        ("(#E18693000)", "E18693000", "OTHER"),
        ("SSN 860-69-2821", "860-69-2821", "SSN"),
        ("social security number is 078 05 1120", "078 05 1120", "SSN"),
        ("member ID W360640056", "W360640056", "PLAN"),
        ("Policy No. XYZ 123456789", "XYZ 123456789", "PLAN"),
        ("group 789858", "789858", "PLAN"),
        ("account no. 984707854", "984707854", "ACCOUNT"),
        ("DEA BM3924402", "BM3924402", "LICENSE"),
        ("Driver license A92096787 copied", "A92096787", "LICENSE"),
        ("vehicle plate NOM-6814.", "NOM-6814", "VEHICLE"),
        ("serial number PJN5419163X", "PJN5419163X", "DEVICE"),
        ("Implant lot 8191-779C", "8191-779C", "DEVICE"),
        ("UDI (01)83315794821540.", "(01)83315794821540", "DEVICE"),
        ("Accession S22-93442;", "S22-93442", "OTHER"),
        ("encounter 6647995216", "6647995216", "OTHER"),
        ("ROOM 288A", "288A", "OTHER"),
        ("portal user jroe80", "jroe80", "OTHER"),
        ("ref. code: EM-2554.", "EM-2554", "DEVICE"),
        ("retinal scan ID 99887766", "99887766", "BIOMETRIC"),
        ("file IMG_2231.JPG", "IMG_2231.JPG", "PHOTO"),
        ("seen (ST-998877)", "ST-998877", "OTHER"),
        ("under 112-45-789", "112-45-789", "OTHER"),
    ],
)
def test_numbers(text: str, value: str, kind: str) -> None:
    """The value without its label."""
    assert found(text) == [(value, kind)]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "NCT01234567",
            "PMID: 31452104",
            "COVID-19",
            "CD4 count 88",
            "BRCA1",
            "E11.9",
            "CPT 99213",
            "BMS-986165",
            "GSK2118436",
            "HLA-B27",
        ),
        *(
            "platelets 231,000",
            "12,400 copies",
            "1200000 copies/mL",
            "group A strep",
            "group 2",
            "a lot of 5 mg",
            "grade 3",
            "room air",
            "bed rest",
        ),
        *(
            "normal 200-500 IU/L",
            "1998-2016",
            "model unchanged",
            "case 3",
            "chart review in 2019",
            "plate 3",
            "series #4 images #12-14",
            "chr1:100672078",
        ),
        *("lot 2", "order 500 mg", "policy was discussed", "visit 2", "No. 1", "#25-gauge needle"),
    ],
)
def test_no_numbers(text: str) -> None:
    """Trials, articles, genes, counts, ranges, small numbers."""
    assert found(text) == []
