"""Exports are checked against their source, and refused if they differ."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medloom.cli import main
from medloom.encode import load_encoder
from medloom.encode.compiled import CompiledEncoder
from medloom.encode.converted import Parity
from medloom.errors import ArtifactError, ModelError
from medloom.evaluate.tasks import Task
from medloom.publish import export as module
from medloom.publish.export import LIMITS, Checks, TaskChange, export_model

pytest.importorskip("openvino")

TEXTS = ["fever", "heart pain in a child at night with high blood pressure", "cough dose", "rash", "bone " * 60]
TASK = Task(
    name="tiny",
    type="Retrieval",
    facet="mixed",
    description="Find the passage.",
    source="invented",
    data={
        "queries": {"q1": "fever child", "q2": "heart pain"},
        "corpus": {"d1": "high fever in a child", "d2": "acute pain of the heart", "d3": "dry skin"},
        "qrels": {"q1": {"d1": 1}, "q2": {"d2": 1}},
    },
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "_SECONDS", 0.05)
    yield


@pytest.fixture(scope="module")
def exported(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Checks]:
    out = tmp_path_factory.mktemp("publish") / "export"
    return out, export_model(str(tiny_model), "openvino", out, TEXTS, [TASK])


def test_an_export_gives_the_vectors_and_scores_of_its_source(exported: tuple[Path, Checks], tiny_model: Path) -> None:
    out, checks = exported
    assert checks.problems == []
    assert checks.parity.texts == len(TEXTS)
    assert checks.parity.least > 0.9999
    (task,) = checks.tasks
    assert (task.task, task.metric) == ("tiny", "ndcg_at_10")
    assert task.change == pytest.approx(0, abs=1e-6)
    assert checks.texts_per_second > 0 and checks.source_texts_per_second > 0
    assert Checks.model_validate_json((out / "checks.json").read_text("utf-8")) == checks
    encoder = load_encoder(out, "fp32", "auto")
    np.testing.assert_allclose(encoder.encode(TEXTS), load_encoder(tiny_model).encode(TEXTS), atol=1e-5)
    assert not list(out.parent.glob("*.partial"))


def test_an_export_that_is_there_is_replaced_only_by_force(exported: tuple[Path, Checks], tmp_path: Path) -> None:
    out, _ = exported
    with pytest.raises(ArtifactError, match="holds an export"):
        module.check_free(out, force=False)
    module.check_free(out, force=True)
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(ArtifactError, match="holds other things"):
        module.check_free(tmp_path, force=True)


def test_an_export_with_other_vectors_is_refused_and_nothing_stays(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = CompiledEncoder.encode

    def other(self: CompiledEncoder, texts: list[str], prompt: str | None = None, label: str | None = None) -> Any:
        vectors = real(self, texts, prompt)
        return vectors[::-1] if label == "export" else vectors

    monkeypatch.setattr(CompiledEncoder, "encode", other)
    with pytest.raises(ModelError, match=r"as openvino is refused: cosine -?0\.\d{5} at least .* over 5 texts"):
        export_model(str(tiny_model), "openvino", tmp_path / "export", TEXTS)
    assert list(tmp_path.iterdir()) == []


def _checks(stored: Any = "fp32", mean: float = 1.0, change: float = 0.0) -> Checks:
    return Checks(
        format="openvino",
        model="m",
        model_hash="h",
        parity=Parity(texts=3, least=mean, mean=mean),
        tasks=(TaskChange(task="t", metric="ndcg_at_10", source=0.5, export=0.5 + change),),
        limits=LIMITS[stored],
        source_texts_per_second=1,
        texts_per_second=2,
        bytes=1,
        machine="m",
    )


@pytest.mark.parametrize(
    ("stored", "mean", "change", "problems"),
    [
        ("fp32", 1.0, 0.004, 0),
        ("fp32", 1.0, -0.006, 1),
        ("fp32", 1.0, 0.006, 1),
        ("fp32", 0.999, -0.006, 2),
        ("int8", 0.98, -0.009, 0),
        ("int8", 0.98, -0.011, 1),
        ("int8", 0.96, 0.0, 1),
    ],
)
def test_limits(stored: str, mean: float, change: float, problems: int) -> None:
    assert len(_checks(stored, mean, change).problems) == problems


def test_from_the_command_line(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "texts.jsonl").open("w", encoding="utf-8") as f:
        f.writelines(json.dumps({"id": str(i), "body": text}) + "\n" for i, text in enumerate(TEXTS))

    def run(*args: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["medloom", "publish", str(tiny_model), *map(str, args)])
        with pytest.raises(SystemExit) as caught:
            main()
        return int(caught.value.code or 0), *capsys.readouterr()

    given = ("--out", tmp_path / "export", "--texts", tmp_path / "texts.jsonl", "--field", "body")
    code, out, _ = run(*given, "--json")
    said = json.loads(out)
    assert code == 0
    assert (said["format"], said["parity"]["texts"]) == ("openvino", 5)
    code, _, err = run(*given)
    assert code == 2 and "--force" in err
    code, _, err = run("--out", tmp_path / "other", "--format", "static")
    assert code == 2 and "medloom distil" in err
