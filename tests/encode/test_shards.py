"""Vectors on disk, and what is left to do after a kill."""

import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medloom.encode import Encoder, Role, VectorFolder, encode_to_file, shards
from medloom.encode.encoder import Floats

TEXTS = [f"text {i}" for i in range(10)]


class Letters:
    """An encoder that counts letters, notes what it was asked, and may be killed."""

    def __init__(self, name: str = "letters", killed_at: int | None = None) -> None:
        self.name, self.killed_at = name, killed_at
        self.asked: list[list[str]] = []
        self.prompts: list[str | None] = []

    @property
    def dimensions(self) -> int:
        return 3

    @property
    def hash(self) -> str:
        return self.name

    def prompt_for(self, role: Role) -> str | None:
        return "q: " if role == "query" else None

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
        if len(self.asked) == self.killed_at:
            raise KeyboardInterrupt
        self.asked.append(list(texts))
        self.prompts.append(prompt)
        rows = [[len(t), sum(map(ord, t)) / 7, len(prompt or "")] for t in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), 3)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD", 4)


def run(encoder: Letters, path: Path, texts: Sequence[str] = TEXTS, what: str = "w", prompt: str | None = None) -> Floats:
    assert isinstance(encoder, Encoder)
    return encode_to_file(encoder, iter(texts), len(texts), path, what, prompt)


def test_texts_are_encoded_shard_by_shard(tmp_path: Path) -> None:
    encoder = Letters()
    vectors = run(encoder, tmp_path / "v.npy", prompt="p: ")
    assert encoder.asked == [TEXTS[:4], TEXTS[4:8], TEXTS[8:]]
    assert encoder.prompts == ["p: "] * 3
    np.testing.assert_array_equal(vectors, Letters().encode(TEXTS, "p: "))
    assert isinstance(vectors, np.memmap)
    assert not vectors.flags.writeable
    assert vectors.dtype == np.float32


def test_nothing_is_encoded_again(tmp_path: Path) -> None:
    first = run(Letters(), tmp_path / "v.npy").copy()
    again = Letters()
    np.testing.assert_array_equal(run(again, tmp_path / "v.npy"), first)
    assert again.asked == []


@pytest.mark.parametrize("killed_at", [0, 1, 2])
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, killed_at: int) -> None:
    run(Letters(), tmp_path / "whole.npy")
    with pytest.raises(KeyboardInterrupt):
        run(Letters(killed_at=killed_at), tmp_path / "v.npy")
    rest = Letters()
    run(rest, tmp_path / "v.npy")
    assert rest.asked == [TEXTS[:4], TEXTS[4:8], TEXTS[8:]][killed_at:]
    assert (tmp_path / "v.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"encoder": "other model"},
        {"what": "other texts"},
        {"prompt": "p: "},
        {"texts": TEXTS[:9]},
        {"texts": [*TEXTS, "more"]},
    ],
)
def test_another_model_text_or_prompt_starts_anew(tmp_path: Path, change: dict[str, Any]) -> None:
    run(Letters(), tmp_path / "v.npy")
    encoder = Letters(change.pop("encoder", "letters"))
    settings = {"texts": TEXTS, "what": "w", "prompt": None} | change
    vectors = run(encoder, tmp_path / "v.npy", **settings)
    assert list(chain(*encoder.asked)) == settings["texts"]
    np.testing.assert_array_equal(vectors, Letters().encode(settings["texts"], settings["prompt"]))


@pytest.mark.parametrize("damage", ["half", "no file", "no progress", "bad progress", "empty progress"])
def test_damage_starts_anew(tmp_path: Path, damage: str) -> None:
    path, progress = tmp_path / "v.npy", tmp_path / "v.progress"
    whole = run(Letters(), path).copy()
    if damage == "half":
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "no file":
        path.unlink()
    elif damage == "no progress":
        progress.unlink()
    else:
        progress.write_text("{" if damage == "bad progress" else "{}", "utf-8")
    encoder = Letters()
    np.testing.assert_array_equal(run(encoder, path), whole)
    assert list(chain(*encoder.asked)) == TEXTS


def test_no_texts(tmp_path: Path) -> None:
    vectors = run(Letters(), tmp_path / "v.npy", [])
    assert vectors.shape == (0, 3)
    assert run(Letters(), tmp_path / "v.npy", []).shape == (0, 3)


def test_only_a_shard_is_held(tmp_path: Path) -> None:
    taken: list[int] = []

    class Watching(Letters):
        def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
            taken.append(position)
            return super().encode(texts, prompt, label)

    position = 0

    def texts() -> Any:
        nonlocal position
        for text in TEXTS:
            position += 1
            yield text

    encode_to_file(Watching(), texts(), len(TEXTS), tmp_path / "v.npy", "w")
    assert taken == [4, 8, 10]


def test_progress_says_what_is_done(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Letters(killed_at=2), tmp_path / "v.npy")
    assert json.loads((tmp_path / "v.progress").read_text("utf-8"))["done"] == 8


def test_a_folder_of_vectors_uses_the_models_prompts(tmp_path: Path) -> None:
    encoder = Letters()
    folder = VectorFolder(encoder, tmp_path / "deep" / "vectors", "w")
    queries = folder("queries", TEXTS[:2], "query")
    documents = folder("candidates", TEXTS[:2], "document")
    assert encoder.prompts == ["q: ", None]
    assert queries[:, 2].tolist() == [3, 3]
    assert documents[:, 2].tolist() == [0, 0]
    assert sorted(p.name for p in (tmp_path / "deep" / "vectors").glob("*.npy")) == ["candidates.npy", "queries.npy"]
    folder("queries", TEXTS[:2], "query")
    assert len(encoder.asked) == 2
