"""What a model is known to have read, and what can be measured."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from medloom.artifacts import write_table
from medloom.bench.contamination import Overlap, declared, find_training, training_texts
from medloom.errors import ArtifactError
from medloom.evaluate.tasks import Task
from medloom.records import TrainingRecord

RUN_OF_13 = "the patient was given two tablets of the old drug at night for a week"
EXACT = "Fever of unknown origin in a child"
NEAR = "acute pain of the lower back after a long fall from a high roof at night"


def record(query: str, positive: str, negative: str) -> TrainingRecord:
    return TrainingRecord(query, (positive,), "title_text", "toy", "d", (negative,), (0.9, 0.1))


def write(path: Path, records: Sequence[TrainingRecord]) -> Path:
    path.parent.mkdir(parents=True)
    write_table(path, records, TrainingRecord)
    return path


RECORDS = [
    record("FEVER of unknown origin, in a child", NEAR, "something else altogether"),
    record("short", f"In brief: {RUN_OF_13}, and then no more was said of this case by anyone at all", "and so on"),
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write(tmp_path / "run" / "stages" / "4-mine-abc" / "mined.parquet", RECORDS)
    (tmp_path / "run" / "model").mkdir()
    return tmp_path / "run"


@pytest.mark.parametrize(
    "model",
    [
        "MohammadKhodadad/MedTE-cl15-step-8000",
        "mohammadkhodadad/medte-CL15-step-8000",
        "medte-cl15-step-8000",
        "copies/MedTE-cl15-step-8000/",
    ],
)
def test_a_declared_model_is_known_in_any_case(model: str) -> None:
    (found,) = declared(model, "MedQuAD")
    assert "question-answer pairs" in found
    assert "arXiv 2507.19407" in found


def test_only_the_declared_sources_and_models() -> None:
    assert declared("abhinand/MedEmbed-small-v0.1", "asclepius")
    assert declared("ABHINAND/MEDEMBED-LARGE-V0.1", "starmpcc/Asclepius-Synthetic-Clinical-Notes")
    assert not declared("abhinand/MedEmbed-small-v0.1", "medquad")
    assert not declared("someone/else", "medquad")
    assert not declared("MedTE-cl15", "medquad"), "a part of a name is another name"
    assert not declared("bm25", "pubmed")
    assert declared("builtin:all-MiniLM-L6-v2", "pubmed") == declared("sentence-transformers/all-MiniLM-L6-v2", "pubmed")
    assert declared("builtin:all-MiniLM-L6-v2", "pubmed")


def test_every_text_of_a_record_was_trained_on(run: Path) -> None:
    expected = [t for r in RECORDS for t in (r.query, *r.positives, *r.negatives)]
    for folder in (run, run / "model", run / "stages" / "4-mine-abc" / "mined.parquet"):
        assert list(training_texts(folder)) == expected


def test_a_run_without_mining_has_its_guarded_pairs(tmp_path: Path) -> None:
    write(tmp_path / "stages" / "3-guard-abc" / "train.parquet", RECORDS[:1])
    assert EXACT.lower() in next(iter(training_texts(tmp_path))).lower().replace(",", "")


def test_no_training_records(tmp_path: Path) -> None:
    with pytest.raises(
        ArtifactError, match=r"no training records in .*: give the folder of a medloom run, or a Parquet file"
    ):
        list(training_texts(tmp_path))
    assert find_training(str(tmp_path)) is None
    assert find_training("BAAI/bge-small-en-v1.5") is None


def test_training_texts_are_found_beside_a_model(run: Path) -> None:
    found = find_training(str(run / "model"))
    assert found is not None
    assert list(training_texts(found)) == list(training_texts(run))


def test_overlap_is_counted_by_kind(run: Path) -> None:
    texts = {
        "exact": EXACT,
        "near": NEAR.replace("lower", "lowest"),
        "ngram": f"It is said that {RUN_OF_13.upper()}. What a long note this is, and it holds much that was never seen",
        "clean": "a rash of the skin",
        "also clean": "the patient was given two tablets of the new drug",
    }
    queries = {"q": "what is a clean query"}
    task = Task("t", "Retrieval", "toy", "find", {"queries": queries, "corpus": texts, "qrels": {"q": {"clean": 1}}})
    overlap = Overlap(training_texts(run))
    expected = {"share": 0.5, "checked": 6, "exact": 1, "near_duplicate": 1, "ngram": 1}
    assert overlap.of(task) == expected
    assert overlap.of(task) == expected, "asked twice it answers the same"


def test_a_text_counts_once_and_training_texts_of_the_task_do_not_count(run: Path) -> None:
    data = {
        "texts": [EXACT, EXACT, "a rash of the skin"],
        "labels": ["a", "b", "a"],
        "train_texts": [NEAR, "a rash of the skin", "what else"],
        "train_labels": ["a", "b", "a"],
    }
    overlap = Overlap(training_texts(run)).of(Task("t", "Classification", "toy", "label", data))
    assert overlap == {"share": 0.5, "checked": 2, "exact": 1, "near_duplicate": 0, "ngram": 0}


def test_nothing_was_trained_on(run: Path) -> None:
    task = Task("t", "Clustering", "toy", "sort", {"sentences": [EXACT, NEAR], "labels": ["a", "b"]})
    assert Overlap([]).of(task) == {"share": 0.0, "checked": 2, "exact": 0, "near_duplicate": 0, "ngram": 0}
