"""``medloom distil``: a student in a folder, gone on with after a kill, and no patient's name in its tokenizer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from medloom.cli import app
from medloom.encode import load_encoder
from medloom.encode.encoder import TorchEncoder
from medloom.errors import MedloomError

TEXTS = [
    f"{word} with dyspnoea in the night. A rash of the {part}."
    for word in ("fever", "cough", "pain")
    for part in ("skin", "head")
]


def distil(*arguments: str | float | Path) -> Any:
    return CliRunner().invoke(app, ["distil", *map(str, arguments)], catch_exceptions=True)


def rows(folder: Path, **more: object) -> Path:
    path = folder / "texts.jsonl"
    path.write_text("".join(json.dumps({"id": str(n), "text": t, **more}) + "\n" for n, t in enumerate(TEXTS)), "utf-8")
    return path


def test_a_student_without_and_with_texts(tiny_model: Path, tmp_path: Path) -> None:
    found = {}
    for name, more in (("plain", ()), ("fitted", ("--texts", rows(tmp_path)))):
        result = distil(tiny_model, "--out", tmp_path / name, "--dimensions", 16, *more, "--json")
        assert result.exit_code == 0, result.output
        found[name] = json.loads(result.stdout)
        assert load_encoder(tmp_path / name).hash == found[name]["hash"]
        assert not (tmp_path / f"{name}.partial").exists()
    assert (found["plain"]["texts"], found["plain"]["dimensions"]) == (0, 16)
    assert found["fitted"]["texts"] == 5, "each sentence once"
    assert found["fitted"]["tokens"] == found["plain"]["tokens"] + 1, "dyspnoea"
    assert found["plain"]["bytes"] == sum(path.stat().st_size for path in (tmp_path / "plain").rglob("*.safetensors"))
    sentences = sorted({f"{part}." for text in TEXTS for part in text.rstrip(".").split(". ")})
    errors = {}
    wanted = load_encoder(tiny_model).encode(sentences)
    for name in found:
        given = load_encoder(tmp_path / name).encode(sentences)
        errors[name] = float(np.square(given @ given.T - wanted @ wanted.T).sum())
    assert errors["fitted"] < errors["plain"]


def test_a_killed_command_asks_the_teacher_only_what_it_has_not_read(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = rows(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("medloom.train.static.distil", _interrupt)
        assert distil(tiny_model, "--out", tmp_path / "out", "--texts", texts).exit_code != 0
    read: set[str] = set()
    original = TorchEncoder.encode

    def noted(self: TorchEncoder, texts: list[str], *rest: Any, **named: Any) -> Any:
        read.update(texts)
        return original(self, texts, *rest, **named)

    monkeypatch.setattr(TorchEncoder, "encode", noted)
    assert distil(tiny_model, "--out", tmp_path / "out", "--texts", texts).exit_code == 0
    assert read == {"dyspnoea"}


def test_words_of_patients_do_not_become_tokens(tiny_model: Path, tmp_path: Path) -> None:
    texts = rows(tmp_path, contains_phi=True)
    result = distil(tiny_model, "--out", tmp_path / "out", "--texts", texts)
    assert isinstance(result.exception, MedloomError)
    assert "de-identify it first" in str(result.exception) and "dyspnoea" not in str(result.exception)
    result = distil(tiny_model, "--out", tmp_path / "out", "--texts", texts, "--words", 0)
    assert result.exit_code == 0, result.output


def test_what_is_there_stays_unless_force_is_given(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine", "utf-8")
    assert "give --force" in str(distil(tiny_model, "--out", tmp_path / "out").exception)
    assert (tmp_path / "out" / "notes.txt").exists()
    assert distil(tiny_model, "--out", tmp_path / "out", "--force", "--dimensions", 4).exit_code == 0
    assert load_encoder(tmp_path / "out").dimensions == 4


@pytest.mark.parametrize(("option", "value"), [("--sif", "0"), ("--ridge", "-1"), ("--precision", "int4")])
def test_values_that_cannot_be(tiny_model: Path, tmp_path: Path, option: str, value: str) -> None:
    assert "change what is not" in str(distil(tiny_model, "--out", tmp_path / "out", option, value).exception)


def _interrupt(*arguments: Any, **named: Any) -> None:
    raise RuntimeError("killed")
