"""A small run of the whole pipeline: invented questions and answers, a tiny model."""

import contextlib
import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest import mock

import pytest

_ORGANS = ["heart", "liver", "kidney", "lung", "skin", "bone", "brain", "eye", "ear", "nerve", "spleen", "thyroid"]
_PROBLEMS = ["pain", "swelling", "cyst", "infection", "failure", "bleeding", "tumour", "stiffness", "itching", "injury"]
_DRUGS = ["alphacin", "betamol", "gammazole", "deltaprim", "epsilin", "zetacort", "thetamab", "kappavir"]

Command = Callable[..., subprocess.CompletedProcess[str]]


def invented_rows(n: int = 120) -> list[dict[str, str]]:
    """Questions and answers about organs that fail in invented ways; groups of two rows share a topic."""
    generator = random.Random(3)
    rows = []
    topics = [(organ, problem) for organ in _ORGANS for problem in _PROBLEMS]
    generator.shuffle(topics)
    for number, (organ, problem) in enumerate(topics[:n]):
        drug = generator.choice(_DRUGS)
        rows.append(
            {
                "question": f"what helps with {problem} of the {organ}",
                "answer": f"The {organ} shows {problem} in case {number}; {drug} at {number + 3} units is what we give.",
                "topic": f"topic {number // 2}",
            }
        )
    return rows


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder with data and a recipe."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "data").mkdir()
    with (folder / "data" / "qa.jsonl").open("w", encoding="utf-8") as f:
        f.writelines(json.dumps(row) + "\n" for row in invented_rows())
    (folder / "small.yaml").write_text(recipe_text(tiny_model), "utf-8")
    return folder


def recipe_text(model: Path) -> str:
    """A recipe that runs in seconds."""
    return f"""\
name: small
seed: 7
base: {model}
sources:
  - type: files
    path: data/*.jsonl
    fields: {{title: question, text: answer, group: topic}}
guard: {{holdout: 0.3, near_duplicate: 1.0}}
negatives: {{per_query: 1, depth: 40, margin: 0.0, like_positive: 1.0}}
train: {{epochs: 3, batch_size: 8, learning_rate: 0.001, checkpoint_steps: 2, precision: fp32}}
evaluate: {{min_items: 5, resamples: 200, clusterings: 5, precision: fp32}}
"""


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment of a medloom process under test: no network, coverage if it is on."""
    return {**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "200", "NO_COLOR": "1"}


def call(*args: str | Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process, which has imported the heavy libraries already."""
    from medloom.cli import main

    out, err = io.StringIO(), io.StringIO()
    code: int | str | None = 0
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["medloom", *map(str, args)]),
        mock.patch.dict(os.environ, environment),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(["medloom", *map(str, args)], int(code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def medloom(environment: dict[str, str]) -> Command:
    """Runs the command line as a user without network does."""
    return partial(call, environment=environment)
