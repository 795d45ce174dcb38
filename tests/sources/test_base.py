"""How sources are found, named and told of bad rows."""

import json
from pathlib import Path

import pytest

from medloom.records import Document
from medloom.sources import Rejects, Source, SourceConfig, known_sources


def test_every_module_of_the_package_is_known_by_its_type() -> None:
    known = known_sources()
    assert {"files", "hpo", "icd10cm"} <= set(known)
    assert list(known) == sorted(known)
    for type_, source in known.items():
        assert issubclass(source, SourceConfig)
        assert source.model_fields["type"].default == type_
        assert source.model_fields["name"].description


def test_a_class_that_someone_else_derives_is_not_taken_for_the_source() -> None:
    known_sources.cache_clear()
    own = known_sources()["hpo"]
    derived = type("Derived", (own,), {"__module__": "elsewhere"})
    known_sources.cache_clear()
    assert known_sources()["hpo"] is own is not derived


@pytest.mark.parametrize("type_", ["hpo", "icd10cm"])
def test_a_source_is_called_by_its_type_unless_named(type_: str) -> None:
    source = known_sources()[type_]
    assert source(type=type_).name == type_
    assert source(type=type_, name="mine").name == "mine"
    assert isinstance(source(type=type_), Source)


def test_the_base_itself_reads_nothing(tmp_path: Path) -> None:
    bare = SourceConfig(type="none")
    assert bare.count() is None
    with pytest.raises(NotImplementedError):
        bare.documents(Rejects(tmp_path / "r.jsonl"))
    with pytest.raises(NotImplementedError):
        bare.release()
    with pytest.raises(NotImplementedError):
        bare.inputs()


def test_rejects_are_counted_and_appended(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    rejects = Rejects(path)
    assert not path.exists()
    rejects.add("a, line 1", "bad", "é\ud800")
    rejects.add("a, line 2", "worse", "x" * 20_000)
    assert rejects.counts == {"rejected": 2}
    first, second = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    assert first == {"where": "a, line 1", "problem": "bad", "row": "é\ud800"}
    assert len(second["row"]) == 10_000


def test_a_document_is_split_by_its_group_or_itself() -> None:
    assert Document("1", "a").split_key == "a:1"
    assert Document("1", "a", group="g").split_key == "a:g"
