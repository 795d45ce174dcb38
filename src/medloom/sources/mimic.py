"""MIMIC-IV-Note: 331,794 discharge summaries of a hospital in Boston, from your own copy; nothing is fetched.

For: discharge diagnosis - chief complaint and history, complaint - history, instructions - history, and other sections that
belong together (``pairs.section_pairs``). Reads ``discharge.csv.gz`` of MIMIC-IV-Note 2.2. Given ``admissions.csv.gz`` of
MIMIC-IV too, it says of each stay whether the patient came back within 3, 7 or 30 days. Licence: PhysioNet Credentialed
Health Data License 1.5.0 and its agreement: each user signs it, and the text is passed on to nobody, no service included.

``contains_phi`` is always true. Names and dates are gone from MIMIC (``___``), but its agreement forbids passing it on, and
that is what the gate keeps. De-identifying it once more with ``deid`` opens the gate, and does not lift the agreement.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from medloom.errors import RowError, SourceError
from medloom.records import Document
from medloom.sources.base import Rejects, Release, SourceConfig
from medloom.sources.formats import readers
from medloom.sources.formats.mimic_sections import SectionName, sections_of
from medloom.sources.formats.mimic_stays import Stays
from medloom.sources.table import OnError, digests
from medloom.text import clean

_LOG = logging.getLogger(__name__)
_NOTES = "discharge.csv"
_STAYS = "admissions.csv"
_DEEPEST = 4
_COLUMNS = ("note_id", "subject_id", "text")
_MAX_CHARS = 4_000_000
_SUMMARY = "DS"
_TOP_CHARS = 1_000
_WITHIN_DAYS = (3, 7, 30)
_AT_THE_TOP = {"sex": "Sex:", "service": "Service:"}


class MimicSource(SourceConfig):
    """Discharge summaries as documents with headed sections, grouped by patient.

    A document's id is the number of its stay (``hadm_id``); a further note of a stay, and a note without one, have their
    ``note_id``. What :class:`~medloom.sources.formats.mimic_stays.Stays` finds becomes the categories ``readmission
    3 days``, ``readmission 7 days`` and ``readmission 30 days``: each holds if the next stay began at most so many times 24
    hours after discharge. The time itself stands in the metadata as ``days to next admission``.
    """

    type: Literal["mimic"] = "mimic"
    path: Path = Field(
        description="discharge.csv.gz of MIMIC-IV-Note, or a folder that holds it (as note/discharge.csv.gz, up to four "
        "folders down)."
    )
    admissions: Path | None = Field(
        default=None,
        description="admissions.csv.gz of MIMIC-IV, or a folder that holds it (as hosp/admissions.csv.gz); looked for in "
        "path if that is a folder. Without it no document says whether the patient came back.",
    )
    keep: tuple[SectionName, ...] | None = Field(
        default=None,
        description="Sections to keep; all if not set, with the text of notes that have no heading. The tasks of medteb "
        "read chief complaint, history of present illness, discharge diagnosis and discharge instructions.",
    )
    contains_phi: bool | None = Field(
        default=True, description="Always true: the agreement that every user of MIMIC signs forbids passing its text on."
    )
    on_error: OnError = Field(
        default="fail", description="A bad row stops the run, or is counted and kept in rejects.jsonl."
    )
    version: str = Field(default="2.2", description="Version of MIMIC-IV-Note, for report and card.")

    @field_validator("contains_phi")
    @classmethod
    def _always(cls, value: bool | None) -> bool | None:
        if not value:
            raise ValueError(
                "contains_phi is always true for mimic: its agreement forbids passing the text on; leave it out"
            )
        return value

    def documents(self, rejects: Rejects) -> Iterator[Document]:
        """One document per note."""
        notes, admissions = self._files()
        stays = Stays(admissions) if admissions is not None else None
        seen: set[int] = set()
        rows = known = unknown = 0
        for where, row, raw in readers.read(notes, _MAX_CHARS):
            rows += 1
            try:
                if isinstance(row, RowError):
                    raise row
                document = self._document(row, where, notes, seen, stays)
            except RowError as error:
                if self.on_error == "fail":
                    raise RowError(where, f"{error.problem} (or set on_error: skip to leave such rows out)") from None
                rejects.add(where, error.problem, raw)
                continue
            if stays is not None and (stay := document.fact("admission")):
                known += int(stay) in stays
                unknown += int(stay) not in stays
            yield document
        if not rows:
            raise SourceError(f"{notes} holds no rows: fetch it again")
        self._check_join(admissions, known, unknown)

    def release(self) -> Release:
        """Terms and citation of MIMIC-IV-Note."""
        return Release(
            name="MIMIC-IV-Note: Deidentified free-text clinical notes",
            version=self.version,
            licence="PhysioNet Credentialed Health Data License 1.5.0: signed by each user; the text may not be passed on",
            citation=(
                "Johnson A, Pollard T, Horng S, Celi LA, Mark R. MIMIC-IV-Note: Deidentified free-text clinical notes. "
                "PhysioNet 2023. doi:10.13026/1n74-ne17."
            ),
            url="https://physionet.org/content/mimic-iv-note/",
        )

    def inputs(self) -> dict[str, str]:
        """Hash of the notes and of the stays."""
        return digests([path for path in self._files() if path is not None])

    def _files(self) -> tuple[Path, Path | None]:
        """The notes, and the stays where there are any."""
        given = self._folder / self.path.expanduser()
        notes = _find(given, _NOTES)
        if notes is None:
            raise SourceError(
                f"source {self.name}: no {_NOTES}.gz in {given}: give that file of MIMIC-IV-Note or a folder that holds it"
            )
        if self.admissions is None:
            return notes, _find(given, _STAYS) if given.is_dir() else None
        wanted = self._folder / self.admissions.expanduser()
        stays = _find(wanted, _STAYS)
        if stays is None:
            raise SourceError(
                f"source {self.name}: no {_STAYS}.gz in {wanted}: give that file of MIMIC-IV's folder hosp, or leave "
                "admissions out"
            )
        return notes, stays

    def _document(self, row: dict[str, Any], where: str, path: Path, seen: set[int], stays: Stays | None) -> Document:
        if missing := [name for name in _COLUMNS if name not in row]:
            raise SourceError(f"{path} has no column {missing[0]!r}: give discharge.csv.gz as PhysioNet ships it")
        note, subject, stay = (_identity(row.get(name, "")) for name in ("note_id", "subject_id", "hadm_id"))
        if not note or not subject:
            raise RowError(where, f"column {'subject_id' if note else 'note_id'!r} is empty")
        if stay and not stay.isdecimal():
            raise RowError(where, "column 'hadm_id' holds no whole number")
        kind = row.get("note_type") or ""
        first = bool(stay) and kind in ("", _SUMMARY) and int(stay) not in seen
        if first:
            seen.add(int(stay))
        text = clean(row["text"])
        days = stays.days_to_next(int(stay)) if stays is not None and stay else None
        facts = {
            "admission": stay,
            "subject": subject,
            "date": (row.get("charttime") or "")[:10],
            "note type": kind,
            **{name: _label(text[:_TOP_CHARS], label) for name, label in _AT_THE_TOP.items()},
            "days to next admission": "" if days is None else f"{days:.2f}",
        }
        return Document(
            id=stay if first else note,
            source=self.name,
            group=subject,
            sections=tuple(s for s in sections_of(text) if self.keep is None or s.heading in self.keep),
            categories=tuple(f"readmission {n} days" for n in _WITHIN_DAYS if days is not None and days <= n),
            contains_phi=True,
            revision=row.get("storetime") or "",
            metadata=tuple((name, value) for name, value in facts.items() if value),
        )

    def _check_join(self, admissions: Path | None, known: int, unknown: int) -> None:
        if unknown and not known:
            raise SourceError(
                f"source {self.name}: none of the {unknown:,} stays with a note is in {admissions}: give the admissions of "
                "the same MIMIC-IV"
            )
        if unknown:
            _LOG.warning(
                "source %s: %d of %d stays with a note are not in %s, and count as stays that no other followed",
                self.name,
                unknown,
                known + unknown,
                admissions,
            )


def _find(given: Path, name: str) -> Path | None:
    """The file itself, or the one file of that name (packed or not) in the folder."""
    if given.is_file():
        if not given.name.lower().endswith((".csv", ".csv.gz")):
            raise SourceError(f"{given} is no CSV: give {name}.gz as PhysioNet ships it")
        return given
    names = ("/".join((*["*"] * depth, name)) for depth in range(_DEEPEST + 1))
    found = sorted(path for pattern in names for end in ("", ".gz") for path in given.glob(pattern + end) if path.is_file())
    if len(found) > 1:
        raise SourceError(
            f"{given} holds {len(found)} files {name}, such as {found[0]} and {found[1]}: name the one to read"
        )
    return found[0] if found else None


def _identity(value: str) -> str:
    """A number as text; pandas writes whole numbers of a column with gaps as 1.0."""
    return value.strip().removesuffix(".0")


def _label(top: str, label: str) -> str:
    """What follows a label on its line, up to the next gap of two blanks."""
    _, _, rest = top.partition(label)
    value = rest.partition("\n")[0].strip().partition("  ")[0]
    return "" if "_" in value else value
