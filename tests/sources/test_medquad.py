"""The MedQuAD source, on rows of our own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from medloom.errors import RowError, SourceError
from medloom.records import Document
from medloom.sources import Rejects
from medloom.sources.medquad import MedQuadSource

Write = Callable[..., Path]
LICENCE = (("licence", "CC BY 4.0"),)
MORE = {"answer": "Adults.", "document_url": "https://own.example"}


def _read(folder: Path, **settings: object) -> list[Document]:
    source = MedQuadSource(**settings).relative_to(folder)
    return list(source.documents(Rejects(folder / "rejects.jsonl")))


def test_both_ways_to_name_the_fields(tmp_path: Path, write_jsonl: Write) -> None:
    write_jsonl("a.jsonl", [{"id": "1-1", "focus": "Gout", "question": "What is gout ?", "answer": "A disease.\n"}])
    write_jsonl("b.jsonl", [{"question_id": "1-2", "question_focus": "Gout", "question": "Who gets gout ?"} | MORE])
    assert _read(tmp_path, path=(Path("a.jsonl"), Path("b.jsonl"))) == [
        Document("1-1", "medquad", "What is gout ?", "A disease.", "Gout", metadata=LICENCE),
        Document(
            "1-2", "medquad", "Who gets gout ?", "Adults.", "Gout", metadata=(*LICENCE, ("url", "https://own.example"))
        ),
    ]


def test_questions_whose_answer_is_withheld_are_left_out_and_counted(tmp_path: Path, write_jsonl: Write) -> None:
    write_jsonl(
        "a.jsonl", [{"question": "What?", "answer": None}, {"question": "Who?", "answer": "All."}, {"question": "?"}]
    )
    rejects = Rejects(None)
    assert [d.title for d in MedQuadSource(path=tmp_path).documents(rejects)] == ["Who?"]
    assert rejects.counts == {"withheld": 2}


def test_ids_that_repeat_get_the_number_of_their_row(tmp_path: Path, write_jsonl: Write) -> None:
    rows = [
        {"id": i, "focus": "Gout", "question": f"Question {n}?", "answer": "."} for n, i in enumerate(["7", "7", "8", "7"])
    ]
    rows.append({"focus": "Gout", "question": "Without id?", "answer": "."})
    write_jsonl("a.jsonl", rows)
    assert [d.id for d in _read(tmp_path, path=Path("a.jsonl"))] == ["7", "7#2", "8", "7#4", "5"]


def test_a_row_without_question(tmp_path: Path, write_jsonl: Write) -> None:
    path = write_jsonl("a.jsonl", [{"answer": "secret"}, {"question": "What?", "answer": "secret"}])
    with pytest.raises(RowError, match=rf"{path}, line 1: no text in the field 'question'.*on_error: skip") as caught:
        _read(tmp_path, path=Path("a.jsonl"))
    assert "secret" not in str(caught.value)
    assert [d.title for d in _read(tmp_path, path=Path("a.jsonl"), on_error="skip")] == ["What?"]
    assert "line 1" in (tmp_path / "rejects.jsonl").read_text("utf-8")


@pytest.mark.parametrize(("value", "problem"), [(3, "holds int"), ("a\ud800", "surrogate")])
def test_a_field_that_is_no_text(tmp_path: Path, write_jsonl: Write, value: object, problem: str) -> None:
    write_jsonl("a.jsonl", [{"question": "What?", "answer": value}])
    with pytest.raises(RowError, match=f"field 'answer' {problem}|field 'answer' .*{problem}"):
        _read(tmp_path, path=Path("a.jsonl"))


def test_files_that_cannot_be_read(tmp_path: Path, write_jsonl: Write) -> None:
    write_jsonl("empty.jsonl", [])
    with pytest.raises(SourceError, match=r"source medquad: no file .*gone\.jsonl"):
        _read(tmp_path, path=Path("gone.jsonl"))
    with pytest.raises(SourceError, match=r"empty\.jsonl holds no rows"):
        _read(tmp_path, path=Path("empty.jsonl"))
    with pytest.raises(SourceError, match="path is empty"):
        _read(tmp_path, path=())


def test_a_folder_stands_for_its_tables(tmp_path: Path, write_jsonl: Write) -> None:
    write_jsonl("b.jsonl", [{"question": "Second?", "answer": "."}])
    write_jsonl("a.jsonl", [{"question": "First?", "answer": "."}])
    (tmp_path / "LICENCE.txt").write_text("CC BY 4.0", "utf-8")
    assert [d.title for d in _read(tmp_path, path=Path())] == ["First?", "Second?"]
    (tmp_path / "other").mkdir()
    with pytest.raises(SourceError, match="nor a folder with JSONL"):
        _read(tmp_path, path=Path("other"))


def test_release_inputs_and_count(tmp_path: Path, write_jsonl: Write) -> None:
    path = write_jsonl("a.jsonl", [{"question": "What?", "answer": "This."}])
    source = MedQuadSource(path=path, version="2019")
    assert (source.release().licence, source.release().version) == ("CC BY 4.0", "2019")
    assert MedQuadSource(path=path).release().version == "not stated"
    before = source.inputs()
    assert list(before) == ["1-a.jsonl"]
    assert source.count() == 1
    write_jsonl("a.jsonl", [{"question": "What?", "answer": "That."}] * 2)
    assert source.inputs() != before
    assert source.count() == 2


STANDARD = """<?xml version="1.0" encoding="UTF-8"?>
<Document id="0000001" source="OWN" url="https://own.example/1"><Focus>Gout</Focus>
<FocusAnnotations><UMLS><CUIs><CUI>C0000000</CUI></CUIs></UMLS><Synonyms><Synonym>Podagra</Synonym></Synonyms>
</FocusAnnotations>
<QAPairs><QAPair pid="1"><Question qid="0000001-1" qtype="information">What is gout ?</Question>
<Answer>A disease
of <b>joints</b> &amp; more.</Answer></QAPair>
<QAPair pid="2"><Question qid="0000001-2" qtype="causes">What causes gout ?</Question><Answer></Answer></QAPair></QAPairs>
</Document>"""
OLDER = """<doc docid="2" corpus="OWN" url="https://own.example/2"><doctitle-focus>Cough</doctitle-focus>
<qaPairs><pair pid="1"><question qid="2-1" qtype="treatment">How to treat a cough ?</question><answer>Wait.</answer></pair>
</qaPairs></doc>"""
OTHER = """<DiseaseFile fid="3" source="OWN" url=""><Focus>Fever</Focus><QAPairs><QAPair><Question qid="3-1">What is fever ?
</Question><Answer>Heat.</Answer></QAPair></QAPairs></DiseaseFile>"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for folder, text in (("1_Own_QA", STANDARD), ("2_Older_QA", OLDER), ("3_Other_QA", OTHER)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file.xml").write_text(text, "utf-8")
    (tmp_path / "readme.txt").write_text("no table", "utf-8")
    return tmp_path


def test_the_xml_files_of_the_makers(clone: Path) -> None:
    rejects = Rejects(None)
    source = MedQuadSource(path=clone)
    assert list(source.documents(rejects)) == [
        Document(
            "0000001-1",
            "medquad",
            "What is gout ?",
            "A disease\nof joints & more.",
            "Gout",
            metadata=(*LICENCE, ("url", "https://own.example/1")),
        ),
        Document(
            "2-1",
            "medquad",
            "How to treat a cough ?",
            "Wait.",
            "Cough",
            metadata=(*LICENCE, ("url", "https://own.example/2")),
        ),
        Document("3-1", "medquad", "What is fever ?", "Heat.", "Fever", metadata=LICENCE),
    ]
    assert rejects.counts == {"withheld": 1}
    assert source.count() is None
    before = source.inputs()
    assert list(before) == [f"1-{clone.name}"]
    (clone / "1_Own_QA" / "file.xml").write_text(STANDARD.replace("Podagra", "Toe"), "utf-8")
    assert source.inputs() != before


def test_a_damaged_xml_file(clone: Path) -> None:
    damaged = clone / "1_Own_QA" / "file.xml"
    damaged.write_text(STANDARD.replace("</Document>", ""), "utf-8")
    with pytest.raises(RowError, match=rf"{damaged}: line 9: it ends before its root.*on_error: skip"):
        _read(clone, path=Path())
    assert [d.id for d in _read(clone, path=Path(), on_error="skip")] == ["2-1", "3-1"]
    assert "file.xml" in (clone / "rejects.jsonl").read_text("utf-8")
