"""The FHIR source, on resources of our own."""

import base64
import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medloom.errors import RowError, SourceError
from medloom.mine import PairsConfig, pairs_of
from medloom.records import Document, Section, Synonym
from medloom.sources import Rejects, known_sources
from medloom.sources.fhir import FhirSource

Write = Callable[..., Path]
Fields = dict[str, Any]


def read(path: Any, rejects: Rejects | None = None, **settings: Any) -> list[Document]:
    return list(FhirSource(path=path, **settings).documents(rejects or Rejects(None)))


def bundle(*resources: Fields, **more: Any) -> Fields:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]} | more


def attachment(text: str | bytes, kind: str = "text/plain", **more: Any) -> Fields:
    raw = text.encode() if isinstance(text, str) else text
    return {"contentType": kind, "data": base64.b64encode(raw).decode()} | more


def note(identity: str = "n1", *attachments: Fields, **more: Any) -> Fields:
    content = [{"attachment": a} for a in attachments or (attachment("She slept well."),)]
    return {"resourceType": "DocumentReference", "id": identity, "status": "current", "content": content} | more


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a resource as JSON, or several as lines."""

    def file(name: str, *resources: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in resources)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return file


def only(path: Path, **settings: Any) -> Document:
    (document,) = read(path, **settings)
    return document


R4_CONTEXT: Fields = {"context": {"encounter": [{"reference": "Encounter/e7"}], "period": {"start": "2024-01-01"}}}
R5_CONTEXT: Fields = {"context": [{"reference": "Appointment/a1"}, {"reference": "Encounter/e7"}]}


@pytest.mark.parametrize("context", [R4_CONTEXT, R5_CONTEXT], ids=["R4", "R5"])
def test_a_document_reference(write: Write, context: Fields) -> None:
    text = "Chief Complaint:\r\nCough\n\nPlan:\nRest."
    resource = note(
        "n1",
        attachment(text, title="note.txt"),
        description="Discharge letter",
        docStatus="final",
        type={"coding": [{"system": "http://loinc.org", "code": "18842-5", "display": "Discharge summary"}]},
        category=[{"text": "Clinical note"}],
        subject={"reference": "Patient/p9"},
        date="2024-02-03T10:00:00Z",
        meta={"versionId": "3", "lastUpdated": "2024-02-04T00:00:00Z"},
        **context,
    )
    assert only(write("a.json", resource)) == Document(
        id="DocumentReference/n1",
        source="fhir",
        title="Discharge letter",
        text="Chief Complaint:\nCough\n\nPlan:\nRest.",
        group="p9",
        sections=(Section("Chief Complaint", "Cough"), Section("Plan", "Rest.")),
        contains_phi=True,
        revision="3",
        metadata=(
            ("resource", "DocumentReference"),
            ("status", "final"),
            ("date", "2024-02-03T10:00:00Z"),
            ("type", "Discharge summary"),
            ("category", "Clinical note"),
            ("code", "http://loinc.org|18842-5"),
            ("encounter", "e7"),
        ),
    )


def test_the_same_resource_in_every_kind_of_file(write: Write) -> None:
    names = ("a.json", "b.json", "c.ndjson", "d.ndjson.gz", "e.json.gz", "f.json", "g.json", "h.jsonl")
    files = (
        write("a.json", note()),
        write("b.json", bundle({"resourceType": "Patient", "id": "p"}, note())),
        write("c.ndjson", {"resourceType": "Patient", "id": "p"}, note()),
        write("d.ndjson.gz", note()),
        write("e.json.gz", bundle(note())),
        write("f.json", bundle(bundle(bundle(note())))),
        write("g.json", "\ufeff" + json.dumps(bundle(note()))),
        write("h.jsonl", bundle(note())),
    )
    first, *others = (only(file) for file in files)
    assert first.text == "She slept well."
    assert [o == first for o in others] == [True] * (len(names) - 1)


def test_folders_are_read_by_name_and_repeats_left_out(write: Write, tmp_path: Path) -> None:
    write("b/2.ndjson", note("n2"), note("n1"))
    write("a/1.json", note("n1"))
    write("a/readme.txt", "no resource")
    rejects = Rejects(tmp_path / "rejects.jsonl")
    assert [d.id for d in read(tmp_path, rejects)] == ["DocumentReference/n1", "DocumentReference/n2"]
    assert rejects.counts == {"rejected": 1}
    assert "came before" in (tmp_path / "rejects.jsonl").read_text()
    assert "slept" not in (tmp_path / "rejects.jsonl").read_text()
    assert [d.id for d in read((tmp_path / "b" / "2.ndjson",))] == ["DocumentReference/n2", "DocumentReference/n1"]


@pytest.mark.parametrize(
    ("attachments", "expected"),
    [
        ([attachment("<p>No &amp; yes</p><script>x</script>", "text/html; charset=utf-8")], "No & yes"),
        ([attachment(b"%PDF", "application/pdf"), attachment("<p>Web</p>", "text/html"), attachment("Plain")], "Plain"),
        ([attachment("né".encode("latin-1"), 'Text/Plain; format=flowed; charset="ISO-8859-1"')], "né"),
        ([attachment(b"\xef\xbb\xbfMarked", "text/plain;charset=UTF-8")], "Marked"),
        ([attachment("é", "application/xhtml+xml")], "é"),
        ([{"contentType": "text/plain", "data": "U2hl\n IHNsZXB0\r\n"}], "She slept"),
    ],
)
def test_attachments(write: Write, attachments: list[Fields], expected: str) -> None:
    assert only(write("a.json", note("n1", *attachments))).text == expected


def binary(identity: str, text: str = "From elsewhere.", kind: str = "text/plain") -> Fields:
    return {"resourceType": "Binary", "id": identity, **attachment(text, kind)}


@pytest.mark.parametrize(
    "url", ["Binary/b1", "https://example.org/fhir/Binary/b1", "Binary/b1/_history/2", "urn:uuid:77", "#b1"]
)
def test_attachments_that_are_binaries(write: Write, url: str) -> None:
    resource = note("n1", {"url": url, "contentType": "text/html"}, contained=[binary("b1", "From elsewhere.")])
    entries = [{"resource": resource}, {"fullUrl": "urn:uuid:77", "resource": binary("b1")}]
    assert only(write("a.json", bundle(entry=entries))).text == "From elsewhere."


def test_binaries_of_other_files(write: Write, tmp_path: Path) -> None:
    write("export/DocumentReference.ndjson", note("n1", {"url": "Binary/b1"}), note("n2", {"url": "Binary/b2"}))
    write("export/Binary.ndjson.gz", binary("b1", "One."), binary("b2", "<p>Two.</p>", "text/html"))
    assert [d.text for d in read(tmp_path)] == ["One.", "Two."]
    write("a.json", bundle(note("n3", {"url": "Binary/b1"}), binary("b1", "Mine.")))
    rejects = Rejects(tmp_path / "rejects.jsonl")
    assert [d.text for d in read(tmp_path, rejects)] == ["Mine.", "Two."]
    assert "none of the Binary resources" in (tmp_path / "rejects.jsonl").read_text()


@pytest.mark.parametrize(
    ("resource", "why"),
    [
        (note(status="entered-in-error"), "entered in error"),
        (note(docStatus="entered-in-error"), "entered in error"),
        (
            {
                "resourceType": "Condition",
                "verificationStatus": {"coding": [{"code": "entered-in-error"}]},
                "code": {"text": "secret"},
            },
            "entered in error",
        ),
        (note("n1", attachment(b"%PDF", "application/pdf")), "a type that is not read"),
        (note("n1", {"contentType": "text/plain"}), "holds no data"),
        (note("n1", {"url": "https://example.org/secret.txt", "contentType": "text/plain"}), "nothing is fetched"),
        (note(content=[]), "no attachment"),
        (note("n1", attachment(" \n")), "holds no words"),
        ({"resourceType": "DiagnosticReport", "id": "r"}, "no attachment"),
        ({"resourceType": "Composition", "title": "secret"}, "no section with a text"),
        ({"resourceType": "Condition", "code": {"coding": [{"code": "1"}]}}, "without a name"),
    ],
)
def test_what_is_passed_over_stops_nothing(write: Write, tmp_path: Path, resource: Fields, why: str) -> None:
    rejects = Rejects(tmp_path / "rejects.jsonl")
    assert len(read(write("a.json", bundle(resource, note("n9"))), rejects)) == 1
    (line,) = (tmp_path / "rejects.jsonl").read_text().splitlines()
    assert why in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("resource", "problem"),
    [
        (note("n1", {"contentType": "text/plain", "data": "secret!"}), "are no Base64"),
        (note("n1", {"contentType": "text/plain", "data": 7}), "hold int, expected Base64"),
        (note("n1", attachment(b"\xff\xfe")), "not in the character set"),
        (note("n1", attachment("a", "text/plain; charset=secret")), "unknown character set"),
        (note("n1", attachment("x" * 2_000)), "over 1,000 bytes: raise max_bytes"),
        (note(content="secret"), "'content' must be an object or a list of objects"),
        (note(subject={"reference": 5}), "'reference' holds int, expected text"),
        ({"id": "secret"}, "'resourceType' is missing"),
        ([1, "secret"], "expected an object"),
    ],
)
def test_bad_resources(write: Write, tmp_path: Path, resource: Any, problem: str) -> None:
    path = write("a.json", bundle(resource, note("n9")))
    with pytest.raises(RowError, match=problem) as caught:
        read(path, max_bytes=1_000)
    assert str(caught.value).startswith(f"{path}, entry 1: ")
    assert "or set on_error: skip" in str(caught.value)
    assert "secret" not in str(caught.value)
    rejects = Rejects(tmp_path / "rejects.jsonl")
    assert [d.id for d in read(path, rejects, max_bytes=1_000, on_error="skip")] == ["DocumentReference/n9"]
    assert rejects.counts == {"rejected": 1}


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.json", json.dumps(bundle(note("n9")))[:-1], "entry 2: not valid JSON from here on"),
        ("a.json", '{"resourceType": "Bundle", "entry": [nonsense', "entry 1: not valid JSON"),
        ("a.json", "\n".join(map(json.dumps, (note(), note("n2")))), r"must end in \.ndjson"),
        ("a.json", "[1]", "expected a bundle or one resource"),
        ("a.json", json.dumps(note("n1", attachment("x" * 9_000))), "no bundle, and over 8,000 bytes"),
        ("a.ndjson", '{"resourceType": "Pati', "line 1: not valid JSON"),
        ("a.ndjson", json.dumps(note(description="half \ud800")), "half a surrogate pair"),
    ],
)
def test_bad_files(write: Write, name: str, text: str, problem: str) -> None:
    with pytest.raises(RowError, match=problem):
        read(write(name, text), max_bytes=1_000)


def test_a_damaged_file_keeps_what_came_before(write: Write) -> None:
    whole = json.dumps(bundle(note("n1"), note("n2")))
    rejects = Rejects(None)
    assert [d.id for d in read(write("a.json", whole[:-60]), rejects, on_error="skip")] == ["DocumentReference/n1"]
    assert rejects.counts == {"rejected": 1}


def test_files_that_are_not_there(write: Write, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="path is empty"):
        read(())
    for path in (tmp_path / "none", tmp_path, write("a.txt", "x")):
        with pytest.raises(SourceError, match=r"is no file \.json, \.ndjson"):
            read(path)
    damaged = tmp_path / "b.json.gz"
    damaged.write_bytes(gzip.compress(json.dumps(note()).encode())[:-20])
    with pytest.raises(SourceError, match="damaged or cut-off gzip"):
        read(damaged)


def report(**fields: Any) -> Fields:
    return {"resourceType": "DiagnosticReport", "id": "r1", "status": "final"} | fields


@pytest.mark.parametrize(
    ("fields", "text", "sections"),
    [
        ({"conclusion": "Clear."}, "Clear.", ()),
        (
            {"conclusion": "Clear.", "presentedForm": [attachment("All is well.")]},
            "All is well.",
            (Section("", "All is well."), Section("conclusion", "Clear.")),
        ),
        (
            {"presentedForm": [attachment("<h3>Findings</h3><p>None.</p>", "text/html")]},
            "## Findings\n\nNone.",
            (Section("Findings", "None."),),
        ),
        ({"conclusion": "Clear.", "presentedForm": [attachment(b"%PDF", "application/pdf")]}, "Clear.", ()),
        ({"text": {"status": "generated", "div": "<div><p>Seen.</p></div>"}}, "Seen.", ()),
    ],
)
def test_diagnostic_reports(write: Write, fields: Fields, text: str, sections: tuple[Section, ...]) -> None:
    document = only(write("a.json", report(code={"text": "Chest X-ray"}, effectivePeriod={"start": "2024"}, **fields)))
    assert (document.title, document.text, document.sections) == ("Chest X-ray", text, sections)
    assert document.fact("date") == "2024"


def test_conclusion_codes_and_encounter_of_a_report(write: Write) -> None:
    codes = [{"coding": [{"code": "1", "display": "Normal"}]}, {"text": "Old scar"}]
    resource = report(
        conclusion="Fine.",
        conclusionCode=codes,
        encounter={"reference": "https://example.org/fhir/Encounter/e1/_history/4"},
        subject={"identifier": {"value": "mrn-5"}},
    )
    document = only(write("a.json", resource))
    assert [v for n, v in document.metadata if n == "conclusion"] == ["Normal", "Old scar"]
    assert (document.fact("encounter"), document.group) == ("e1", "mrn-5")


def test_compositions(write: Write) -> None:
    def section(title: str, text: str, *within: Fields, **more: Any) -> Fields:
        return {"title": title, "text": {"status": "generated", "div": f"<div>{text}</div>"}, "section": list(within)} | more

    resource = {
        "resourceType": "Composition",
        "id": "c1",
        "title": "Stay in May",
        "subject": [{"reference": "urn:uuid:5"}],
        "section": [
            section("History", "Long.", section("Family", "Large.")),
            section("", "Coded.", code={"text": "Plan"}),
            section("Empty", " "),
        ],
    }
    document = only(write("a.json", resource))
    assert (document.title, document.text, document.group) == ("Stay in May", "", "urn:uuid:5")
    assert [(s.heading, s.text) for s in document.sections] == [
        ("History", "Long."),
        ("Family", "Large."),
        ("Plan", "Coded."),
    ]


def test_conditions_give_synonyms(write: Write) -> None:
    resource = {
        "resourceType": "Condition",
        "id": "c1",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {
            "text": "Heart attack",
            "coding": [
                {"system": "http://snomed.info/sct", "code": "22298006", "display": "Myocardial infarction"},
                {"display": "heart attack"},
            ],
        },
        "note": [{"text": "After a run."}, {"text": "Second one."}],
        "recordedDate": "2024-03-01",
    }
    document = only(write("a.json", resource))
    assert document.title == "Heart attack"
    assert document.synonyms == (Synonym("Myocardial infarction"),)
    assert document.sections == (Section("note", "After a run.\n\nSecond one."),)
    assert document.fact("status") == "active"
    assert document.fact("code") == "http://snomed.info/sct|22298006"
    (record,) = pairs_of(document, PairsConfig(kinds=("synonym_name",)), {})
    assert (record.query, record.positives) == ("Myocardial infarction", ("Heart attack",))


def test_only_the_kinds_asked_for(write: Write) -> None:
    path = write(
        "a.json", bundle(note(), report(conclusion="Clear."), {"resourceType": "Condition", "code": {"text": "Gout"}})
    )
    assert [d.id for d in read(path)] == ["DocumentReference/n1", "DiagnosticReport/r1", "Condition/a.json#3"]
    assert [d.id for d in read(path, resources=("DiagnosticReport",))] == ["DiagnosticReport/r1"]


def test_entries_without_a_resource_and_empty_bundles(write: Write) -> None:
    entries = [{"request": {"method": "DELETE"}}, {"response": {"status": "204"}}, {"resource": note()}]
    assert len(read(write("a.json", bundle(entry=entries)))) == 1
    assert read(write("b.json", {"resourceType": "Bundle"})) == []
    with pytest.raises(RowError, match="an entry of a bundle must be an object, found int"):
        read(write("c.json", bundle(entry=[7])))
    with pytest.raises(RowError, match="'resource' of an entry holds str, expected an object"):
        read(write("d.json", bundle(entry=[{"resource": "text"}])))


@pytest.mark.parametrize(
    ("given", "expected"), [({}, True), ({"contains_phi": False}, False), ({"contains_phi": None}, None)]
)
def test_patient_text_unless_said_otherwise(write: Write, given: Fields, expected: bool | None) -> None:
    assert only(write("a.json", note()), **given).contains_phi is expected


def test_deep_sections_and_bundles_are_survived(write: Write) -> None:
    deep = '{"section": [' * 3_000 + "]}" * 3_000
    path = write("a.json", '{"resourceType": "Composition", ' + deep[1:])
    with pytest.raises(RowError, match="over 1,000 sections"):
        read(path)
    rejects = Rejects(None)
    assert read(path, rejects, on_error="skip") == []
    assert rejects.counts == {"rejected": 1}
    nested = '{"resourceType": "Bundle", "entry": [{"resource": ' * 500 + json.dumps(note()) + "}]}" * 500
    assert only(write("b.json", nested)).text == "She slept well."


def test_a_large_bundle_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("w") as file:
        file.write('{"resourceType": "Bundle", "entry": [')
        for n in range(300):
            file.write("," * (n > 0) + json.dumps({"resource": note(f"n{n}", attachment(f"Word {n}. " * 5_000))}))
        file.write("]}")
    tracemalloc.start()
    assert sum(1 for _ in FhirSource(path=path).documents(Rejects(None))) == 300
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < path.stat().st_size / 5


def test_release_and_inputs(write: Write) -> None:
    source = FhirSource(path=write("a.json", note()), version="2024-06", licence="ours")
    assert known_sources()["fhir"] is FhirSource
    assert (source.release().version, source.release().licence) == ("2024-06", "ours")
    assert list(source.inputs()) == ["1-a.json"]
