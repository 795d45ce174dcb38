"""Pickled dictionaries are read without running them."""

import bz2
import pickle
from pathlib import Path
from typing import Any

import pytest

from medloom.errors import SourceError
from medloom.sources.formats import ner_dictionary
from medloom.sources.formats.ner_dictionary import dictionary_path, read_dictionary


class _Harm:
    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self._target,)


def _write(path: Path, value: object) -> Path:
    path.write_bytes(bz2.compress(pickle.dumps(value)))
    return path


def test_names_are_gathered_by_concept_in_a_fixed_order(tmp_path: Path) -> None:
    tables = {
        "drug_canonical_to_data": {"aspirin": {"name": "Aspirin"}, "lonely": {"name": "Lonely"}, 7: {}, "bad": None},
        "drug_variant_to_canonical": {"zorprin": ["aspirin"], "asa": ["aspirin", "gone"], "aspirin": {"aspirin"}},
    }
    names = read_dictionary(_write(tmp_path / "d", tables), "drug")
    assert names.concepts == {"aspirin": {"name": "Aspirin"}, "lonely": {"name": "Lonely"}}
    assert names.variants == {"aspirin": ["asa", "aspirin", "zorprin"], "lonely": []}


def test_nothing_in_it_is_run(tmp_path: Path) -> None:
    target = tmp_path / "touched"
    path = _write(tmp_path / "d", {"drug_canonical_to_data": {"a": {"name": _Harm(target)}}})
    with pytest.raises(SourceError, match="not a plain dictionary"):
        read_dictionary(path, "drug")
    assert not target.exists()


@pytest.mark.parametrize("raw", [b"", b"no bzip2", bz2.compress(b"no pickle"), bz2.compress(b"")[:-3], bz2.compress(b"]a.")])
def test_damaged_files_are_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "d"
    path.write_bytes(raw)
    with pytest.raises(SourceError, match="reinstall"):
        read_dictionary(path, "drug")


@pytest.mark.parametrize("value", [[], {}, {"disease_canonical_to_data": {"a": {}}}, {"drug_canonical_to_data": []}])
def test_another_layout_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(SourceError, match="another way"):
        read_dictionary(_write(tmp_path / "d", value), "drug")


def test_a_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ner_dictionary, "_MOST_BYTES", 10)
    with pytest.raises(SourceError):
        read_dictionary(_write(tmp_path / "d", {"drug_canonical_to_data": {"a": {}}}), "drug")


def test_a_missing_package_or_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="source x needs the package no-such-package: pip install no-such-package"):
        dictionary_path("x", "no-such-package", "names.bin")
    (tmp_path / "own_names.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SourceError, match=r"own-names holds no names\.bin"):
        dictionary_path("x", "own-names", "names.bin")
    (tmp_path / "names.bin").touch()
    assert dictionary_path("x", "own-names", "names.bin") == tmp_path / "names.bin"
