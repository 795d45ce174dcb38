"""Exports: what each form holds, that trainers read it, and what is refused."""

import errno
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from medloom.artifacts import read_table
from medloom.deid.gate import GateError
from medloom.errors import ArtifactError, MedloomError, StageError
from medloom.mine.dataset_card import DatasetFacts
from medloom.mine.export import Exported, Form, export_triplets
from medloom.mine.marks import marks_of
from medloom.records import Document, TrainingRecord

RECORDS = [
    TrainingRecord("fever", ("high heat", "hot"), "keyword_passage", "notes", "n1", ("cold", "cough"), (0.75, 0.5, 0.25)),
    TrainingRecord("cough ü", ("lung",), "question_passage", "notes", "n2", ("bone",), (0.5, 0.125), "some-llm", "ab12"),
    TrainingRecord("rash", ("skin",), "title_text", "web", "w1"),
]
PUBLIC = [
    Document("n1", "notes", "", "x", contains_phi=False),
    Document("n2", "notes", "", "x", contains_phi=False),
    Document("w1", "web", "", "x", contains_phi=False),
]


def table(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def hub(out: Path, records: list[TrainingRecord] = RECORDS, documents: list[Document] = PUBLIC, **facts: Any) -> Exported:
    return export_triplets(records, out, "hub", facts=DatasetFacts(**facts), marks=marks_of(documents), shard_rows=2)


def test_triplets_are_a_row_for_each_positive_and_negative(tmp_path: Path) -> None:
    done = export_triplets(RECORDS, tmp_path / "t.parquet", "sentence-transformers")
    assert [tuple(row.values()) for row in table(tmp_path / "t.parquet")] == [
        ("fever", "high heat", "cold"),
        ("fever", "high heat", "cough"),
        ("fever", "hot", "cold"),
        ("fever", "hot", "cough"),
        ("cough ü", "lung", "bone"),
    ]
    assert list(table(tmp_path / "t.parquet")[0]) == ["anchor", "positive", "negative"]
    assert (done.rows, done.records, done.left_out) == (5, 3, {"without_negatives": 1})
    assert done.tasks == {"notes/keyword_passage": 1, "notes/question_passage": 1}


def test_n_tuples_and_pairs(tmp_path: Path) -> None:
    done = export_triplets(RECORDS, tmp_path / "n.parquet", "sentence-transformers", shape="n-tuple", negatives=2)
    assert table(tmp_path / "n.parquet") == [
        {"anchor": "fever", "positive": "high heat", "negative_1": "cold", "negative_2": "cough"},
        {"anchor": "fever", "positive": "hot", "negative_1": "cold", "negative_2": "cough"},
    ]
    assert done.left_out == {"too_few_negatives": 1, "without_negatives": 1}
    done = export_triplets(RECORDS, tmp_path / "p.parquet", "sentence-transformers", shape="pair")
    assert table(tmp_path / "p.parquet")[-1] == {"anchor": "rash", "positive": "skin"}
    assert (done.rows, done.left_out) == (4, {})


@pytest.mark.parametrize("shape", ["triplet", "n-tuple", "pair"])
def test_what_is_written_trains(tmp_path: Path, tiny_model: Path, shape: Any) -> None:
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    export_triplets(RECORDS * 2, tmp_path / "t.parquet", "sentence-transformers", shape=shape)
    data = Dataset.from_parquet(str(tmp_path / "t.parquet"), cache_dir=str(tmp_path / "cache"))
    model = SentenceTransformer(str(tiny_model), device="cpu")
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=str(tmp_path / "o"), max_steps=1, per_device_train_batch_size=4, use_cpu=True, report_to="none",
            save_strategy="no", disable_tqdm=True,
        ),
        train_dataset=data,
        loss=MultipleNegativesRankingLoss(model),
    )  # fmt: skip
    assert 0 < trainer.train().training_loss < 20


def test_flagembedding_lines(tmp_path: Path) -> None:
    done = export_triplets(RECORDS, tmp_path / "f.jsonl", "flagembedding")
    lines = (tmp_path / "f.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"query": "fever", "pos": ["high heat", "hot"], "neg": ["cold", "cough"]},
        {"query": "cough ü", "pos": ["lung"], "neg": ["bone"], "pos_scores": [0.5], "neg_scores": [0.125]},
    ]
    assert "ü" in lines[1]
    assert (done.rows, done.left_out) == (2, {"without_negatives": 1})


def test_line_breaks_in_a_text_stay_in_one_line(tmp_path: Path) -> None:
    record = replace(RECORDS[1], query="a\nb\u2028c")
    export_triplets([record], tmp_path / "f.jsonl", "flagembedding")
    with (tmp_path / "f.jsonl").open(encoding="utf-8", newline="\n") as file:
        assert [json.loads(line)["query"] for line in file] == ["a\nb\u2028c"]


def test_the_hub_folder_holds_all_that_records_say(tmp_path: Path) -> None:
    done = hub(tmp_path / "set")
    data = tmp_path / "set" / "data"
    assert sorted(p.name for p in data.iterdir()) == ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]
    assert [r for p in sorted(data.iterdir()) for r in read_table(p, TrainingRecord)] == RECORDS
    assert done.rows == 3
    assert done.tasks == {"notes/keyword_passage": 1, "notes/question_passage": 1, "web/title_text": 1}


def test_the_hub_folder_loads_by_its_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import load_dataset

    hub(tmp_path / "set")
    data = load_dataset(str(tmp_path / "set"), split="train", cache_dir=str(tmp_path / "cache"))
    assert data["query"] == [r.query for r in RECORDS]
    assert data["negatives"] == [list(r.negatives) for r in RECORDS]


def card(folder: Path) -> tuple[dict[str, Any], str]:
    _, front, body = (folder / "README.md").read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(front), body


def test_the_card(tmp_path: Path) -> None:
    made = {
        "generate": {"settings": {"model": "openai:http://llm.ward.internal:8000/v1#llama-70b", "checks": {"judge": True}}},
        "mine": {"base": {"name": "/home/me/models/base"}, "settings": {"guide": "gguf:/srv/m.gguf", "methods": ["dense"]}},
    }
    hub(tmp_path / "set", name="Notes", licence="cc-by-4.0", made=made)
    front, body = card(tmp_path / "set")
    assert front == {
        "license": "cc-by-4.0",
        "language": ["en"],
        "pretty_name": "Notes",
        "task_categories": ["sentence-similarity", "text-retrieval"],
        "size_categories": ["n<1K"],
        "tags": ["sentence-transformers", "medical", "medloom", "hard-negatives"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*.parquet"}]}],
    }
    assert "| notes | `keyword_passage` | 1 | 2 |" in body
    assert "| web | `title_text` | 1 | 0 |" in body
    assert "1 queries were written by `some-llm`" in body
    assert "1 calls to a language model" in body
    assert "llama-70b" in body
    assert "judge: true" in body
    assert "ward.internal" not in body
    assert "/home/me" not in body
    assert "/srv" not in body
    assert "None of the 3 documents is marked" in body
    assert not any(text in body for record in RECORDS for text in (record.query, *record.positives) if text != "fever")


@pytest.mark.parametrize(("n", "size"), [(999, "n<1K"), (1000, "1K<n<10K"), (10_000, "10K<n<100K")])
def test_size_categories(tmp_path: Path, n: int, size: str) -> None:
    export_triplets([RECORDS[2]] * n, tmp_path / "set", "hub", facts=DatasetFacts(), marks=marks_of(PUBLIC))
    assert card(tmp_path / "set")[0]["size_categories"] == [size]


@pytest.mark.parametrize("form", ["sentence-transformers", "flagembedding", "hub"])
def test_the_same_records_give_the_same_bytes(tmp_path: Path, form: Any) -> None:
    def written(name: str) -> list[tuple[str, bytes]]:
        out = tmp_path / f"{name}{ {'hub': '', 'flagembedding': '.jsonl'}.get(form, '.parquet') }"
        export_triplets(iter(RECORDS), out, form, facts=DatasetFacts("same"), marks=marks_of(PUBLIC), shard_rows=2)
        files = sorted(p for p in out.rglob("*") if p.is_file()) if out.is_dir() else [out]
        return [(p.relative_to(out).as_posix(), p.read_bytes()) for p in files]

    assert written("one") == written("two")


def test_patient_text_is_not_published(tmp_path: Path) -> None:
    documents = [replace(d, contains_phi=d.id == "n2") for d in PUBLIC]
    with pytest.raises(GateError, match=r"1 of 2 documents of source 'notes' hold patient text") as raised:
        hub(tmp_path / "set", documents=documents)
    assert "n2" not in str(raised.value)
    with pytest.raises(GateError, match="patient text"):
        hub(tmp_path / "set", documents=documents, no_phi=True)
    with pytest.raises(GateError, match="patient text"):
        hub(tmp_path / "set", documents=documents, allow_phi_to=("some.host",))
    assert not any(tmp_path.iterdir()), "nothing is left of a refused export"


def test_a_negative_may_be_of_any_note_of_its_source(tmp_path: Path) -> None:
    extra = Document("n3", "notes", "", "x", contains_phi=True)
    with pytest.raises(GateError, match="1 of 3"):
        hub(tmp_path / "set", documents=[*PUBLIC, extra])
    hub(tmp_path / "set", documents=[*PUBLIC, replace(extra, source="elsewhere")])


def test_deidentified_text_is_published_with_its_mark(tmp_path: Path) -> None:
    documents = [replace(d, contains_phi=True, deidentified="safe-harbor surrogate rules/1") for d in PUBLIC[:2]]
    hub(tmp_path / "set", documents=[*documents, PUBLIC[2]])
    body = card(tmp_path / "set")[1]
    assert "- 2 of 3 documents: `safe-harbor surrogate rules/1`" in body
    assert "not de-identified" not in body


def test_opening_the_gate_is_recorded(tmp_path: Path) -> None:
    documents = [replace(d, contains_phi=True) for d in PUBLIC]
    hub(tmp_path / "set", documents=documents, allow_phi_to=("publish",))
    body = card(tmp_path / "set")[1]
    assert "**3 of the 3 documents hold patient text that was not de-identified.**" in body
    assert "allow_phi_to: [publish]" in body


def test_text_of_which_nobody_has_said_anything(tmp_path: Path) -> None:
    documents = [replace(d, contains_phi=None) for d in PUBLIC]
    with pytest.raises(GateError, match="nobody has said whether source 'notes' is"):
        hub(tmp_path / "set", documents=documents)
    hub(tmp_path / "set", documents=documents, no_phi=True)
    assert "Of 3 documents without a mark, whoever exported this states" in card(tmp_path / "set")[1]


def test_without_documents_somebody_must_say(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="without --documents"):
        export_triplets(RECORDS, tmp_path / "set", "hub")
    export_triplets(RECORDS, tmp_path / "set", "hub", facts=DatasetFacts(no_phi=True))
    assert "states that no text in it is about patients" in card(tmp_path / "set")[1]
    opened = DatasetFacts(allow_phi_to=("publish",))
    export_triplets(RECORDS, tmp_path / "open", "hub", facts=opened)
    assert "It is not known whether" in card(tmp_path / "open")[1]


def test_the_documents_must_be_those_of_the_records(tmp_path: Path) -> None:
    """De-identified documents have other ids: records of the raw ones must not slip through under their marks."""
    hashed = [replace(d, id=f"{d.id}-hashed", deidentified="mark") for d in PUBLIC]
    with pytest.raises(GateError, match="not in the documents given"):
        hub(tmp_path / "set", documents=hashed)


def test_only_the_hub_form_is_gated(tmp_path: Path) -> None:
    export_triplets(RECORDS, tmp_path / "f.jsonl", "flagembedding", marks=marks_of([replace(PUBLIC[0], contains_phi=True)]))


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    out.write_text("mine")
    with pytest.raises(ArtifactError, match="--force"):
        export_triplets(RECORDS, out, "sentence-transformers")
    assert out.read_text() == "mine"
    export_triplets(RECORDS, out, "sentence-transformers", force=True)
    assert len(table(out)) == 5


def test_force_replaces_an_export_and_no_other_folder(tmp_path: Path) -> None:
    hub(tmp_path / "set")
    (tmp_path / "set" / "notes.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="not a data set that medloom wrote"):
        export_triplets(RECORDS, tmp_path / "set", "hub", marks=marks_of(PUBLIC), force=True)
    assert (tmp_path / "set" / "notes.txt").read_text() == "mine"
    (tmp_path / "set" / "notes.txt").unlink()
    export_triplets(RECORDS[:1], tmp_path / "set", "hub", marks=marks_of(PUBLIC), force=True)
    assert len(list((tmp_path / "set" / "data").iterdir())) == 1
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "README.md").write_text("---\ntags:\n- medloom\n---\n")
    (tmp_path / "model" / "model.safetensors").write_text("weights")
    with pytest.raises(ArtifactError, match="not a data set"):
        export_triplets(RECORDS, tmp_path / "model", "hub", marks=marks_of(PUBLIC), force=True)


def test_an_error_in_the_middle_leaves_the_old_file_and_no_half_one(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    export_triplets(RECORDS, out, "sentence-transformers")
    before = out.read_bytes()

    def broken() -> Iterator[TrainingRecord]:
        yield RECORDS[0]
        raise MedloomError("a bad row")

    targets: dict[Form, str] = {"sentence-transformers": out.name, "flagembedding": "t.jsonl", "hub": "set"}
    for form, name in targets.items():
        with pytest.raises(MedloomError, match="a bad row"):
            export_triplets(broken(), tmp_path / name, form, marks=marks_of(PUBLIC), force=True, shard_rows=1)
    assert out.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    def full() -> Iterator[TrainingRecord]:
        yield RECORDS[0]
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ArtifactError, match="the disk is full"):
        export_triplets(full(), tmp_path / "t.parquet", "sentence-transformers")
    assert not any(tmp_path.iterdir())


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file" / "t.parquet", tmp_path / "file" / "deep" / "t.parquet"):
        with pytest.raises(ArtifactError, match="something else is in its place"):
            export_triplets(RECORDS, out, "sentence-transformers")
    with pytest.raises(ArtifactError, match="is a file, and the form hub is not"):
        export_triplets(RECORDS, tmp_path / "file", "hub", force=True, marks=marks_of(PUBLIC))


@pytest.mark.parametrize(
    ("out", "form", "settings", "problem"),
    [
        ("t.jsonl", "sentence-transformers", {}, "is a .parquet file"),
        ("t.json", "flagembedding", {}, "is a .jsonl file"),
        ("t.parquet", "csv", {}, "no form 'csv'"),
        ("t.parquet", "sentence-transformers", {"shape": "quad"}, "shape 'quad'"),
        ("t.parquet", "sentence-transformers", {"shape": "n-tuple", "negatives": 0}, "at least one negative"),
        ("t.parquet", "sentence-transformers", {"shape": "n-tuple", "negatives": 9}, "nothing to write: 3 records read"),
    ],
)
def test_settings_that_do_not_fit(tmp_path: Path, out: str, form: Any, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(StageError, match=re.escape(problem)):
        export_triplets(RECORDS, tmp_path / out, form, **settings)
    assert not any(tmp_path.iterdir())


def test_no_records(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="nothing to write: 0 records"):
        export_triplets([], tmp_path / "set", "hub", marks=marks_of(PUBLIC))
