"""Corpora in the layout of BEIR, and CURE's, on texts of our own."""

import gzip
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medloom.errors import RowError, SourceError
from medloom.records import Document
from medloom.sources import Rejects
from medloom.sources.beir import BeirSource
from medloom.sources.cure import CureSource
from medloom.sources.nfcorpus import NfCorpusSource
from medloom.sources.trec_covid import TrecCovidSource

Write = Callable[..., Path]
CORPUS: list[dict[str, Any]] = [
    {"_id": "D-1", "title": "Bread", "text": "On bread.", "metadata": {"url": "https://own.example/1", "pubmed_id": "77"}},
    {"_id": "D-2", "title": "Milk", "text": "On milk.", "metadata": {}},
    {"_id": "D-3", "title": "", "text": "On salt."},
]
JUDGED = {"train": ("D-1", "D-2"), "dev": ("D-1",), "test": ("D-1",)}


def _read(source: BeirSource) -> list[Document]:
    return list(source.documents(Rejects(None)))


@pytest.fixture
def folder(tmp_path: Path, write_jsonl: Write) -> Path:
    write_jsonl("corpus.jsonl", CORPUS)
    write_jsonl("queries.jsonl", [{"_id": "Q-1", "text": "What of bread?"}])
    (tmp_path / "qrels").mkdir()
    for split, ids in JUDGED.items():
        lines = "".join(f"Q-1\t{one}\t1\n" for one in ids)
        (tmp_path / "qrels" / f"{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{lines}", "utf-8")
    return tmp_path


@pytest.fixture
def copy(tmp_path: Path, write_jsonl: Write) -> Path:
    """The same as the hub holds it: a configuration for the corpus, and one for the judgements."""
    (tmp_path / "qrels").mkdir()
    write_jsonl("corpus.jsonl", [{k: v for k, v in row.items() if k != "metadata"} for row in CORPUS])
    for split, ids in JUDGED.items():
        write_jsonl(f"qrels/{split}.jsonl", [{"query-id": "Q-1", "corpus-id": one, "score": 1.0} for one in ids])
    files = "".join(f"  - split: {split}\n    path: qrels/{split}.jsonl\n" for split in JUDGED)
    corpus = "- config_name: corpus\n  data_files:\n  - split: corpus\n    path: corpus.jsonl\n"
    (tmp_path / "README.md").write_text(
        f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}{corpus}---\n", "utf-8"
    )
    return tmp_path


def test_documents_are_marked_with_every_split_that_judges_them(folder: Path) -> None:
    first, second, third = _read(NfCorpusSource(path=folder))
    licence = ("licence", "academic use")
    assert first == Document(
        id="D-1",
        source="nfcorpus",
        title="Bread",
        text="On bread.",
        group="D-1",
        metadata=(
            licence,
            *(("split", s) for s in ("validation", "test", "train")),
            ("url", "https://own.example/1"),
            ("pmid", "77"),
        ),
    )
    assert second.metadata == (licence, ("split", "train"))
    assert (third.title, third.metadata) == ("", (licence,))


def test_training_leaves_out_what_another_split_judges(folder: Path) -> None:
    assert [d.id for d in _read(NfCorpusSource(path=folder, splits=("train",)))] == ["D-2", "D-3"]
    assert len(_read(NfCorpusSource(path=folder, splits=("train", "validation", "test")))) == 3


def test_the_copy_on_the_hub(copy: Path) -> None:
    documents = _read(NfCorpusSource(hub=True, dataset=str(copy)))
    assert [(d.id, {v for k, v in d.metadata if k == "split"}) for d in documents] == [
        ("D-1", {"train", "validation", "test"}),
        ("D-2", {"train"}),
        ("D-3", set()),
    ]
    assert [d.id for d in _read(NfCorpusSource(hub=True, dataset=str(copy), splits=("train",)))] == ["D-2", "D-3"]


def test_a_packed_corpus_without_judgements(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "corpus.jsonl.gz", "wt", encoding="utf-8") as f:
        f.writelines(json.dumps(row) + "\n" for row in CORPUS)
    source = NfCorpusSource(path=tmp_path)
    assert [d.fact("split") for d in _read(source)] == ["", "", ""]
    assert source.count() == 3


def test_the_inputs_are_corpus_and_judgements(folder: Path) -> None:
    source = NfCorpusSource(path=folder)
    assert list(source.inputs()) == ["1-corpus.jsonl", "2-dev.tsv", "3-test.tsv", "4-train.tsv"]
    assert list(TrecCovidSource(path=folder).inputs()) == ["1-corpus.jsonl"]


def test_a_corpus_that_is_all_test(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        documents = _read(TrecCovidSource(path=folder))
    assert [d.fact("split") for d in documents] == ["test"] * 3
    assert {d.source for d in documents} == {"trec-covid"}
    assert len(caplog.records) == 1
    assert "do not train on them" in caplog.text
    with pytest.raises(SourceError, match="nothing is of the split train; its splits: test"):
        _read(TrecCovidSource(path=folder, splits=("train",)))


def test_other_layouts_are_told(tmp_path: Path, folder: Path, write_jsonl: Write) -> None:
    with pytest.raises(SourceError, match=r"source nfcorpus: no corpus\.jsonl in .*qrels"):
        _read(NfCorpusSource(path=folder / "qrels"))
    (folder / "qrels" / "train.tsv").write_text("a\tb\n1\t2\n", "utf-8")
    with pytest.raises(SourceError, match=r"train\.tsv, line 2: no field 'corpus-id'"):
        _read(NfCorpusSource(path=folder))
    write_jsonl("corpus.jsonl", [{"id": "1", "text": "secret"}])
    with pytest.raises(RowError, match="no field '_id': this is no corpus in BEIR's layout") as caught:
        _read(TrecCovidSource(path=folder))
    assert "secret" not in str(caught.value)


@pytest.fixture
def cure(tmp_path: Path, write_jsonl: Write) -> Path:
    rows = {
        "dermatology": [{"_id": "1", "title": "Skin", "text": "On skin."}, {"_id": "2", "title": "", "text": "On hair."}],
        "genetics": [
            {"_id": "2", "title": "", "text": "On hair."},
            {"_id": "1", "title": "Genes", "text": "Another text of that number."},
        ],
    }
    for name, passages in rows.items():
        (tmp_path / name).mkdir()
        write_jsonl(f"{name}/corpus.jsonl", passages)
        write_jsonl(f"{name}/queries-en.jsonl", [{"_id": "Q", "text": "What?"}])
    return tmp_path


def test_passages_by_discipline_each_once(cure: Path) -> None:
    source = CureSource(path=cure)
    assert [(d.id, d.categories, d.title) for d in _read(source)] == [
        ("1", ("dermatology",), "Skin"),
        ("2", ("dermatology",), ""),
        ("1#4", ("genetics",), "Genes"),
    ]
    assert {d.metadata for d in _read(source)} == {(("licence", "CC BY-NC 4.0"), ("split", "test"), ("language", "en"))}
    assert list(source.inputs()) == ["dermatology", "genetics"]
    assert source.count() is None


def test_chosen_disciplines(cure: Path) -> None:
    assert [d.id for d in _read(CureSource(path=cure, disciplines=("genetics",)))] == ["2", "1"]
    with pytest.raises(SourceError, match=r"source cure: no corpus\.jsonl of alchemy in"):
        _read(CureSource(path=cure, disciplines=("genetics", "alchemy")))
    with pytest.raises(SourceError, match=r"no corpus\.jsonl of any discipline"):
        _read(CureSource(path=cure / "genetics"))


def test_cures_copy_on_the_hub(cure: Path) -> None:
    files = "".join(f"  - split: {n}\n    path: {n}/corpus.jsonl\n" for n in ("dermatology", "genetics"))
    (cure / "README.md").write_text(f"---\nconfigs:\n- config_name: corpus\n  data_files:\n{files}---\n", "utf-8")
    source = CureSource(hub=True, dataset=str(cure), disciplines=("genetics",))
    assert [(d.id, d.categories) for d in _read(source)] == [("2", ("genetics",)), ("1", ("genetics",))]
    assert list(source.inputs()) == [cure.name]
