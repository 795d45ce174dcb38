"""What bad input gets: a clear error on standard error, exit code 2, no text of the user's, nothing lost."""

import gzip
import json
import sys
from pathlib import Path

import pytest

from medloom.cli import main

pytestmark = pytest.mark.e2e
SECRET = "Zebediah Quux"


def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *args: str | Path) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["medloom", *map(str, args)])
    code: int | str | None = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    assert SECRET not in said.err + said.out
    assert "Traceback" not in said.err
    return int(code or 0), said.err


def _recipe(folder: Path, model: Path | str, source: str = "{type: files, path: data.jsonl}", rest: str = "") -> Path:
    file = folder / "bad.yaml"
    file.write_text(f"name: bad\nbase: {model}\nsources:\n  - {source}\n{rest}", "utf-8")
    return file


def _rows(n: int) -> list[bytes]:
    return [
        json.dumps({"question": f"question number {i} about {SECRET}", "answer": f"answer {i} says {SECRET}"}).encode()
        for i in range(n)
    ]


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("trian: {epochs: 1}\n", ["line 5", "unknown setting 'trian'", "did you mean 'train'?"]),
        ("train:\n  epoch: 1\n", ["line 6", "'train.epoch'", "did you mean 'epochs'?"]),
        ("train:\n  epochs: many\n", ["line 6", "train.epochs"]),
        ("guard:\n  holdout: 2\n", ["line 6", "guard.holdout", "less than 1"]),
        ("seed: 1\nseed: 2\n", ["line 6", "given twice"]),
        ("pairs: [\n", ["not valid YAML"]),
    ],
)
def test_a_wrong_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rest: str, said: list[str]
) -> None:
    code, err = _run(monkeypatch, capsys, "run", _recipe(tmp_path, "builtin:all-MiniLM-L6-v2", rest=rest))
    assert code == 2
    for part in said:
        assert part in err


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{type: filess, path: x}", ["line 4", "unknown source type 'filess'", "did you mean 'files'?"]),
        ("{type: files, pth: x}", ["pth", "did you mean 'path'?"]),
        ("{type: files, path: dta.jsonl}", ["no such file", "did you mean data.jsonl?"]),
        ("{type: files, path: '*.parquet'}", ["no file matches"]),
        ("{type: files, path: data.jsonl, fields: {text: abstract}}", ["no field 'abstract'", "question, answer"]),
        ("{type: files, path: data.jsonl, fields: {txt: answer}}", ["txt", "did you mean 'text'?"]),
    ],
)
def test_a_wrong_source(
    tmp_path: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
    said: list[str],
) -> None:
    (tmp_path / "data.jsonl").write_bytes(b"\n".join(_rows(5)))
    code, err = _run(monkeypatch, capsys, "run", _recipe(tmp_path, tiny_model, source), "--out", tmp_path / "out")
    assert code == 2
    for part in said:
        assert part in err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ["data.jsonl", "holds no rows"]),
        (_rows(1)[0], ["1 document(s)", "at least two"]),
        (b"\n".join([*_rows(3), b"[1, 2]"]), ["data.jsonl, line 4", "expected a JSON object"]),
        (b"\n".join([*_rows(3), b'{"question": 5, "answer": "x"}']), ["line 4", "'question' holds int, expected text"]),
        (b"\n".join([*_rows(3), b'{"question": "a", "ans']), ["line 4", "not valid JSON"]),
        (b"\n".join([*_rows(3), b'{"question": "\xff\xfe", "answer": "x"}']), ["line 4", "not UTF-8"]),
        (
            b"\n".join([*_rows(3), json.dumps({"question": "a", "answer": SECRET * 400_000}).encode()]),
            ["line 4", "'answer' has 5,200,000 characters", "max_chars"],
        ),
    ],
)
def test_a_wrong_row(
    tmp_path: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    said: list[str],
) -> None:
    (tmp_path / "data.jsonl").write_bytes(content)
    code, err = _run(monkeypatch, capsys, "run", _recipe(tmp_path, tiny_model), "--out", tmp_path / "out")
    assert code == 2
    for part in said:
        assert part in err


def test_bad_rows_can_be_skipped_and_are_kept_aside(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data.jsonl").write_bytes(b"\n".join([*_rows(6), b"[1]", b"{", b'{"question": "\xff"}']))
    recipe = _recipe(tmp_path, tiny_model, "{type: files, path: data.jsonl, on_error: skip}")
    code, _ = _run(monkeypatch, capsys, "run", recipe, "--out", tmp_path / "out", "--until", "collect")
    assert code == 0
    artifact = next((tmp_path / "out" / "stages").glob("1-collect-*"))
    manifest = json.loads((artifact / "manifest.json").read_text("utf-8"))
    assert manifest["counts"] == {"rejected": 3}
    assert (manifest["rows_in"], manifest["rows_out"]) == (9, 6)
    rejects = [json.loads(line) for line in (artifact / "rejects.jsonl").read_text("utf-8").splitlines()]
    assert [r["where"].rpartition(", ")[2] for r in rejects] == ["line 7", "line 8", "line 9"]
    assert rejects[0]["row"] == "[1]"


def test_a_cut_off_gzip(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data.jsonl.gz").write_bytes(gzip.compress(b"\n".join(_rows(500)))[:-40])
    recipe = _recipe(tmp_path, tiny_model, "{type: files, path: data.jsonl.gz}")
    code, err = _run(monkeypatch, capsys, "run", recipe, "--out", tmp_path / "out")
    assert code == 2
    assert "cut-off gzip" in err


@pytest.mark.parametrize("kind", ["missing", "empty folder", "pickled", "generator", "damaged", "unknown builtin"])
def test_a_wrong_base_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    config = {"architectures": ["BertModel"], "model_type": "bert"}
    said = {
        "missing": "no model ./nothing-here",
        "empty folder": "not a model folder",
        "pickled": "no .safetensors weights",
        "generator": "GPT2LMHeadModel",
        "damaged": "weights are damaged",
        "unknown builtin": "did you mean builtin:all-MiniLM-L6-v2?",
    }[kind]
    if kind in ("pickled", "generator", "damaged"):
        (folder / "pytorch_model.bin").write_bytes(b"x")
        (folder / "config.json").write_text(json.dumps(config))
    if kind == "generator":
        (folder / "config.json").write_text(json.dumps({"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}))
    if kind == "damaged":
        (folder / "model.safetensors").write_bytes(b"not weights")
    name: str | Path = {"missing": "./nothing-here", "unknown builtin": "builtin:all-MiniLM"}.get(kind, str(folder))
    (tmp_path / "data.jsonl").write_bytes(b"\n".join(_rows(20)))
    recipe = _recipe(tmp_path, name, rest="guard: {holdout: 0.3, near_duplicate: 1.0}\n")
    code, err = _run(monkeypatch, capsys, "run", recipe, "--out", tmp_path / "out")
    assert code == 2
    assert said in err
    if kind != "damaged":
        assert not (tmp_path / "out" / "stages").exists(), "a model that cannot be used must be noticed before any work"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["run", "quickstrat"], "did you mean 'quickstart'?"),
        (["run", "nowhere/my.yaml"], "no recipe file"),
        (["run", "quickstart", "--until", "trian"], "did you mean train?"),
        (["run", "quickstart", "--force", "mining"], "the stages are"),
        (["run", "quickstart", "--set", "train.epochs"], "key=value"),
        (["run", "quickstart", "--set", "train.epoch=2"], "did you mean 'epochs'?"),
        (["run", "quickstart", "--set", "sources.7.type=hpo"], "not a number from 0 to 1"),
    ],
)
def test_a_wrong_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args: list[str], said: str
) -> None:
    code, err = _run(monkeypatch, capsys, *args)
    assert code == 2
    assert said in err
