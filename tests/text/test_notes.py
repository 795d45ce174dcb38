"""Sections of clinical notes."""

import time
from itertools import pairwise

import pytest

from medloom.text.notes import COMMON, canonical, section_spans


def found(text: str) -> list[tuple[str, str]]:
    return [(part.heading, text[part.start : part.end]) for part in section_spans(text)]


def test_headings_of_every_style() -> None:
    text = (
        "Seen on the ward.\n\n"
        "HISTORY OF PRESENT ILLNESS:\nCough for a week.\n"
        "** Past Medical History **\nAsthma.\n"
        "MEDICATIONS ON ADMISSION\naspirin\n"
        "Family History: Mother had gout.\n"
        "Discharge Diagnosis:\nPneumonia.\n\n"
        "## Hospital Course\nShe got well. PLAN: Rest at home.\n"
        "Assessment And Plan: Done.\n"
    )
    assert found(text) == [
        ("", "Seen on the ward."),
        ("HISTORY OF PRESENT ILLNESS", "Cough for a week."),
        ("Past Medical History", "Asthma."),
        ("MEDICATIONS ON ADMISSION", "aspirin"),
        ("Family History", "Mother had gout."),
        ("Discharge Diagnosis", "Pneumonia."),
        ("Hospital Course", "She got well."),
        ("PLAN", "Rest at home."),
        ("Assessment And Plan", "Done."),
    ]


def test_headings_of_a_discharge_note() -> None:
    headings = ["Chief Complaint", "Brief Hospital Course", "Discharge Diagnosis", "Discharge Condition"]
    headings += ["Discharge Instructions", "Followup Instructions"]
    text = "".join(f"{heading}:\nText of number {number}.\n\n" for number, heading in enumerate(headings))
    assert [heading for heading, _ in found(text)] == headings
    assert len({canonical(heading) for heading in headings}) == len(headings)


def test_line_ends_turned_into_commas() -> None:
    text = (
        "SUBJECTIVE:,  She coughs.,MEDICATIONS: , Aspirin 81 mg.,PHYSICAL EXAMINATION,GENERAL: , Well.,HEENT: , Clear.,"
        "ESTIMATED BLOOD LOSS: , 40 mL.,PLAN:,1.  Rest.,2.  Return at 10:30."
    )
    assert found(text) == [
        ("SUBJECTIVE", "She coughs."),
        ("MEDICATIONS", "Aspirin 81 mg."),
        ("PHYSICAL EXAMINATION,GENERAL", "Well.,HEENT: , Clear."),
        ("ESTIMATED BLOOD LOSS", "40 mL."),
        ("PLAN", "1.  Rest.,2.  Return at 10:30."),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "BP: 120/80, HR: 72.",
        "Labs showed WBC: 9 and HGB: 12.",
        "Note: she left at 10:30.",
        "LUNGS: clear. HEART: regular.",
        "He said the plan: rest.",
        "SOB\nDOE\nCHF",
        "The ratio was 3:1.",
        ":",
        "",
    ],
)
def test_what_is_no_heading(text: str) -> None:
    assert all(part.heading == "" for part in section_spans(text))


def test_offsets() -> None:
    text = "Intro here.\nPlan:\n  Rest.  \nALLERGIES: none known"
    parts = section_spans(text)
    assert [text[p.head : p.head + len(p.heading)] for p in parts] == [p.heading for p in parts] == ["", "Plan", "ALLERGIES"]
    assert all(a.end <= b.head <= b.start < b.end for a, b in pairwise(parts))


def test_a_heading_without_text_is_left_out() -> None:
    assert found("FINDINGS:\n\nIMPRESSION:\nNormal.") == [("IMPRESSION", "Normal.")]


@pytest.mark.parametrize(
    ("heading", "common"),
    [
        ("HPI", "history of present illness"),
        ("CHIEF COMPLAINT", "chief complaint"),
        ("PAST SURGICAL HISTORY", "past medical history"),
        ("Medications on Admission", "medications"),
        ("DISCHARGE MEDICATIONS", "medications"),
        ("KNOWN ALLERGIES", "allergies"),
        ("FHx", "family history"),
        ("Social Hx", "social history"),
        ("ROS", "review of systems"),
        ("PHYSICAL EXAMINATION,GENERAL", "physical examination"),
        ("Vitals", "vital signs"),
        ("LABORATORY DATA ON ADMISSION", "laboratory"),
        ("MRI OF THE KNEE", "imaging"),
        ("DESCRIPTION OF PROCEDURE", "procedure"),
        ("BRIEF HOSPITAL COURSE", "hospital course"),
        ("Impression/Plan", "assessment"),
        ("RECOMMENDATIONS", "plan"),
        ("POSTOPERATIVE DIAGNOSES", "diagnosis"),
        ("Patient instructions", "discharge instructions"),
        ("FOLLOWUP", "follow-up"),
        ("Follow-up plan", "follow-up"),
        ("Materials and Methods", "methods"),
        ("Results:", "results"),
        ("** CONCLUSION **", "conclusions"),
        ("Introduction", "background"),
        ("Chief Complaint", "chief complaint"),
        ("Major Surgical or Invasive Procedure", "procedure"),
        ("Pertinent Results", "laboratory"),
        ("Brief Hospital Course", "hospital course"),
        ("Acute Issues", "hospital course"),
        ("Discharge Medications", "medications"),
        ("Discharge Disposition", "follow-up"),
        ("Discharge Diagnosis", "diagnosis"),
        ("Discharge Condition", "discharge condition"),
        ("Condition at Discharge", "discharge condition"),
        ("Discharge Instructions", "discharge instructions"),
        ("Followup Instructions", "follow-up"),
        ("Transitional Issues", "follow-up"),
        ("1. Introduction", "background"),
        ("2.1. Study Design", "methods"),
        ("Statistical analysis", "methods"),
        ("4 Discussion", "assessment"),
        ("5. Conclusions", "conclusions"),
        ("Abstract", "abstract"),
        ("List of abbreviations", "abbreviations"),
        ("Funding", "declarations"),
        ("Competing interests", "declarations"),
        ("Authors’ contributions", "declarations"),
        ("Ethics approval and consent to participate", "declarations"),
        ("Pre-publication history", "declarations"),
        ("Trial registration", "other"),
        ("", "other"),
    ],
)
def test_common_names(heading: str, common: str) -> None:
    assert canonical(heading) == common
    assert common in COMMON


@pytest.mark.parametrize("name", COMMON)
def test_a_common_name_is_its_own(name: str) -> None:
    assert canonical(name) == name == canonical(name.upper())


@pytest.mark.parametrize("unit", [":", "A:", "PLAN:", "PLAN: x. ", "PLAN,", "A", "\n", "# ", "**", " ", "A b: ", "** a\n"])
def test_hostile_text_takes_linear_time(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit)) + " end"
        start = time.process_time()
        section_spans(text)
        return time.process_time() - start

    short = max(min(seconds(10_000) for _ in range(2)), 0.01)
    assert min(seconds(80_000) for _ in range(2)) < 24 * short
