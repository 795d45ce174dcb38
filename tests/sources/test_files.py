"""Local files as a source: fields, ids, groups, and what is said when something is wrong."""

import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from medloom.artifacts import write_table
from medloom.errors import RowError, SourceError
from medloom.records import Document, Section
from medloom.sources import Rejects
from medloom.sources.files import FieldMap, FilesSource

ReadAll = Callable[..., list[Document]]
WriteRows = Callable[..., Path]
SECRET = "Jane Roe was born on 3 May"


def test_common_field_names_are_found(read_all: ReadAll, write_jsonl: WriteRows) -> None:
    write_jsonl("faq.jsonl", [{"question": "Why?", "answer": "So.", "other": 1}, {"question": "How?", "answer": "Thus."}])
    assert read_all("faq.jsonl") == [
        Document("faq.jsonl#1", "faq", "Why?", "So."),
        Document("faq.jsonl#2", "faq", "How?", "Thus."),
    ]


def test_fields_can_be_named(read_all: ReadAll, write_jsonl: WriteRows) -> None:
    write_jsonl("a.jsonl", [{"n": 7, "head": "T", "note": "B", "patient": "p1", "text": "not this"}])
    fields = FieldMap(id="n", title="head", text="note", group="patient")
    assert read_all("a.jsonl", fields=fields, name="notes") == [Document("7", "notes", "T", "B", group="p1")]


def test_a_field_named_for_one_part_is_not_guessed_for_another(read_all: ReadAll, write_jsonl: WriteRows) -> None:
    write_jsonl("a.jsonl", [{"question": "Why?", "answer": "So."}])
    assert read_all("a.jsonl", fields=FieldMap(text="question")) == [Document("a.jsonl#1", "a", "", "Why?")]


def test_facts_and_labels_are_kept(read_all: ReadAll, write_jsonl: WriteRows) -> None:
    row = {
        "text": "B",
        "published": "2020-05",
        "units": ["icu", "er", None, ""],
        "labels": ["a", "b"],
        "beds": 3,
        "open": True,
    }
    write_jsonl("a.jsonl", [row, {"text": "C", "labels": "c", "published": None}])
    wanted = FieldMap(categories="labels", metadata={"date": "published", "unit": "units", "beds": "beds", "open": "open"})
    first, second = read_all("a.jsonl", fields=wanted)
    assert first.categories == ("a", "b") and second.categories == ("c",)
    assert first.metadata == (("date", "2020-05"), ("unit", "icu"), ("unit", "er"), ("beds", "3"), ("open", "true"))
    assert second.metadata == ()


@pytest.mark.parametrize("own", [{"ward": ["b", "b"], "date": "2021"}, [["ward", "b"], ["date", "2021"]]])
def test_a_field_of_facts_needs_no_mapping(own: object, read_all: ReadAll, write_jsonl: WriteRows) -> None:
    write_jsonl("a.jsonl", [{"text": "B", "metadata": own}, {"text": "C", "metadata": "free text"}])
    first, second = read_all("a.jsonl")
    assert first.metadata == (("ward", "b"), ("date", "2021")) and second.metadata == ()


def test_what_is_written_as_jsonl_is_read_with_its_facts(read_all: ReadAll, write_jsonl: WriteRows) -> None:
    document = Document("1", "a", "T", "B", categories=("x",), metadata=(("date", "2020"), ("mesh", "m1"), ("mesh", "m2")))
    write_jsonl("a.jsonl", [document.to_row()])
    assert read_all("a.jsonl", fields=FieldMap(id="id")) == [document]


def test_a_nested_fact_is_a_bad_row_that_is_not_quoted(read_all: ReadAll, write_jsonl: WriteRows) -> None:
    write_jsonl("a.jsonl", [{"text": "B", "patient": {"name": SECRET}}])
    with pytest.raises(RowError, match="field 'patient' holds a nested dict") as caught:
        read_all("a.jsonl", fields=FieldMap(metadata={"who": "patient"}))
    assert SECRET not in str(caught.value)


def test_a_fact_that_is_in_no_row_is_named(read_all: ReadAll, write_jsonl: WriteRows) -> None:
    write_jsonl("a.jsonl", [{"text": "B"}])
    with pytest.raises(SourceError, match=r"no field 'publihsed' \(set as fields\.metadata\.date\)"):
        read_all("a.jsonl", fields=FieldMap(metadata={"date": "publihsed"}))


def test_rows_number_through_bad_ones(read_all: ReadAll, write_jsonl: WriteRows) -> None:
    write_jsonl("a.jsonl", [{"text": "one"}, b"{", {"text": "three"}])
    assert [d.id for d in read_all("a.jsonl", on_error="skip")] == ["a.jsonl#1", "a.jsonl#3"]


def test_groups_may_be_numbers(read_all: ReadAll, write_jsonl: WriteRows) -> None:
    write_jsonl("a.jsonl", [{"text": "one", "patient": 12}, {"text": "two", "patient": None}])
    documents = read_all("a.jsonl", fields=FieldMap(group="patient"))
    assert [d.split_key for d in documents] == ["a:12", "a:a.jsonl#2"]


def test_sections(read_all: ReadAll, write_jsonl: WriteRows) -> None:
    parts = [{"heading": "Dose", "text": "One."}, {"heading": "Empty", "text": ""}, {"text": "Bare."}]
    write_jsonl("a.jsonl", [{"title": "T", "sections": parts}])
    document = read_all("a.jsonl")[0]
    assert document.sections == (Section("Dose", "One."), Section("", "Bare."))
    assert document.text == ""


def test_text_is_cleaned(read_all: ReadAll, write_jsonl: WriteRows) -> None:
    write_jsonl("a.jsonl", [{"title": " a\x00b ", "text": "one\r\ntwo\x0b"}])
    assert read_all("a.jsonl") == [Document("a.jsonl#1", "a", "ab", "one\ntwo")]


def test_a_folder_of_text_files(read_all: ReadAll, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    (notes / "deep").mkdir(parents=True)
    (notes / "b.txt").write_text("Plain.", "utf-8")
    (notes / "deep" / "a.md").write_text("# Fever\n\nIntro.\n\n## Dose\n\nOne.\n", "utf-8")
    (notes / "ignored.pdf").write_bytes(b"%PDF")
    assert read_all("notes") == [
        Document("notes/b.txt", "notes", "", "Plain."),
        Document(
            "notes/deep/a.md", "notes", "Fever", "Intro.\n\nOne.", sections=(Section("", "Intro."), Section("Dose", "One."))
        ),
    ]


@pytest.mark.parametrize("name", ["A.MD", "a.md.gz"])
def test_markdown_is_known_by_its_ending_in_any_form(read_all: ReadAll, tmp_path: Path, name: str) -> None:
    content = b"# Fever\n\n## Dose\n\nOne.\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    document = read_all(name)[0]
    assert (document.title, document.sections) == ("Fever", (Section("Dose", "One."),))


def test_globs_lists_and_repeats(read_all: ReadAll, write_jsonl: WriteRows, tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "c.ndjson"):
        write_jsonl(name, [{"text": name}])
    assert [d.text for d in read_all("*.jsonl")] == ["a.jsonl", "b.jsonl"]
    assert [d.text for d in read_all(("c.ndjson", "a.jsonl", "*.jsonl"))] == ["a.jsonl", "b.jsonl", "c.ndjson"]


def test_a_glob_below_a_folder_with_brackets_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "study[1]"
    folder.mkdir()
    (folder / "a.txt").write_text("one", "utf-8")
    source = FilesSource(path="*.txt").relative_to(folder)
    assert [d.text for d in source.documents(Rejects(tmp_path / "r.jsonl"))] == ["one"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("data/notes.jsonl.gz", "notes"),
        ("data/*.jsonl", "data"),
        ("my notes (old)/", "my-notes--old"),
        ("*.csv", "files"),
        (["x/first.csv", "second.csv"], "first"),
        ("../up/**/*.md", "up"),
    ],
)
def test_default_names(path: Any, name: str) -> None:
    assert FilesSource(path=path).name == name


@pytest.mark.parametrize("absolute", [False, True])
def test_ids_never_hold_an_absolute_path(tmp_path: Path, absolute: bool) -> None:
    recipe, data = tmp_path / "recipe", tmp_path / "data"
    for folder in (recipe, data):
        folder.mkdir()
    (data / "a.jsonl").write_text('{"text": "one"}\n', "utf-8")
    (data / "b.txt").write_text("two", "utf-8")
    path = str(data / "*") if absolute else "../data/*"
    source = FilesSource(path=path).relative_to(recipe)
    ids = [d.id for d in source.documents(Rejects(tmp_path / "r.jsonl"))]
    assert len(set(ids)) == len(source.inputs()) == 2
    assert not [label for label in (*ids, *source.inputs()) if label.startswith("/") or str(tmp_path) in label]


def test_files_of_one_name_in_two_folders_elsewhere(tmp_path: Path) -> None:
    recipe, data = tmp_path / "recipe", tmp_path / "data"
    recipe.mkdir()
    for part in ("a", "b"):
        (data / part).mkdir(parents=True)
        (data / part / "note.txt").write_text(f"text {part}", "utf-8")
    source = FilesSource(path=str(data)).relative_to(recipe)
    documents = list(source.documents(Rejects(tmp_path / "r.jsonl")))
    assert [d.text for d in documents] == ["text a", "text b"]
    assert len({d.id for d in documents}) == 2
    before = source.inputs()
    (data / "a" / "note.txt").write_text("changed", "utf-8")
    assert len(before) == 2
    assert source.inputs() != before


def test_inputs_change_with_content_alone(write_jsonl: WriteRows, tmp_path: Path) -> None:
    source = FilesSource(path="*.jsonl").relative_to(tmp_path)
    path = write_jsonl("a.jsonl", [{"text": "one"}])
    first = source.inputs()
    path.touch()
    assert source.inputs() == first
    write_jsonl("a.jsonl", [{"text": "two"}])
    second = source.inputs()
    assert set(first) == set(second) == {"a.jsonl"}
    assert first != second
    write_jsonl("b.jsonl", [{"text": "two"}])
    assert set(source.inputs()) == {"a.jsonl", "b.jsonl"}


def test_count(write_jsonl: WriteRows, tmp_path: Path) -> None:
    write_jsonl("a.jsonl", [{"text": "one"}, {"text": "two"}])
    write_jsonl("b.jsonl", [{"text": "three"}])
    assert FilesSource(path="*.jsonl").relative_to(tmp_path).count() == 3


def test_release_repeats_the_recipe() -> None:
    stated = FilesSource(path="a.csv", licence="CC0", citation="Roe 2020", version="v2").release()
    assert (stated.name, stated.version, stated.licence, stated.citation) == ("a", "v2", "CC0", "Roe 2020")
    bare = FilesSource(path="a.csv").release()
    assert (bare.version, bare.licence, bare.citation) == ("not stated", "not stated", "not stated")


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValidationError, match="pth"):
        FilesSource(path="a.csv", pth="b")  # type: ignore[call-arg]


# What is wrong, where, and never the text itself


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b'{"text": "Jane', "not valid JSON"),
        (b'["Jane"]', "expected a JSON object"),
        (b'{"text": "Jane \xff"}', "not UTF-8"),
        (b'{"text": ["Jane"]}', "field 'text' holds list, expected text"),
        (b'{"text": 5}', "field 'text' holds int, expected text"),
        (b'{"text": "b", "title": {"a": "Jane"}}', "field 'title' holds dict, expected text"),
        (b'{"text": "b", "sections": "Jane"}', "field 'sections' must be a list of {heading, text}"),
        (b'{"text": "b", "sections": ["Jane"]}', "field 'sections' must be a list of {heading, text}"),
        (b'{"text": "b", "sections": [{"heading": 1, "text": "Jane"}]}', "field 'heading' holds int, expected text"),
        (b'{"text": "b", "key": ["Jane"]}', "field 'key' holds list, expected text or a whole number"),
        (b'{"text": "b", "key": true}', "field 'key' holds bool"),
        (b'{"text": "b", "key": 1.5}', "field 'key' holds float"),
        (b'{"text": "b", "patient": ["Jane"]}', "field 'patient' holds list"),
    ],
)
def test_a_bad_row_stops_the_run_by_default(
    read_all: ReadAll, write_jsonl: WriteRows, tmp_path: Path, bad: bytes, problem: str
) -> None:
    path = write_jsonl("a.jsonl", [{"text": "a", "title": "t", "sections": [], "key": "k", "patient": "p"}, b"", bad])
    with pytest.raises(RowError) as raised:
        read_all("a.jsonl", fields=FieldMap(id="key", group="patient"))
    assert raised.value.where == f"{path}, line 3"
    assert problem in raised.value.problem
    assert "on_error: skip" in str(raised.value)
    assert "Jane" not in str(raised.value)
    assert not (tmp_path / "rejects.jsonl").exists()


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt"])
def test_a_text_of_five_megabytes(read_all: ReadAll, tmp_path: Path, name: str) -> None:
    text = SECRET + " word" * 1_000_000
    content = {"a.jsonl": json.dumps({"text": text}), "a.csv": f"text,n\n{text},1\n", "a.txt": text}[name]
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(RowError, match=r"max_chars \(1,000,000\)|raise max_chars") as raised:
        read_all(name)
    line = {"a.jsonl": ", line 1", "a.csv": ", line 2", "a.txt": ""}[name]
    assert raised.value.where == f"{tmp_path / name}{line}"
    assert len(str(raised.value)) < 400 + len(str(tmp_path))
    assert "Jane" not in str(raised.value)


def test_a_text_as_long_as_allowed(read_all: ReadAll, write_jsonl: WriteRows) -> None:
    write_jsonl("a.jsonl", [{"text": "é" * 100}])
    assert len(read_all("a.jsonl", max_chars=100)[0].text) == 100
    write_jsonl("a.jsonl", [{"text": "é" * 101}])
    with pytest.raises(RowError, match=r"field 'text' has 101 characters, more than max_chars \(100\)"):
        read_all("a.jsonl", max_chars=100)


def test_a_long_text_file_in_another_script_is_too_long_not_misspelt(read_all: ReadAll, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x" + "漢" * 5_000, "utf-8")
    with pytest.raises(RowError, match="max_chars"):
        read_all("a.txt", max_chars=100)


def test_ids_given_twice(read_all: ReadAll, write_jsonl: WriteRows) -> None:
    path = write_jsonl("a.jsonl", [{"id": "x", "text": "one"}, {"id": "y", "text": "two"}, {"id": "x", "text": "Jane"}])
    with pytest.raises(RowError, match="its id stands on an earlier row too") as raised:
        read_all("a.jsonl", fields=FieldMap(id="id"))
    assert raised.value.where == f"{path}, line 3"
    assert "Jane" not in str(raised.value)


def test_ids_given_twice_over_files(read_all: ReadAll, write_jsonl: WriteRows) -> None:
    write_jsonl("a.jsonl", [{"id": 1, "text": "one"}])
    path = write_jsonl("b.jsonl", [{"id": "1", "text": "two"}])
    with pytest.raises(RowError, match="its id stands on an earlier row too") as raised:
        read_all("*.jsonl", fields=FieldMap(id="id"))
    assert raised.value.where == f"{path}, line 1"


@pytest.mark.parametrize("text", [b'"a \\ud800 b"', b'"\\udcff"'])
def test_half_a_surrogate_pair_never_reaches_the_artifact(
    read_all: ReadAll, write_jsonl: WriteRows, tmp_path: Path, text: bytes
) -> None:
    write_jsonl("a.jsonl", [{"text": "fine"}, b'{"text": ' + text + b', "id": ' + text + b"}"])
    kept = read_all("a.jsonl", on_error="skip", fields=FieldMap(id="id"))
    assert kept[0].text == "fine"
    assert write_table(tmp_path / "out.parquet", kept, Document) == len(kept)


@pytest.mark.parametrize("part", ["id", "title", "text", "group", "sections"])
def test_a_field_that_is_not_there(read_all: ReadAll, write_jsonl: WriteRows, part: str) -> None:
    path = write_jsonl("a.jsonl", [{"text": "a", "title": "t"}, {"text": "b", "extra": "c"}])
    with pytest.raises(SourceError) as raised:
        read_all("a.jsonl", fields=FieldMap(**{part: "nope"}))
    assert str(raised.value) == f"{path} has no field 'nope' (set as fields.{part}); its fields are: text, title, extra"


def test_a_text_field_that_cannot_be_guessed(read_all: ReadAll, write_jsonl: WriteRows) -> None:
    path = write_jsonl("a.jsonl", [{"title": "t", "befund": "b"}])
    with pytest.raises(SourceError) as raised:
        read_all("a.jsonl")
    assert str(raised.value) == f"{path}: cannot tell which field holds the text; set fields.text to one of: title, befund"


def test_a_csv_without_header_does_not_spill_its_first_row(read_all: ReadAll, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"1,{SECRET} and has had a cough for three weeks with fever at night\n2,b\n", "utf-8")
    with pytest.raises(SourceError) as raised:
        read_all("a.csv")
    assert SECRET not in str(raised.value)


def test_a_missing_file_names_the_nearest(read_all: ReadAll, write_jsonl: WriteRows, tmp_path: Path) -> None:
    write_jsonl("patients.jsonl", [{"text": "a"}])
    write_jsonl("other.csv", [])
    with pytest.raises(SourceError, match=r"no such file: .*patient\.jsonl \(did you mean patients\.jsonl\?\)"):
        read_all("patient.jsonl")
    with pytest.raises(SourceError) as raised:
        read_all("nowhere/else.jsonl")
    assert str(tmp_path / "nowhere" / "else.jsonl") in str(raised.value)
    assert "did you mean" not in str(raised.value)


def test_a_glob_that_matches_nothing(read_all: ReadAll) -> None:
    with pytest.raises(SourceError, match=r"source x: no file matches .*\*\.jsonl: check the pattern and the folder"):
        read_all("*.jsonl", name="x")


def test_a_folder_without_text_files(read_all: ReadAll, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.pdf").touch()
    with pytest.raises(SourceError, match=r"the folder .*notes holds no \.txt or \.md file"):
        read_all("notes")


def test_an_unknown_ending_is_found_before_anything_is_read(write_jsonl: WriteRows, tmp_path: Path) -> None:
    write_jsonl("a.jsonl", [{"text": "a"}])
    (tmp_path / "b.docx").touch()
    source = FilesSource(path=("a.jsonl", "b.docx")).relative_to(tmp_path)
    with pytest.raises(SourceError, match=r"b\.docx: cannot read this kind of file"):
        next(source.documents(Rejects(tmp_path / "r.jsonl")))
    with pytest.raises(SourceError, match=r"b\.docx: cannot read this kind of file"):
        source.inputs()


def test_no_path_at_all(read_all: ReadAll) -> None:
    with pytest.raises(SourceError, match="path is empty"):
        read_all([], name="x")


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", ""), ("a.jsonl", "\n\n"), ("a.csv", ""), ("a.csv", "text,n\n")])
def test_an_empty_file(read_all: ReadAll, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(SourceError, match=rf"{name} holds no rows"):
        read_all(name)
    assert read_all(name, on_error="skip") == []


# Skipping


def test_skipping_keeps_good_rows_counts_bad_ones_and_keeps_them_aside(
    read_all: ReadAll, write_jsonl: WriteRows, tmp_path: Path
) -> None:
    long = b'{"text": "' + b"y" * 30_000 + b'"}'
    path = write_jsonl("a.jsonl", [{"text": "one"}, b"{bad", {"text": 3}, {"text": "four"}, b'{"text": "\xff"}', long])
    rejects = Rejects(tmp_path / "rejects.jsonl")
    assert [d.text for d in read_all("a.jsonl", rejects, on_error="skip", max_chars=2_000)] == ["one", "four"]
    assert rejects.counts == {"rejected": 4}
    kept = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text("utf-8").splitlines()]
    assert [set(row) for row in kept] == [{"where", "problem", "row"}] * 4
    assert [row["where"] for row in kept] == [f"{path}, line {n}" for n in (2, 3, 5, 6)]
    assert kept[0]["row"] == "{bad"
    assert "not valid JSON" in kept[0]["problem"]
    assert kept[1]["row"].rstrip() == '{"text": 3}'
    assert "holds int" in kept[1]["problem"]
    assert "UTF-8" in kept[2]["problem"]
    assert r"\xff" in kept[2]["row"]
    assert len(kept[3]["row"]) == 10_000


def test_skipping_in_csv_and_text(read_all: ReadAll, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"text,n\ncaf\xe9,1\ngood,2\nshort\n")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "c.txt").write_text("fine", "utf-8")
    rejects = Rejects(tmp_path / "rejects.jsonl")
    found = read_all(("a.csv", "*.txt"), rejects, on_error="skip")
    assert [d.text for d in found] == ["good", "fine"]
    assert rejects.counts == {"rejected": 3}
    rows = [json.loads(line)["row"] for line in (tmp_path / "rejects.jsonl").read_text("utf-8").splitlines()]
    assert rows[1] == "short"


def test_a_skipped_id_given_twice(read_all: ReadAll, write_jsonl: WriteRows, tmp_path: Path) -> None:
    write_jsonl("a.jsonl", [{"id": "x", "text": "one"}, {"id": "x", "text": "two"}])
    rejects = Rejects(tmp_path / "rejects.jsonl")
    assert [d.text for d in read_all("a.jsonl", rejects, on_error="skip", fields=FieldMap(id="id"))] == ["one"]
    assert rejects.counts == {"rejected": 1}


def test_nothing_is_written_where_no_row_is_bad(read_all: ReadAll, write_jsonl: WriteRows, tmp_path: Path) -> None:
    write_jsonl("a.jsonl", [{"text": "one"}])
    assert len(read_all("a.jsonl", on_error="skip")) == 1
    assert not (tmp_path / "rejects.jsonl").exists()


def test_documents_are_streamed(tmp_path: Path) -> None:
    path = tmp_path / "big.jsonl"
    text = "word " * 4_000
    with path.open("w", encoding="utf-8") as f:
        for i in range(3_000):
            f.write(json.dumps({"id": i, "title": f"t{i}", "text": text}) + "\n")
    assert path.stat().st_size > 59_000_000
    source = FilesSource(path="big.jsonl", fields=FieldMap(id="id")).relative_to(tmp_path)
    tracemalloc.start()
    count = sum(1 for _ in source.documents(Rejects(tmp_path / "r.jsonl")))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 3_000
    assert peak < 30_000_000


@pytest.mark.parametrize(
    ("source", "row", "marked"),
    [
        (None, {}, None),
        (None, {"contains_phi": True}, True),
        (None, {"contains_phi": "false"}, False),
        (True, {"contains_phi": False}, True),
        (False, {"contains_phi": True}, True),
        (False, {}, False),
    ],
)
def test_whose_word_counts_on_patient_text(
    read_all: ReadAll, write_jsonl: WriteRows, source: bool | None, row: dict[str, Any], marked: bool | None
) -> None:
    write_jsonl("a.jsonl", [{"text": "B", "deidentified": "safe-harbor/1", **row}])
    (document,) = read_all("a.jsonl", contains_phi=source)
    assert document.contains_phi is marked and document.deidentified == "safe-harbor/1"


@pytest.mark.parametrize("row", [{"contains_phi": 3}, {"contains_phi": "perhaps"}, {"deidentified": True}])
def test_marks_that_are_none(read_all: ReadAll, write_jsonl: WriteRows, row: dict[str, Any]) -> None:
    write_jsonl("a.jsonl", [{"text": SECRET, **row}])
    with pytest.raises(RowError, match=r"line 1: field '(contains_phi|deidentified)' holds") as error:
        read_all("a.jsonl")
    assert SECRET not in str(error.value) and "perhaps" not in str(error.value)
