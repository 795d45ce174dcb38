"""Terminologies in OBO and OBO graphs JSON: one small ontology of our own in both formats."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from medloom.errors import SourceError
from medloom.records import CONCEPT, Document, Synonym
from medloom.sources import Rejects
from medloom.sources.doid import DoidSource
from medloom.sources.formats.obographs import read_graph_outline, read_graph_terms, read_graph_version
from medloom.sources.formats.terms import branches, heads, shortened, with_ancestors
from medloom.sources.mondo import MondoSource
from medloom.sources.terminology import OboSource, TerminologySource

OBO = """data-version: releases/2020-01-02

[Term]
id: X:1
name: disease

[Term]
id: X:2
name: heart  disease
is_a: X:1

[Term]
id: X:3
name: lung disease
is_a: X:1

[Term]
id: X:4
name: heart failure
def: "A weak  heart." [own:1]
synonym: "weak heart" EXACT layperson []
synonym: "cardiac failure" EXACT []
synonym: "acute heart failure" NARROW []
synonym: "circulatory trouble" BROAD []
synonym: "dropsy" RELATED []
synonym: "HF" EXACT ABBREVIATION []
synonym: "hart failure" EXACT MISSPELLING []
synonym: "cardiac failure" RELATED []
is_a: X:2
is_a: X:3
is_a: Y:9

[Term]
id: X:5
name: obsolete cough
is_a: X:3
is_obsolete: true

[Term]
id: Y:9
name: carried along
"""

_IRI = "http://purl.obolibrary.org/obo/"
_OIO = "http://www.geneontology.org/formats/oboInOwl#"


def _synonym(pred: str, text: str, kind: str = "") -> dict[str, Any]:
    return {"pred": pred, "val": text, **({"synonymType": f"{_IRI}own#{kind}"} if kind else {})}


GRAPH: dict[str, Any] = {
    "graphs": [
        {
            "id": f"{_IRI}own.json",
            "meta": {
                "version": f"{_IRI}own/releases/2020-01-02/own.json",
                "basicPropertyValues": [{"pred": "a", "val": "b"}],
            },
            "nodes": [
                {"id": f"{_IRI}X_1", "lbl": "disease", "type": "CLASS"},
                {"id": f"{_IRI}X_2", "lbl": "heart  disease", "type": "CLASS", "meta": {}},
                {"id": f"{_IRI}X_3", "lbl": "lung disease", "type": "CLASS"},
                {
                    "id": f"{_IRI}X_4",
                    "lbl": "heart failure",
                    "type": "CLASS",
                    "meta": {
                        "definition": {"val": "A weak  heart.", "xrefs": ["own:1"]},
                        "synonyms": [
                            _synonym("hasExactSynonym", "weak heart", "layperson"),
                            _synonym("hasExactSynonym", "cardiac failure"),
                            _synonym("hasNarrowSynonym", "acute heart failure"),
                            _synonym(f"{_OIO}hasBroadSynonym", "circulatory trouble"),
                            _synonym("hasRelatedSynonym", "dropsy"),
                            _synonym("hasExactSynonym", "HF", "ABBREVIATION"),
                            _synonym("hasExactSynonym", "hart failure", "MISSPELLING"),
                            _synonym("hasRelatedSynonym", "cardiac failure"),
                        ],
                    },
                },
                {"id": f"{_IRI}X_5", "lbl": "obsolete cough", "type": "CLASS", "meta": {"deprecated": True}},
                {"id": f"{_IRI}Y_9", "lbl": "carried along", "type": "CLASS"},
                {"id": f"{_IRI}X_6", "type": "CLASS"},
                {"id": f"{_IRI}BFO_0000050", "lbl": "part of", "type": "PROPERTY"},
            ],
            "edges": [
                {"sub": f"{_IRI}X_2", "pred": "is_a", "obj": f"{_IRI}X_1"},
                {"sub": f"{_IRI}X_3", "pred": "http://www.w3.org/2000/01/rdf-schema#subClassOf", "obj": f"{_IRI}X_1"},
                *({"sub": f"{_IRI}X_4", "pred": "is_a", "obj": f"{_IRI}{one}"} for one in ("X_2", "X_3", "Y_9")),
                {"sub": f"{_IRI}X_4", "pred": f"{_IRI}BFO_0000050", "obj": f"{_IRI}X_1"},
            ],
            "logicalDefinitionAxioms": [{"definedClassId": f"{_IRI}X_4"}],
        }
    ]
}


@pytest.fixture(params=["own.obo", "own.json", "own.obo.gz", "own.json.gz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The ontology in each of its forms."""
    file = tmp_path / str(request.param)
    raw = (OBO if ".obo" in file.name else json.dumps(GRAPH, indent=1)).encode()
    file.write_bytes(gzip.compress(raw) if file.suffix == ".gz" else raw)
    return file


def _read(source: TerminologySource) -> list[Document]:
    return list(source.documents(Rejects(None)))


def test_both_formats_give_the_same_documents(path: Path) -> None:
    source = OboSource(path=path, prefix="X:", licence="CC0", roots=("X:1",))
    assert source.name == "own"
    assert source.release().version.endswith("2020-01-02")
    disease, heart, lung, failure = _read(source)
    licence = (CONCEPT, ("licence", "CC0"))
    assert disease == Document("X:1", "own", "disease", metadata=licence)
    assert heart == Document(
        "X:2", "own", "heart disease", parents=("X:1",), categories=("heart disease",), metadata=licence
    )
    assert lung.categories == ("lung disease",)
    assert failure == Document(
        id="X:4",
        source="own",
        title="heart failure",
        text="A weak heart.",
        synonyms=(
            Synonym("weak heart", "exact", lay=True),
            Synonym("cardiac failure"),
            Synonym("acute heart failure", "narrow"),
            Synonym("circulatory trouble", "broad"),
            Synonym("dropsy", "related"),
        ),
        parents=("X:2", "X:3"),
        categories=("heart disease", "lung disease"),
        metadata=licence,
    )
    assert list(source.inputs()) == [path.name]


def test_only_what_lies_below(path: Path) -> None:
    assert [d.id for d in _read(OboSource(path=path, below=("X:3",)))] == ["X:3", "X:4"]
    for setting in ("roots", "below"):
        with pytest.raises(SourceError, match=f"source own: {setting} names X:5, which is not in .*own"):
            _read(OboSource.model_validate({"path": path, setting: ("X:5",)}))


def test_terms_of_another_terminology_alone(path: Path) -> None:
    with pytest.raises(SourceError, match=r"source mondo: .* holds no terms MONDO:"):
        _read(MondoSource(path=path))


@pytest.mark.parametrize("kind", [MondoSource, DoidSource])
def test_the_named_sources(kind: type[TerminologySource], tmp_path: Path) -> None:
    prefix, root = kind.PREFIX, kind.ROOTS[-1]
    other = f"{prefix}77"
    (tmp_path / "own.obo").write_text(
        f"[Term]\nid: {root}\nname: disease\n\n[Term]\nid: {other}\nname: gout\nis_a: {root}\n\n[Term]\nid: Z:1\nname: z\n",
        "utf-8",
    )
    source = kind.model_validate({"path": "own.obo", "version": "2020"}).relative_to(tmp_path)
    assert [(d.id, d.categories) for d in _read(source)] == [(root, ()), (other, ("gout",))]
    release = source.release()
    assert release.version == "2020" and release.licence and release.citation and release.url
    assert kind.model_validate({"path": "own.obo"}).relative_to(tmp_path).release().version == "not stated"


def test_a_newer_root_goes_first(tmp_path: Path) -> None:
    terms = [("MONDO:0000001", "disease", ""), ("MONDO:0700096", "human disease", "MONDO:0000001"), ("MONDO:1", "gout", "")]
    lines = [f"[Term]\nid: {i}\nname: {n}\n" + (f"is_a: {p}\n" if p else "") for i, n, p in terms[:2]]
    (tmp_path / "mondo.obo").write_text(
        "\n".join([*lines, "[Term]\nid: MONDO:1\nname: gout\nis_a: MONDO:0700096\n"]), "utf-8"
    )
    assert [d.categories for d in _read(MondoSource(path=tmp_path / "mondo.obo"))] == [(), (), ("gout",)]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"source doid: no file .*gone\.obo: give path"):
        _read(DoidSource(path=tmp_path / "gone.obo"))


def test_edges_may_come_before_nodes(tmp_path: Path) -> None:
    (graph,) = GRAPH["graphs"]
    file = tmp_path / "own.json"
    file.write_text(json.dumps({"meta": {"x": [1, 2]}, "graphs": [dict(reversed(graph.items()))], "more": 1}), "utf-8")
    outline = read_graph_outline(file)
    assert outline["X:4"] == ("heart failure", ("X:2", "X:3", "Y:9"))
    assert [t.id for t in read_graph_terms(file, outline)] == ["X:1", "X:2", "X:3", "X:4", "Y:9"]
    assert read_graph_version(file) == "2020-01-02"


def test_the_version_info_goes_before_the_address(tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    info = {"pred": "http://www.w3.org/2002/07/owl#versionInfo", "val": "7.1"}
    for meta, version in (({"basicPropertyValues": [info]}, "7.1"), ({"version": "own"}, "own"), ({}, "")):
        file.write_text(json.dumps({"graphs": [{"meta": meta, "nodes": []}]}), "utf-8")
        assert read_graph_version(file) == version


def test_nodes_longer_than_a_block_are_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    nodes = [{"id": f"{_IRI}X_{n}", "lbl": f"n{n}", "meta": {"definition": {"val": "y" * 700_000}}} for n in range(5)]
    file.write_text(json.dumps({"graphs": [{"nodes": nodes, "edges": []}]}), "utf-8")
    terms = list(read_graph_terms(file, {}))
    assert [(t.name, len(t.definition)) for t in terms] == [(f"n{n}", 700_000) for n in range(5)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it ends too early"),
        ("[]", "it is no OBO graphs JSON"),
        ("{}", "it holds no graphs"),
        ('{"graphs": []}', "it holds no graphs"),
        ('{"graphs": [{"nodes": [{"id": "secret"}, ', "it ends too early"),
        ('{"graphs": [{"nodes": [{"id": "secr', "it is not whole JSON"),
        ('{"graphs": [{"nodes": [{"id": secret}]}]}', "it is not whole JSON"),
        ('{"graphs": [{1: 2}]}', "it is no OBO graphs JSON"),
        ('{"graphs": [{"nodes": [' + "[" * 100_000, "a value is nested too deeply"),
    ],
)
def test_damaged_graphs(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "own.json"
    file.write_text(text, "utf-8")
    with pytest.raises(SourceError, match=rf"own\.json: {problem}") as caught:
        read_graph_outline(file)
    assert "secret" not in str(caught.value)


def test_values_of_other_types_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    nodes = [3, {"id": 1, "lbl": 2}, {"id": f"{_IRI}X_1", "lbl": "fever", "meta": [], "type": "CLASS"}]
    nodes.append({"id": f"{_IRI}X_2", "lbl": "cough", "meta": {"synonyms": [None, {"val": 3}], "definition": "text"}})
    file.write_text(json.dumps({"graphs": [{"nodes": nodes, "edges": [None, {"sub": 1}], "meta": 3}]}), "utf-8")
    assert [(t.id, t.name, t.definition) for t in read_graph_terms(file, {})] == [("X:1", "fever", ""), ("X:2", "cough", "")]
    assert read_graph_version(file) == ""


def test_damaged_files(tmp_path: Path) -> None:
    packed = tmp_path / "own.obo.gz"
    packed.write_bytes(gzip.compress(OBO.encode())[:-12])
    with pytest.raises(SourceError, match="damaged or cut-off gzip"):
        _read(OboSource(path=packed))
    latin = tmp_path / "own.json"
    latin.write_bytes('{"graphs": [{"nodes": [{"lbl": "é"}]}]}'.encode("latin-1"))
    with pytest.raises(SourceError, match="is not UTF-8"):
        _read(OboSource(path=latin))


def test_shortened_addresses() -> None:
    assert [
        shortened(a) for a in ("http://a.example/obo/MONDO_0000001", "http://a.example/hp#layperson", "X:1", "a_b", "")
    ] == [
        "MONDO:0000001",
        "layperson",
        "X:1",
        "a_b",
        "",
    ]
    assert shortened("http://www.orpha.net/ORDO/Orphanet_100") == "Orphanet:100"


def test_ancestors_and_branches() -> None:
    parents = {"a": (), "b": ("a",), "c": ("b", "gone"), "d": ("a",), "loop": ("pool",), "pool": ("loop",), "alone": ()}
    assert with_ancestors("c", parents) == {"c", "b", "a"}
    assert with_ancestors("loop", parents) == {"loop", "pool"}
    assert branches(parents, ("a",)) == {"b", "d"}
    assert branches(parents, ()) == {"b", "d"}
    assert branches({**parents, "x": (), "y": ("x",)}, ()) == {"a", "x"}
    assert branches({"alone": ()}, ()) == set()
    assert heads(parents) == {"a"}
