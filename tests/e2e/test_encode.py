"""``medloom encode`` from the command line."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from medloom.artifacts import write_table
from medloom.cli import main
from medloom.encode import load_encoder
from medloom.records import Document

pytestmark = pytest.mark.e2e

LONG = " ".join(["heart pain in a child at night ."] * 30)
ROWS = [
    {"pmid": "1", "body": "fever"},
    {"pmid": "2", "body": LONG},
    {"pmid": "3", "body": "fever"},
    {"pmid": "4", "body": "high blood pressure"},
]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    with (tmp_path / "rows.jsonl").open("w", encoding="utf-8") as f:
        f.writelines(json.dumps(row) + "\n" for row in ROWS)
    return tmp_path / "rows.jsonl"


def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *args: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of ``medloom encode``."""
    monkeypatch.setattr(sys, "argv", ["medloom", "encode", *map(str, args)])
    with pytest.raises(SystemExit) as caught:
        main()
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err


def test_rows_become_vectors(
    rows: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = (rows, "--model", tiny_model, "--out", tmp_path / "v", "--text", "body", "--id", "pmid", "--backend", "torch")
    code, out, _ = _run(monkeypatch, capsys, *given, "--precision", "fp32", "--no-phi", "--json")
    said: dict[str, Any] = json.loads(out)
    assert code == 0
    expected = {"documents": 4, "computed": 3, "repeated": 1, "cut": 1, "share_cut": 0.25, "pooled": 0, "kept": 0}
    assert {name: said[name] for name in expected} == expected
    assert (said["backend"], said["stored"], said["contains_phi"]) == ("torch", "float16", False)
    table = pq.read_table(tmp_path / "v" / "part-00000.parquet")
    assert table.column("id").to_pylist() == ["1", "2", "3", "4"]
    vectors = np.array(table.column("vector").to_pylist(), dtype=np.float32)
    np.testing.assert_allclose(vectors, load_encoder(tiny_model).encode([str(row["body"]) for row in ROWS]), atol=1e-3)
    code, out, _ = _run(monkeypatch, capsys, *given, "--precision", "fp32")
    assert code == 0
    assert "4 documents: 0 texts computed" in out and "4 done before" in out
    assert "cut to what the model reads: 1 (25.0%)" in out
    assert "nobody has said that it is not" in out


def test_long_text_is_pooled(
    rows: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = (rows, "--model", tiny_model, "--out", tmp_path / "v", "--text", "body", "--id", "pmid", "--backend", "torch")
    _, out, _ = _run(monkeypatch, capsys, *given, "--long", "pool", "--format", "npy", "--stored", "float32", "--json")
    said = json.loads(out)
    assert (said["cut"], said["pooled"], said["documents"]) == (0, 1, 4)
    assert said["computed"] > 3
    vectors = np.load(tmp_path / "v" / "vectors.npy", mmap_mode="r")
    assert vectors.shape == (4, 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    whole = load_encoder(tiny_model).encode([LONG])[0]
    assert 0.5 < float(vectors[1] @ whole) < 0.9999


def test_patient_text_of_a_table_is_said(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(tmp_path / "notes.parquet", [Document("1", "s", text="fever", contains_phi=True)], Document)
    given = (tmp_path / "notes.parquet", "--model", tiny_model, "--out", tmp_path / "v", "--backend", "torch")
    code, out, _ = _run(monkeypatch, capsys, *given)
    assert code == 0
    assert "the text is about patients: keep the vectors as you keep the text" in out


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (("--backend", "fast"), "--backend fast: give torch, openvino, onnx or auto"),
        (("--stored", "int4"), "--stored int4: give float32"),
        (("--dimensions", "64"), "the model's vectors have 32"),
        (("--precision", "int8"), "no int8 with the backend torch"),
    ],
)
def test_what_cannot_be_is_said(
    rows: Path,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, str],
    problem: str,
) -> None:
    given = (rows, "--text", "body", "--out", tmp_path / "v", "--model", tiny_model, "--backend", "torch", *more)
    code, _, err = _run(monkeypatch, capsys, *given)
    assert code == 2
    assert problem in err
    assert not (tmp_path / "v").exists()


def test_text_is_sent_to_no_other_machine(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from medloom.encode.endpoint import OpenAIEncoder

    def open_without_asking(self: OpenAIEncoder, name: str) -> None:
        self.host = "embeddings.example"

    monkeypatch.setattr(OpenAIEncoder, "__init__", open_without_asking)
    model = "openai:https://embeddings.example/v1#m"
    code, _, err = _run(monkeypatch, capsys, rows, "--text", "body", "--out", tmp_path / "v", "--model", model)
    assert code == 2
    assert "may not be sent to embeddings.example" in err
