"""Every task builds from documents of the shape that the docs describe; what is missing is said, and stops nothing."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from medloom.bench.base import BuildRequest
from medloom.bench.medteb import DEFINITIONS, MedtebSuite
from medloom.errors import SourceError
from medloom.evaluate.tasks import check
from medloom.records import Document

Build = Callable[..., Any]
Documents = dict[str, list[Document]]
ALL = {d.name for d in DEFINITIONS}


@pytest.mark.parametrize("mode", ["strict", "compat"])
def test_all_77_build(build: Build, all_documents: Documents, make_writer: Any, mode: str) -> None:
    tasks, left_out = build(all_documents, mode=mode, chat=make_writer())
    assert left_out == {}
    assert set(tasks) == ALL
    for definition in DEFINITIONS:
        task = check(tasks[definition.name])
        assert task.type == definition.type
        assert task.main_score == definition.metric
        assert task.facet == definition.facet
        assert task.public == (definition.source != "mimic")
        assert task.groups is not None
        assert task.counts
        if definition.classes:
            assert set(task.data["labels"]) == set(definition.labels)
    settings = {task.type: task.settings for task in tasks.values()}
    assert settings["Classification"] == {"n_experiments": 10, "samples_per_label": 8}
    assert settings["Clustering"] == {"n_clusters": 10}


def test_descriptions_say_how_a_task_was_made(build: Build, all_documents: Documents, make_writer: Any) -> None:
    name = "retrieval_biorxiv_dataset"
    strict = build(all_documents, name)[0][name].description
    compat = build(all_documents, name, mode="compat", chat=make_writer())[0][name].description
    assert strict.endswith("Without an LLM, from structure: title and text, as they are.")
    assert compat.endswith("As the authors' code makes it; question written by writer.")


@pytest.mark.parametrize("mode", ["strict", "compat"])
def test_seed_and_order(build: Build, all_documents: Documents, make_writer: Any, mode: str) -> None:
    names = (
        "classification_wiki_pain_vs_fever_dataset",
        "clustering_mimiciv_specific_Cancer_Types",
        "pairclassification_clinical_trials_officialTitle_vsdetailedDescription",
        "pairclassification_medmcqa_pair_classification",
        "retrieval_medmcqa_retrieval",
    )
    first, again, other = (build(all_documents, *names, mode=mode, seed=seed)[0] for seed in (1, 1, 2))
    assert {n: t.fingerprint for n, t in first.items()} == {n: t.fingerprint for n, t in again.items()}
    if mode == "strict":
        backwards = {source: found[::-1] for source, found in all_documents.items()}
        turned = build(backwards, *names, seed=1)[0]
        assert {n: t.fingerprint for n, t in first.items()} == {n: t.fingerprint for n, t in turned.items()}
        assert all(first[n].fingerprint != other[n].fingerprint for n in names)


def test_what_is_missing_is_said(build: Build, all_documents: Documents) -> None:
    only = {"medquad": all_documents["medquad"], "medqa": all_documents["medqa"]}
    tasks, left_out = build(only, mode="compat")
    assert set(tasks) == {"pairclassification_medqa_pair_classification"}
    assert left_out["retrieval_medquad_dataset"] == "needs chat model"
    assert left_out["retrieval_biorxiv_dataset"] == "needs biorxiv and chat model"
    assert set(tasks) | set(left_out) == ALL
    tasks, left_out = build(only, "retrieval_medquad_dataset")
    assert (set(tasks), left_out) == ({"retrieval_medquad_dataset"}, {})


def test_too_little_data_is_left_out(build: Build, all_documents: Documents) -> None:
    few = {source: found[:10] for source, found in all_documents.items()}
    tasks, left_out = build(few)
    assert "retrieval_medquad_dataset" not in tasks
    assert left_out["retrieval_medquad_dataset"].startswith("10 queries, fewer than 16")
    assert "Fever (0)" in left_out["classification_wiki_pain_vs_fever_dataset"]
    assert "1 (" in left_out["classification_mimiciv_readmission_3_days"]
    assert set(tasks) | set(left_out) == ALL
    tasks, left_out = build({source: [] for source in all_documents}, mode="compat")
    assert tasks == {}
    assert all("chat model" in reason or "fewer than 16" in reason for reason in left_out.values())


def test_one_failure_does_not_stop_the_others(all_documents: Documents, make_encoder: Any) -> None:
    def broken() -> list[Document]:
        raise ValueError("secret text")

    def refused() -> list[Document]:
        raise SourceError("no file here: check the path")

    def no_encoder() -> Any:
        raise RuntimeError("secret text")

    left_out: dict[str, str] = {}
    request = BuildRequest(
        documents={"medquad": broken, "medqa": refused, "clinicaltrials": lambda: all_documents["clinicaltrials"]}
    )
    built = {t.name for t in MedtebSuite("medteb", full=False, encoder=no_encoder).build(request, left_out)}
    assert built == {
        "retrieval_clinical_trials_officialTitle_vsdetailedDescription",
        "retrieval_clinical_trials_officialTitle_vsprimaryOutcomes",
    }
    assert left_out["retrieval_medquad_dataset"] == "reading the documents of medquad failed (ValueError)"
    assert left_out["pairclassification_medqa_pair_classification"] == "no file here: check the path"
    name = "pairclassification_clinical_trials_officialTitle_vsprimaryOutcomes"
    assert left_out[name] == "building it failed (RuntimeError)"


def test_documents_are_read_once_and_texts_encoded_once(all_documents: Documents, make_encoder: Any) -> None:
    reads: Counter[str] = Counter()

    def reader(source: str) -> Callable[[], list[Document]]:
        def read() -> list[Document]:
            reads[source] += 1
            return all_documents[source]

        return read

    encoder = make_encoder()
    suite = MedtebSuite("medteb", full=False, encoder=lambda: encoder)
    tasks = list(suite.build(BuildRequest(documents={"mimic": reader("mimic")}), {}))
    assert len(tasks) == 26
    assert reads == {"mimic": 1}
    assert len(encoder.encoded) == len(set(encoder.encoded)) > 100


def test_no_encoder_is_loaded_where_none_is_needed(all_documents: Documents) -> None:
    def never() -> Any:
        raise AssertionError

    left_out: dict[str, str] = {}
    documents = {s: (lambda found=all_documents[s]: found) for s in ("medqa", "medmcqa", "medquad", "pmc")}
    tasks = list(MedtebSuite("m", full=True, encoder=never).build(BuildRequest(documents=documents), left_out))
    assert len(tasks) == 9
    assert not [reason for reason in left_out.values() if not reason.startswith("needs ")]
