"""A report of an invented run, and chromium to open its page with."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def _task(name: str, kind: str, metric: str, figures: tuple[float, ...], n: int, unit: str) -> dict[str, Any]:
    base, tuned, low, high = figures
    return {
        "name": name,
        "type": kind,
        "metric": metric,
        "base": base,
        "tuned": tuned,
        "delta": tuned - base,
        "ci_low": low,
        "ci_high": high,
        "n": n,
        "unit": unit,
        "description": f"Invented description of {name}: given a short question, find the passage that answers it.",
        "source": "held-out part of the invented corpus",
    }


def _hit(text: str, score: float, relevant: bool = False) -> dict[str, Any]:
    return {"text": text, "score": score, "relevant": relevant}


def _example(task: str, query: str, relevant: str) -> dict[str, Any]:
    far = "Iron deficiency in adults is commonly caused by slow blood loss from the gut."
    near = "A dry cough that began after a new tablet for blood pressure often settles once the tablet is changed."
    return {
        "task": task,
        "query": query,
        "relevant": [relevant],
        "base": [_hit(far, 0.612), _hit(near, 0.604), _hit(relevant, 0.571, True), _hit("Knee pain on stairs.", 0.33)],
        "tuned": [_hit(relevant, 0.834, True), _hit(near, 0.522), _hit(far, 0.211), _hit("Knee pain on stairs.", 0.1)],
    }


@pytest.fixture
def report() -> dict[str, Any]:
    """A realistic report with seven tasks, six stages and five examples."""
    retrieval, pairs, clusters = "Retrieval", "PairClassification", "Clustering"
    return {
        "name": "wardround-minilm",
        "created": "2026-03-12T10:22:00+00:00",
        "seed": 17,
        "medloom_version": "0.1.0",
        "base": {"name": "all-MiniLM-L6-v2", "hash": "sha256:" + "9f2c" * 16},
        "model": {
            "path": "runs/wardround-minilm/model",
            "hash": "sha256:" + "07ab" * 16,
            "dimensions": 384,
            "max_seq_length": 256,
            "pooling": "mean",
        },
        "verdict": {"better": 4, "worse": 1, "same": 2},
        "tasks": [
            _task("TermLookup", retrieval, "ndcg_at_10", (0.5127, 0.6391, 0.1012, 0.1519), 1840, "queries"),
            _task("QuestionToAnswer", retrieval, "ndcg_at_10", (0.6644, 0.7108, 0.0297, 0.0632), 912, "queries"),
            _task(
                "TrialSummaryRetrievalLongNameOfATaskThatGoesOn",
                retrieval,
                "ndcg_at_10",
                (0.7, 0.7004, -0.006, 0.007),
                455,
                "queries",
            ),
            _task("SynonymPairs", pairs, "similarity_ap", (0.8112, 0.9017, 0.0801, 0.1018), 6000, "pairs"),
            _task("LayTermPairs", pairs, "similarity_ap", (0.7421, 0.7812, 0.0166, 0.0611), 1200, "pairs"),
            _task(
                "OrganSystemClusters",
                clusters,
                "v_measure",
                (0.4413, 0.4582, -0.0085, 0.0431),
                200,
                "resamples of documents",
            ),
            _task("GeneralQuestions", retrieval, "ndcg_at_10", (0.5533, 0.5307, -0.0371, -0.0083), 640, "queries"),
        ],
        "stages": [
            {
                "name": "collect",
                "seconds": 48.21,
                "peak_rss_mb": 612.4,
                "rows_in": 61204,
                "rows_out": 58817,
                "counts": {"no_text": 1713, "exact_duplicate": 674},
            },
            {
                "name": "pairs",
                "seconds": 21.7,
                "peak_rss_mb": 701.0,
                "rows_in": 58817,
                "rows_out": 143206,
                "counts": {"title_to_text": 52110, "synonym": 71220, "question_to_answer": 19876},
            },
            {
                "name": "guard",
                "seconds": 95.0,
                "peak_rss_mb": 1204.9,
                "rows_in": 143206,
                "rows_out": 131842,
                "counts": {"exact": 1204, "near_duplicate": 7719, "ngram": 2441},
            },
            {
                "name": "mine",
                "seconds": 804.0,
                "peak_rss_mb": 2318.0,
                "rows_in": 131842,
                "rows_out": 130911,
                "counts": {"no_negative_found": 931},
            },
            {
                "name": "train",
                "seconds": 5421.0,
                "peak_rss_mb": 3950.2,
                "rows_in": 130911,
                "rows_out": 130911,
                "counts": {},
            },
            {
                "name": "evaluate",
                "seconds": 310.4,
                "peak_rss_mb": 2001.0,
                "rows_in": 11247,
                "rows_out": 7,
                "counts": {},
            },
        ],
        "examples": [
            _example(
                "QuestionToAnswer",
                "Why do I cough since starting my blood pressure pills?",
                "ACE inhibitors raise bradykinin in the airways; a dry cough follows in about one patient in ten.",
            ),
            _example(
                "QuestionToAnswer",
                "Is it safe to fly after a collapsed lung?",
                "After a pneumothorax, most guidance advises waiting until the lung is expanded for a week or more. " * 6,
            ),
            _example("TermLookup", "heart attack", "Myocardial infarction"),
            _example("TermLookup", "حمى", "Fever (pyrexia) 🤒: a body temperature above 38 °C."),
            _example("GeneralQuestions", "a" * 700, "Supercalifragilistic" * 12),
        ],
        "sources": [
            {
                "name": "Ontology of signs",
                "release": "2026-01-08",
                "licence": "CC BY 4.0",
                "documents": 18214,
                "citation": "Invented A, Made-up B. An ontology of invented signs. J Imaginary Med. 2025;1:1–9.",
                "url": "https://example.org/ontology?version=2026-01-08&format=obo",
            },
            {
                "name": "Ward questions",
                "release": "v2.1",
                "licence": "CC0 1.0",
                "documents": 42990,
                "citation": "Nobody C. Ward questions, second release.",
                "url": None,
            },
        ],
        "settings": {
            "name": "wardround-minilm",
            "sources": [
                {"kind": "obo", "path": "data/signs.obo", "min_chars": 20},
                {"kind": "jsonl", "path": "data/ward.jsonl"},
            ],
            "train": {
                "epochs": 1,
                "batch_size": 64,
                "learning_rate": 2e-05,
                "matryoshka": [384, 256, 128],
                "lora": None,
            },
            "guard": {"near_duplicate": 0.8, "ngram": 13},
        },
        "environment": {
            "machine": "Linux x86_64, 8 cores, 32 GiB, no GPU",
            "python": "3.11.9",
            "threads": 8,
            "packages": {"torch": "2.13.0", "sentence-transformers": "6.0.1", "mteb": "2.26.0", "numpy": "2.3.1"},
        },
        "contamination": {"exact": 1204, "near_duplicate": 7719, "ngram": 2441},
    }


@pytest.fixture
def hostile() -> str:
    """A text that tries to leave its place, by markup, by direction and by length."""
    return (
        "<script>alert(1)</script>\"><img src=x onerror=alert(2)>'{{ 7*7 }} </style></title></svg>"
        + "\u202e\u0000\ud800 حمى 🤒 "
        + "W" * 3000
    )


@pytest.fixture
def dump_dom(tmp_path: Path) -> Callable[[Path], str]:
    """Opens a file in headless chromium and gives its document back as text once loaded."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    chromium = next((path for path in found if path), None)
    if chromium is None:
        pytest.skip("no chromium on this machine")

    def dump(page: Path) -> str:
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = [chromium, *QUIET, profile, "--window-size=1200,900", "--dump-dom"]
        done = subprocess.run([*command, page.as_uri()], capture_output=True, timeout=120, check=True)
        return done.stdout.decode("utf-8")

    return dump
