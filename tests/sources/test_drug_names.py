"""Drugs and their names, from a package of our own making."""

import bz2
import pickle
from pathlib import Path

import pytest

from medloom.errors import SourceError
from medloom.records import CONCEPT, Document, Synonym
from medloom.sources import Rejects, known_sources
from medloom.sources.drug_names import DrugNamesSource
from medloom.sources.formats import ner_dictionary

CONCEPTS = {
    "calmol": {"name": "Calmol", "drugbank_id": "DB1", "mesh_tree": ["D03.1", "D27.5", "D03.2"]},
    "restin": {"name": "Restin", "medline_plus_id": "a1"},
    "receptors": {"name": "Receptors", "mesh_tree": ["D12.1"]},
    "nameless": {"drugbank_id": "DB2"},
}
VARIANTS = {
    "calmex": ["calmol"],
    "calmols": ["calmol"],
    "1,2-calmoic acid": ["calmol"],
    "acide calmé": ["calmol"],
    "tablets of calm": ["calmol"],
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "drug_named_entity_recognition"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    tables = {"drug_canonical_to_data": CONCEPTS, "drug_variant_to_canonical": VARIANTS}
    (folder / "drug_ner_dictionary.pkl.bz2").write_bytes(bz2.compress(pickle.dumps(tables)))
    info = tmp_path / "drug_named_entity_recognition-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: drug-named-entity-recognition\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_documents(package: Path, tmp_path: Path) -> None:
    source = DrugNamesSource()
    assert list(source.documents(Rejects(tmp_path / "r.jsonl"))) == [
        Document(
            id="calmol",
            source="drug_names",
            title="Calmol",
            synonyms=(Synonym("calmex"), Synonym("tablets of calm")),
            categories=("Heterocyclic Compounds",),
            metadata=(CONCEPT,),
        ),
        Document(id="restin", source="drug_names", title="Restin", metadata=(CONCEPT,)),
    ]
    assert source.count() == 2
    assert "9.9" in source.release().version
    assert list(source.inputs()) == ["drug_ner_dictionary.pkl.bz2"]


def test_without_its_package_it_is_known_and_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ner_dictionary, "find_spec", lambda _: None)
    source = known_sources()["drug_names"]
    with pytest.raises(SourceError, match="pip install drug-named-entity-recognition"):
        list(source(type="drug_names").documents(Rejects(tmp_path / "r.jsonl")))
