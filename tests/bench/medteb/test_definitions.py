"""The catalogue: 77 tasks as the authors define them, 52 kept."""

from collections import Counter
from pathlib import Path

import pytest

from medloom.bench.base import CHAT, Suite
from medloom.bench.medteb import DEFINITIONS, Definition, MedtebSuite
from medloom.evaluate.tasks import TASK_TYPES

BY_NAME = {d.name: d for d in DEFINITIONS}
DOCS = Path(__file__).resolve().parents[3] / "docs" / "medteb.md"


def test_how_many_there_are() -> None:
    assert Counter(d.type for d in DEFINITIONS) == {
        "Classification": 29,
        "Clustering": 20,
        "PairClassification": 12,
        "Retrieval": 16,
    }
    assert Counter(d.type for d in DEFINITIONS if d.kept) == {
        "Classification": 15,
        "Clustering": 12,
        "PairClassification": 12,
        "Retrieval": 13,
    }
    assert len(BY_NAME) == 77
    assert Counter(d.source for d in DEFINITIONS) == {
        "mimic": 32,
        "wikipedia": 19,
        "pubmed": 11,
        "pmc": 5,
        "clinicaltrials": 4,
        "medmcqa": 2,
        "medqa": 1,
        "medquad": 1,
        "biorxiv": 1,
        "medrxiv": 1,
    }


def test_which_are_removed() -> None:
    removed = {d.name for d in DEFINITIONS if not d.kept}
    assert len(removed) == 25
    assert {"retrieval_wiki_diseases_dataset", "retrieval_pubmed_pathology", "retrieval_pubmed_clinical trials"} <= removed
    assert {n for n in removed if n.startswith("classification_mimiciv")} == {
        "classification_mimiciv_readmission_7_days",
        "classification_mimiciv_general_Abdominal_vs_Thoracic_Conditions",
        "classification_mimiciv_general_Cancer_vs_Chronic_Conditions",
    }


def test_which_an_llm_wrote() -> None:
    assert {d.name: d.written for d in DEFINITIONS if d.written} == {
        "pairclassification_wiki_diseases_dataset": "sentences",
        "pairclassification_pubmed_pair_classification": "sentences",
        "retrieval_wiki_diseases_dataset": "question and answer",
        "retrieval_pubmed_retrieval": "question",
        "retrieval_pubmed_pathology": "question",
        "retrieval_pubmed_clinical trials": "question",
        "retrieval_medquad_dataset": "answer",
        "retrieval_biorxiv_dataset": "question",
        "retrieval_medrxiv_dataset": "question",
    }


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda d: d.name)
def test_a_definition_is_whole(definition: Definition) -> None:
    assert definition.type in TASK_TYPES
    labelled = definition.type in ("Classification", "Clustering")
    assert labelled == bool(definition.classes) != bool(definition.query and definition.document)
    assert len(set(definition.labels)) == len(definition.labels) != 1
    assert definition.cap == (8_192 if labelled and definition.source != "pmc" else 16_384)
    values = [v for _, found in definition.classes for v in found]
    assert len(set(values)) == len(values)
    assert definition.description.endswith(".")


def test_some_classes_by_name() -> None:
    assert dict(BY_NAME["clustering_mimiciv_specific_Cancer_Types"].classes) == {
        "Breast_Cancer": ("Right breast cancer",),
        "Prostate_Cancer": ("PROSTATE CANCER",),
        "Other": ("AML", "Peripheral Arterial Disease"),
    }
    assert dict(BY_NAME["classification_pubmed_treatment_prevention_dataset"].classes)["Treatment"] == ("treatment",)
    pairs = BY_NAME["retrieval_mimic_History_of_Present_Illness_vs_Discharge_Diagnosis"]
    assert (pairs.query, pairs.document) == ("history of present illness", "discharge diagnosis")
    assert [d.neighbours for d in DEFINITIONS if d.type == "PairClassification"] == [32, *[128] * 6, 0, 0, 64, 64, 64]


def test_the_two_suites() -> None:
    kept, full = MedtebSuite("medteb", full=False), MedtebSuite("medteb-full", full=True)
    suites: tuple[Suite, Suite] = (kept, full)
    assert [len(suite.entries()) for suite in suites] == [52, 77]
    assert {e.suite for e in kept.entries()} == {"medteb"}
    assert "51" in kept.description
    assert "25" in full.description
    assert kept.modes == ("strict", "compat")
    entries = {e.name: e for e in full.entries()}
    assert entries["retrieval_medquad_dataset"].compat_needs == (CHAT,)
    assert entries["retrieval_medmcqa_retrieval"].compat_needs == ()
    assert entries["retrieval_medmcqa_retrieval"].needs == ("medmcqa",)
    assert {(e.type, e.metric) for e in full.entries()} == {
        ("Classification", "f1"),
        ("Clustering", "v_measure"),
        ("PairClassification", "similarity_f1"),
        ("Retrieval", "ndcg_at_10"),
    }


def test_the_documentation_lists_every_task() -> None:
    page = DOCS.read_text("utf-8")
    assert [d.name for d in DEFINITIONS if f"`{d.name}`" not in page] == []
