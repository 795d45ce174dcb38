"""Documents without identifiers: every part, every method, the same each time."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Literal

import pytest
from tests.deid.scripted import Scripted

from medloom.deid.config import DeidConfig
from medloom.deid.replace import Deidentifier, PartSpans
from medloom.deid.spans import Kind, Span
from medloom.errors import StageError
from medloom.records import Document, Section, Synonym

KEY = bytes(range(32))
TOLD: dict[str, Kind] = {
    "Janice Gilbert": "NAME",
    "GILBERT, JANICE": "NAME",
    "Gilbert": "NAME",
    "J.G.": "NAME",
    "Springfield": "CITY",
    "10/12/2023": "DATE",
    "October 22, 2023": "DATE",
    "02/30/2023": "DATE",
    "94": "AGE",
    "555-1234": "PHONE",
    "E18693000": "MRN",
    "face photo": "PHOTO",
}
NOTE = "Mrs. Gilbert (E18693000), a 94-year-old from Springfield, was seen on 10/12/2023. Gilbert's cough since 02/30/2023."
Method = Literal["surrogate", "tag", "remove"]


def _with(
    method: Method = "surrogate", ids: Literal["hash", "keep"] = "keep", key: bytes = KEY, ahead: int = 1
) -> Deidentifier:
    return Deidentifier(DeidConfig(method=method, ids=ids), Scripted(TOLD, ahead), key)


def _text(text: str, method: Method = "surrogate", group: str = "p", key: bytes = KEY) -> str:
    return next(iter(_with(method, key=key).many([Document("1", "s", text=text, group=group)])))[0].text


def test_every_part_of_a_document_is_cleaned() -> None:
    document = Document(
        id="1",
        source="s",
        title="Letter on Janice Gilbert",
        text=NOTE,
        group="p7",
        sections=(Section("Seen by Gilbert", "in Springfield"), Section("", "well")),
        synonyms=(Synonym("Gilbert disease", "related", lay=True),),
        categories=("Springfield", "cough"),
        contains_phi=True,
    )
    deidentifier = _with()
    clean, found = next(iter(deidentifier.many([document])))
    for one in (clean.title, clean.text, *clean.names(), *(s.heading + s.text for s in clean.sections), *clean.categories):
        assert not any(told in one for told in TOLD)
    assert [part.part for part in found] == [
        "title",
        "text",
        "sections[0].heading",
        "sections[0].text",
        "synonyms[0]",
        "categories[0]",
    ]
    last = clean.title.split()[-1]
    assert clean.text.startswith(f"Mrs. {last} (")
    assert clean.sections[0] == Section(f"Seen by {last}", f"in {clean.categories[0]}")
    assert clean.sections[1] == Section("", "well")
    assert clean.synonyms == (Synonym(f"{last} disease", "related", lay=True),)
    assert clean.categories[1] == "cough"
    assert clean.contains_phi is True
    assert clean.deidentified == deidentifier.mark == "safe-harbor/1 surrogate scripted/1"
    assert deidentifier.counts == {"NAME": 5, "MRN": 1, "AGE": 1, "CITY": 3, "DATE": 2}
    assert "90+-year-old" in clean.text
    assert "since [DATE]." in clean.text


def test_spans_are_places_in_the_original() -> None:
    _, found = next(iter(_with().many([Document("1", "s", text=NOTE)])))
    assert [NOTE[s.start : s.end] for s in found[0].spans] == [
        *("Gilbert", "E18693000", "94", "Springfield", "10/12/2023", "Gilbert", "02/30/2023")
    ]
    assert len(found[0].replacements) == 7


def test_a_document_without_identifiers_is_marked_and_otherwise_as_it_was() -> None:
    document = Document("1", "s", title="Cough", text="A dry cough.", group="g", parents=("0",))
    clean, found = next(iter(_with().many([document])))
    assert found == []
    assert (clean.title, clean.text, clean.group, clean.parents) == ("Cough", "A dry cough.", "g", ("0",))
    assert clean.deidentified


def test_surrogates_are_the_same_in_all_notes_of_a_patient_and_in_no_other() -> None:
    a, b, c = (
        _text("Gilbert on 10/12/2023", group="p"),
        _text("On October 22, 2023: Gilbert", group="p"),
        _text("Gilbert on 10/12/2023", group="q"),
    )
    name, day = a.split(" on ")
    assert b.endswith(f": {name}")
    assert c != a
    assert _text("Gilbert on 10/12/2023", key=KEY[::-1]) != a
    from datetime import datetime

    gap = datetime.strptime(b.split(":")[0], "On %B %d, %Y") - datetime.strptime(day, "%m/%d/%Y")
    assert gap.days == 10


def test_without_a_group_each_document_is_a_patient() -> None:
    documents = [Document(str(n), "s", text="Gilbert on 10/12/2023") for n in range(6)]
    texts = [clean.text for clean, _ in _with().many(documents)]
    assert len(set(texts)) == 6


def test_order_neighbours_and_batches_change_nothing() -> None:
    documents = [Document(str(n), "s", text=NOTE, group=f"p{n % 3}") for n in range(9)]
    one = {clean.id: clean for clean, _ in _with().many(documents)}
    other = {clean.id: clean for clean, _ in _with(ahead=4).many(reversed(documents))}
    assert one == other
    assert next(iter(_with().many([documents[4]])))[0] == one["4"]


def test_documents_come_out_before_all_are_read() -> None:
    read: list[int] = []

    def endless() -> Iterator[Document]:
        n = 0
        while True:
            read.append(n)
            yield Document(str(n), "s", text=NOTE)
            n += 1

    stream = _with(ahead=3).many(endless())
    assert next(stream)[0].id == "0"
    assert len(read) <= 4


def test_another_process_gives_the_same_bytes() -> None:
    script = (
        "from tests.deid.test_replace import _text, NOTE, TOLD\nimport sys\nsys.stdout.write(_text(NOTE + ' '.join(TOLD)))"
    )
    made = [
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, check=True, env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."}
        )
        for seed in ("1", "2")
    ]
    assert made[0].stdout == made[1].stdout == _text(NOTE + " ".join(TOLD)).encode()


def test_tags_stand_in_place() -> None:
    assert _text(NOTE, "tag") == (
        "Mrs. [NAME] ([MRN]), a [AGE]-year-old from [CITY], was seen on [DATE]. [NAME]'s cough since [DATE]."
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Seen by Gilbert today", "Seen by today"),
        ("Seen by Gilbert.", "Seen by."),
        ("Seen by Gilbert, who left", "Seen by, who left"),
        ("Gilbert was seen", "was seen"),
        ("Patient (Gilbert) was seen", "Patient was seen"),
        ("Patient [E18693000]", "Patient"),
        ("Gilbert's cough", "cough"),
        ("The cough of Gilbert's wife", "The cough of wife"),
        ("by Gilbert\nSeen", "by\nSeen"),
        ("a 94-year-old", "a year-old"),
        ("Gilbert Gilbert Gilbert", ""),
        ("Name: Gilbert; from Springfield!", "Name:; from!"),
        ("(see Gilbert)", "(see)"),
        ("line\nGilbert\nline", "line\n\nline"),
    ],
)
def test_removal_leaves_no_gaps(text: str, left: str) -> None:
    assert _text(text, "remove") == left


def test_ids_and_groups_become_hashes_that_fit_each_other() -> None:
    documents = [Document("MRN7", "s", text="a", group="P1", parents=("MRN8",)), Document("MRN8", "s", text="b", group="P1")]
    (one, _), (two, _) = _with(ids="hash").many(documents)
    assert one.group == two.group != "P1"
    assert one.parents == (two.id,)
    assert len({one.id, two.id, one.group}) == 3
    assert all(len(value) == 24 and "MRN" not in value for value in (one.id, two.id, one.group))
    other = next(iter(_with(ids="hash", key=KEY[::-1]).many(documents)))[0]
    assert other.id != one.id
    kept = next(iter(_with(ids="keep").many(documents)))[0]
    assert (kept.id, kept.group, kept.parents) == ("MRN7", "P1", ("MRN8",))
    assert next(iter(_with(ids="hash").many([Document("x", "s", text="a")])))[0].group == ""


def test_hashed_ids_change_no_surrogate() -> None:
    document = Document("1", "s", text=NOTE, group="p")
    assert next(iter(_with(ids="hash").many([document])))[0].text == next(iter(_with(ids="keep").many([document])))[0].text


class Broken(Scripted):
    """Gives the spans it was made with, whatever the text."""

    def __init__(self, *spans: Span) -> None:
        super().__init__({})
        self._spans = list(spans)

    def _find(self, text: str) -> list[Span]:
        return self._spans


@pytest.mark.parametrize(
    "spans",
    [
        (Span(0, 5, "NAME"), Span(4, 8, "NAME")),
        (Span(6, 8, "NAME"), Span(0, 2, "NAME")),
        (Span(0, 100, "NAME"),),
        (Span(3, 3, "NAME"),),
        (Span(-1, 3, "NAME"),),
    ],
)
def test_a_detector_that_errs_is_stopped_without_quoting(spans: tuple[Span, ...]) -> None:
    broken = Deidentifier(DeidConfig(), Broken(*spans), KEY)
    with pytest.raises(StageError, match="overlap, are empty or lie outside") as error:
        list(broken.many([Document("Quux", "s", text="Zebediah Quux")]))
    assert "Quux" not in str(error.value)


def test_found_parts_can_be_compared() -> None:
    assert PartSpans("text", (Span(0, 1, "NAME"),), ("x",)) == PartSpans("text", (Span(0, 1, "NAME"),), ("x",))


def test_metadata_that_could_tell_of_a_patient_goes() -> None:
    facts = (("date", "2101-03-04"), ("admission", "20001"), ("language", "en"), ("split", "test"))
    note = Document("1", "notes", text="No fever.", revision="2", metadata=facts)
    clean, _ = next(_with().many([note]))
    assert clean.metadata == (("language", "en"), ("split", "test"))
