"""Invented discharge summaries in the shape of MIMIC-IV-Note: its columns, headings and quirks, none of its text.

    python benchmarks/mimic_shaped.py FOLDER [--subjects 700] [--seed 0] [--sentences 4]

Writes ``note/discharge.csv.gz`` and ``hosp/admissions.csv.gz``, for trying out what reads MIMIC without having it. Every
discharge diagnosis that a task of MedTEB asks for comes up as often as the others; with 700 patients each of its 32 MIMIC
tasks has enough texts. A complaint fits its diagnosis, all else is drawn: scores on this text say nothing.
"""

import argparse
import csv
import gzip
import io
import random
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from medloom.bench.medteb.classes import DIAGNOSES

NOTE_COLUMNS = ("note_id", "subject_id", "hadm_id", "note_type", "note_seq", "charttime", "storetime", "text")
STAY_COLUMNS = (
    *("subject_id", "hadm_id", "admittime", "dischtime", "deathtime", "admission_type", "admit_provider_id"),
    *("admission_location", "discharge_location", "insurance", "language", "marital_status", "race", "edregtime"),
    *("edouttime", "hospital_expire_flag"),
)
HEADINGS = (
    *("Allergies", "Chief Complaint", "Major Surgical or Invasive Procedure", "History of Present Illness"),
    *("Past Medical History", "Social History", "Family History", "Physical Exam", "Pertinent Results"),
    *("Brief Hospital Course", "Medications on Admission", "Discharge Medications", "Discharge Disposition", "Facility"),
    *("Discharge Diagnosis", "Discharge Condition", "Discharge Instructions", "Followup Instructions"),
)
_OTHER_SPELLINGS = {
    "Major Surgical or Invasive Procedure": "Major Surgical or Invasive Procedures",
    "Discharge Diagnosis": "Discharge Diagnoses",
    "Followup Instructions": "Follow-up Instructions",
    "Medications on Admission": "Admission Medications",
}
_COMPLAINTS = {
    "pneumonia": "Cough",
    "copd": "Shortness of breath",
    "cellulitis": "Red and swollen leg",
    "urinary tract": "Burning on urination",
    "chole": "Pain under the right ribs",
    "bowel": "Vomiting",
    "appendicitis": "Pain in the right lower belly",
    "diverticulitis": "Pain in the left lower belly",
    "pancreatitis": "Pain in the upper belly",
    "abdominal": "Belly pain",
    "chest": "Tight chest",
    "knee": "Knee pain",
    "hip": "Hip pain",
    "lumbar": "Back and leg pain",
    "cervical": "Neck and arm pain",
    "epilepsy": "Convulsion",
    "seizure": "Shaking spell",
    "stroke": "Weak arm",
    "lymphoma": "Confusion",
    "syncope": "Fainting",
    "breast": "Lump in the breast",
    "prostate": "Weak stream",
    "aml": "Bruises",
    "arterial": "Calf pain on walking",
    "obesity": "Weight",
}
_WITH = ("", "", ", fever", ", nausea", ", dizziness", ", fatigue", ", poor sleep", ", loss of appetite", ", chills")
_ONSET = ("after a long walk", "on waking", "during dinner", "while gardening", "after a cold", "without a cause")
_COURSE = ("grew worse", "came and went", "stayed the same", "eased with rest", "returned at night", "spread slowly")
_TRIED = ("tea and rest", "tablets from the drawer", "a hot bottle", "a cold pack", "an old inhaler", "nothing at all")
_DRUGS = ("amoxifen", "brelotol", "cardizine", "dolaprin", "esparol", "fumetide", "gastrolin", "hepavane")
_ILLNESSES = ("high blood pressure", "reflux", "gout", "asthma", "low thyroid", "migraine", "anaemia", "kidney stones")
_PROSE = (
    "The story was told again by a daughter, history of present illness as above, and nothing was added to it by her.",
    'A neighbour said "it was odd, very odd", and called for help; past medical history was not known to those at the door.',
    "Please read this beside the chief complaint and the discharge instructions of the last visit, which say much the same.",
)


@dataclass(frozen=True)
class Stay:
    """One stay in hospital; times without seconds."""

    subject: int
    number: int
    begins: datetime
    ends: datetime
    died: datetime | None = None
    diagnosis: str = ""


@dataclass(frozen=True)
class Note:
    """One note, and what was put into it.

    Attributes:
        stay: The stay that it is of.
        id: As in ``note_id``.
        type: ``DS`` for a summary, ``AD`` for an addendum.
        text: As in the file.
        parts: Heading and text of each section in order, as they should be read.
    """

    stay: Stay
    id: str
    type: str
    text: str
    parts: list[tuple[str, str]] = field(default_factory=list)


def diagnoses() -> list[str]:
    """Every discharge diagnosis that a task of MedTEB asks for."""
    return sorted({value for classes in DIAGNOSES.values() for _, values in classes for value in values})


def stays_of(subjects: int, seed: int) -> Iterator[Stay]:
    """The stays of all patients, in order of time for each patient.

    One in 25 is a transfer to another account, some patients die in hospital, and some of those have an organ donor's
    account after that, with a diagnosis of none.
    """
    chooser = random.Random(f"{seed}|stays")
    names = diagnoses()
    number = 0
    for subject in range(subjects):
        begins = datetime(2110, 1, 1) + timedelta(days=chooser.randrange(30_000), minutes=chooser.randrange(1_440))
        for _ in range(chooser.choice((1, 1, 2, 2, 3, 5))):
            diagnosis = names[number % len(names)]
            stay = _stay(chooser, subject, number, begins, diagnosis)
            number += 1
            yield stay
            if stay.died:
                if chooser.random() < 0.4:
                    yield Stay(10_000_000 + subject, 20_000_000 + number, stay.ends, stay.ends, stay.died)
                    number += 1
                break
            begins = stay.ends + _away(chooser)


def notes_of(stays: Sequence[Stay], seed: int, sentences: int = 4) -> Iterator[Note]:
    """The notes of the stays, by patient; one stay in 20 has none, one in 40 an addendum too."""
    chooser = random.Random(f"{seed}|notes")
    for stay in stays:
        if not stay.diagnosis or chooser.random() < 0.05:
            continue
        text, parts = _summary(chooser, stay, sentences)
        yield Note(stay, f"{stay.subject}-DS-{stay.number % 1_000}", "DS", text, parts)
        if chooser.random() < 0.025:
            words = f"Addendum: the dose of {chooser.choice(_DRUGS)} was left as it was."
            yield Note(stay, f"{stay.subject}-AD-{stay.number % 1_000}", "AD", words, [("", words)])


def write(folder: Path, subjects: int = 700, seed: int = 0, sentences: int = 4) -> tuple[int, int]:
    """Write the folder; equal settings give equal files.

    Args:
        folder: Made if it is not there.
        subjects: Patients.
        seed: Of everything that is drawn.
        sentences: In each long section; 40 give notes of 10,000 characters, as long as MIMIC's.

    Returns:
        Numbers of stays and of notes.
    """
    stays = list(stays_of(subjects, seed))
    _write_table(folder / "hosp" / "admissions.csv.gz", STAY_COLUMNS, (_stay_row(stay) for stay in stays))
    rows = (_note_row(note, number) for number, note in enumerate(notes_of(stays, seed, sentences), start=1))
    return len(stays), _write_table(folder / "note" / "discharge.csv.gz", NOTE_COLUMNS, rows)


def _stay(chooser: random.Random, subject: int, number: int, begins: datetime, diagnosis: str) -> Stay:
    ends = begins + timedelta(days=chooser.randrange(1, 12), minutes=chooser.randrange(600))
    died = ends if diagnosis.lower() in ("deceased", "expired", "patient expired") or chooser.random() < 0.01 else None
    return Stay(10_000_000 + subject, 20_000_000 + number, begins, ends, died, diagnosis)


def _away(chooser: random.Random) -> timedelta:
    """Time at home; none after a transfer."""
    if chooser.random() < 0.04:
        return timedelta()
    first, last = chooser.choice(((0, 3), (3, 7), (7, 30), (30, 900), (30, 900)))
    return timedelta(days=first, minutes=chooser.randrange(1, (last - first) * 1_440))


def _complaint(diagnosis: str) -> str:
    found = (complaint for part, complaint in _COMPLAINTS.items() if part in diagnosis.lower())
    return next(found, "Found without a pulse")


def _summary(chooser: random.Random, stay: Stay, sentences: int) -> tuple[str, list[tuple[str, str]]]:
    """A note as it stands in the file, and its sections as they should be read."""
    contents = _contents(chooser, stay, sentences)
    lines = [
        f" \nName:  ___{' ' * 20}Unit No:   ___\n ",
        f"Admission Date:  ___{' ' * 14}Discharge Date:   ___\n ",
        f"Date of Birth:  ___{' ' * 13}Sex:   {chooser.choice('FM')}\n ",
        f"Service: {chooser.choice(('MEDICINE', 'SURGERY', 'NEUROLOGY', 'ORTHOPAEDICS'))}\n ",
    ]
    parts = []
    for heading in HEADINGS:
        text = contents.get(heading, "")
        if not text or chooser.random() < 0.02:
            continue
        again = heading == "Discharge Instructions" and chooser.random() < 0.05
        for body in (text, "Call if anything is unclear.") if again else (text,):
            lines.append(_headed(chooser, heading, body))
            if body.strip("_"):
                parts.append((heading.lower(), body))
        if heading == "Allergies":
            lines.append("Attending: ___.\n ")
    note = "\n".join(lines)
    return (note.replace("\n", "\r\n") if chooser.random() < 0.05 else note), parts


def _headed(chooser: random.Random, heading: str, body: str) -> str:
    """A section with its heading in one of the ways that hands write it."""
    written = _OTHER_SPELLINGS.get(heading, heading) if chooser.random() < 0.1 else heading
    way = chooser.random()
    if way < 0.80:
        head = f"{written}:\n"
    elif way < 0.86:
        head = f"{written}: "
    elif way < 0.90:
        head = f"\n{written.lower()}:\n"
    elif way < 0.93:
        head = f"\n\n{written.upper()}:\t\n"
    elif way < 0.96:
        head = f"\n{written}\n"
    else:
        head = f"{written} :\t"
    return f"{head}{body}\n {chr(10) if chooser.random() < 0.1 else ''}"


def _contents(chooser: random.Random, stay: Stay, sentences: int) -> dict[str, str]:
    """Texts by heading."""
    complaint = _complaint(stay.diagnosis)
    drugs = chooser.sample(_DRUGS, 3)
    history = _wrapped(
        f"___ is a ___ year old with {complaint.lower()} that began {chooser.choice(_ONSET)} and {chooser.choice(_COURSE)}.",
        *_sentences(chooser, sentences),
        *([chooser.choice(_PROSE)] if chooser.random() < 0.3 else []),
    )
    diagnosis = chooser.choice((stay.diagnosis, stay.diagnosis, stay.diagnosis.lower(), stay.diagnosis.upper()))
    if chooser.random() < 0.1:
        diagnosis = f"PRIMARY DIAGNOSIS:\n{diagnosis}\n\nSECONDARY DIAGNOSIS:\n{chooser.choice(_ILLNESSES)}"
    return {
        "Allergies": chooser.choice(("No Known Allergies / Adverse Drug Reactions", *_DRUGS)),
        "Chief Complaint": f"{complaint}{chooser.choice(_WITH)}",
        "Major Surgical or Invasive Procedure": chooser.choice(
            ("None", "none", "___", "Drain placed", "Scope of the bowel")
        ),
        "History of Present Illness": history,
        "Past Medical History": "\n".join(f"- {name}" for name in chooser.sample(_ILLNESSES, 3)),
        "Social History": "___",
        "Family History": chooser.choice(("Nothing of note.", f"A parent had {chooser.choice(_ILLNESSES)}.")),
        "Physical Exam": f"ADMISSION EXAM:\nVitals: {chooser.randrange(960, 999) / 10} {chooser.randrange(90, 180)}/"
        f"{chooser.randrange(50, 100)} {chooser.randrange(55, 120)}\nLungs: clear\n\nDISCHARGE EXAM:\nUnchanged",
        "Pertinent Results": f"___ 06:50AM BLOOD WBC-{chooser.randrange(4, 19)} Hgb-{chooser.randrange(70, 160) / 10}",
        "Brief Hospital Course": _wrapped(*_sentences(chooser, sentences * 2)),
        "Medications on Admission": "\n".join(f"{n}. {drug} {n * 5} mg PO DAILY" for n, drug in enumerate(drugs, 1)),
        "Discharge Medications": "\n".join(f"{n}. {drug} {n * 10} mg PO BID" for n, drug in enumerate(drugs, 1)),
        "Discharge Disposition": "Expired" if stay.died else chooser.choice(("Home", "Home With Service", "Extended Care")),
        "Facility": "___",
        "Discharge Diagnosis": diagnosis,
        "Discharge Condition": "Mental Status: Clear.\nActivity Status: Ambulatory.",
        "Discharge Instructions": _wrapped(
            f"Dear ___, you came to us with {complaint.lower()}. Take {drugs[0]} for {chooser.randrange(3, 60)} days.",
            *_sentences(chooser, max(1, sentences // 2)),
        ),
        "Followup Instructions": "___",
    }


def _sentences(chooser: random.Random, n: int) -> list[str]:
    return [
        f"On day {chooser.randrange(1, 40)} it {chooser.choice(_COURSE)}, {chooser.choice(_ONSET)}, and "
        f"{chooser.choice(_TRIED)} helped for {chooser.randrange(1, 90)} minutes."
        for _ in range(n)
    ]


def _wrapped(*sentences: str) -> str:
    return textwrap.fill(" ".join(sentences), width=72)


def _stay_row(stay: Stay) -> tuple[object, ...]:
    kind, place = ("URGENT", "PHYSICIAN REFERRAL") if stay.number % 3 else ("EW EMER.", "EMERGENCY ROOM")
    end = "DIED" if stay.died else "HOME"
    times = (stay.begins, stay.ends, stay.died or "")
    rest = ("P00AA0", place, end, "Other", "English", "", "UNKNOWN", "", "")
    return (stay.subject, stay.number, *times, kind, *rest, int(stay.died is not None))


def _note_row(note: Note, number: int) -> tuple[object, ...]:
    day = note.stay.ends.replace(hour=0, minute=0)
    stored = note.stay.ends + timedelta(hours=9)
    return (note.id, note.stay.subject, note.stay.number, note.type, number, day, stored, note.text)


def _write_table(path: Path, columns: Sequence[str], rows: Iterator[tuple[object, ...]]) -> int:
    """Write a packed table without the time of packing; returns the number of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n = 0
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        for row in rows:
            table.writerow(row)
            n += 1
    return n


def main() -> None:
    """Write the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--subjects", type=int, default=700)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sentences", type=int, default=4)
    given = parser.parse_args()
    stays, notes = write(given.folder, given.subjects, given.seed, given.sentences)
    print(f"{given.folder}: {notes:,} notes of {stays:,} stays")


if __name__ == "__main__":
    main()
