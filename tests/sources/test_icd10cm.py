"""The diagnosis codes, as the installed package carries them."""

import re
from collections import Counter
from pathlib import Path

import pytest

from medloom.errors import SourceError
from medloom.records import CONCEPT, Document, Synonym
from medloom.sources import Rejects
from medloom.sources.icd10cm import Icd10CmSource


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    return list(Icd10CmSource().documents(Rejects(tmp_path_factory.mktemp("icd") / "r.jsonl")))


@pytest.fixture(scope="module")
def by_code(documents: list[Document]) -> dict[str, Document]:
    return {d.id: d for d in documents}


def test_every_code_once(documents: list[Document]) -> None:
    assert len(documents) > 40_000
    assert [code for code, times in Counter(d.id for d in documents).items() if times > 1] == []


def test_count_is_that_of_the_documents(documents: list[Document]) -> None:
    assert Icd10CmSource().count() == len(documents)


def test_codes_are_categories_and_subcategories(documents: list[Document]) -> None:
    assert [d.id for d in documents if not re.fullmatch(r"[A-Z]\d?[\dA-Z]{1,2}(\.[\dA-Z]{1,4})?", d.id)] == []
    assert all(d.title for d in documents)


def test_seventh_character_codes_are_left_out(by_code: dict[str, Document]) -> None:
    assert "S72.001" in by_code
    assert "S72.001A" not in by_code
    assert [d.id for d in by_code.values() if d.title.endswith(", initial encounter")] == []


def test_codes_are_grouped_by_category(by_code: dict[str, Document]) -> None:
    assert {d.group for d in by_code.values() if d.id.startswith("E11")} == {"E11"}
    assert all(d.group == d.id[:3] for d in by_code.values())
    assert by_code["E11.65"].split_key == by_code["E11"].split_key == "icd10cm:E11"


def test_parents_are_codes_and_categories_have_none(by_code: dict[str, Document]) -> None:
    assert by_code["E11"].parents == ()
    assert by_code["E11.65"].parents == ("E11.6",)
    assert all(parent in by_code for d in by_code.values() for parent in d.parents)


def test_inclusion_terms_are_synonyms(by_code: dict[str, Document]) -> None:
    names = [s.text for s in by_code["A00.0"].synonyms]
    assert names == ["Classical cholera"]
    assert {s.scope for d in by_code.values() for s in d.synonyms} == {"exact"}
    assert not [d.id for d in by_code.values() for s in d.synonyms if s.lay or not s.text.strip()]


def test_chapters_are_labels_without_their_code_range(documents: list[Document]) -> None:
    chapters = {d.categories for d in documents}
    assert ("Neoplasms",) in chapters
    assert 20 <= len(chapters) <= 24
    assert all(len(labels) == 1 for labels in chapters)
    assert [label for (label,) in chapters if re.search(r"\([A-Z0-9]+-[A-Z0-9]+\)", label)] == []


def test_release_and_inputs() -> None:
    source = Icd10CmSource(name="codes")
    release = source.release()
    assert re.match(r"\w+-\d+-20\d\d \(simple-icd-10-cm ", release.version)
    (name, digest), *others = source.inputs().items()
    assert re.fullmatch(r"icd10c-tabular-.*\.xml", name)
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert not others


def test_documents_carry_the_name_of_their_source(tmp_path: Path) -> None:
    first = next(Icd10CmSource(name="codes").documents(Rejects(tmp_path / "r.jsonl")))
    assert first.source == "codes"


TABULAR = """<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.tabular><version>2020</version><introduction><introSection><title>x</title></introSection></introduction>
<chapter><name>1</name><desc>Own Diseases (A00-B99)</desc><includes><note>other</note></includes>
<sectionIndex><sectionRef first="A00" last="A01" id="A00-A01">x</sectionRef></sectionIndex>
<section id="A00-A01"><desc>Fevers (A00-A01)</desc>
<diag><name>A00</name><desc>Own  fever</desc><inclusionTerm><note>Our heat</note><note> </note></inclusionTerm>
<diag><name>A00.0</name><desc>Own fever, mild</desc><inclusionTerm><note>Warmth</note></inclusionTerm>
<sevenChrDef><extension char="A">initial encounter</extension></sevenChrDef></diag></diag></section>
<section id="A00"><desc>Again</desc><diag><name>A00</name><desc>Own fever again</desc></diag></section></chapter>
</ICD10CM.tabular>"""


def test_a_tabular_list_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "icd10cm_tabular_2020.xml").write_text(TABULAR, "utf-8")
    source = Icd10CmSource(path=Path("icd10cm_tabular_2020.xml")).relative_to(tmp_path)
    assert list(source.documents(Rejects(None))) == [
        Document(
            "A00",
            "icd10cm",
            "Own fever",
            group="A00",
            synonyms=(Synonym("Our heat"),),
            categories=("Own Diseases",),
            metadata=(CONCEPT,),
        ),
        Document(
            "A00.0",
            "icd10cm",
            "Own fever, mild",
            group="A00",
            synonyms=(Synonym("Warmth"),),
            parents=("A00",),
            categories=("Own Diseases",),
            metadata=(CONCEPT,),
        ),
    ]
    assert source.count() == 2
    assert source.release().version == "2020"
    assert list(source.inputs()) == ["icd10cm_tabular_2020.xml"]


def test_a_tabular_list_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"source icd10cm: no file .*gone\.xml: give path"):
        list(Icd10CmSource(path=tmp_path / "gone.xml").documents(Rejects(None)))
    (tmp_path / "own.xml").write_text("<own/>", "utf-8")
    with pytest.raises(SourceError, match="holds no codes"):
        list(Icd10CmSource(path=tmp_path / "own.xml").documents(Rejects(None)))
