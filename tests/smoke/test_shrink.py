"""What a smoke run makes of a recipe."""

import json
from pathlib import Path

import pytest

from medloom.bench.own import own_task
from medloom.recipe import Recipe
from medloom.smoke import shrunk
from medloom.smoke.shrink import BASE
from medloom.smoke.texts import write_everyday, write_texts
from medloom.train import TrainConfig

LARGE = """\
name: large
base: org/large
sources:
  - {type: pubmed, terms: {asthma: 5000}}
  - {type: asclepius, hub: true}
  - {type: hpo}
  - {type: files, name: notes, path: notes.jsonl, contains_phi: true}
deid: {detector: rules, key_file: secret.key}
generate: {mode: one-shot, model: "openai:http://127.0.0.1:8000/v1#m", sources: [notes], limit: 5000}
guard: {holdout: 0.02, against: [judges/one]}
negatives: {per_query: 7, depth: 200, guide: org/guide, cross_encoder: org/cross}
train:
  {epochs: 3, batch_size: 512, mini_batch: 32, max_seq_length: 256, matryoshka: [768, 256], guide: org/guide}
merge: {step: 0.1, models: [org/other], general: ["mteb:NanoFiQA2018Retrieval"]}
evaluate: {resamples: 5000}
"""


@pytest.fixture
def small(tmp_path: Path) -> Recipe:
    return shrunk(Recipe.parse(LARGE, folder=tmp_path), tmp_path / "invented")


def test_what_is_long_is_cut_and_what_is_short_stays(small: Recipe, tmp_path: Path) -> None:
    assert small.name == "large-smoke"
    train = small.train
    assert isinstance(train, TrainConfig)
    assert (train.epochs, train.batch_size, train.mini_batch, train.max_seq_length) == (1, 16, 8, 64)
    assert train.matryoshka == (256,) and train.guide == BASE
    assert small.guard.max_per_kind == 100 and small.guard.holdout == 0.2
    assert (small.negatives.per_query, small.negatives.depth) == (2, 16)
    assert small.evaluate.resamples == 200
    tiny = shrunk(Recipe.parse(LARGE, overrides=["train.batch_size=4", "train.mini_batch=2"]), tmp_path / "i")
    assert tiny.train.batch_size == 4
    assert shrunk(small, tmp_path / "i").train == small.train


def test_what_is_fetched_is_replaced_and_said(small: Recipe) -> None:
    assert small.base == BASE
    assert [(s.type, s.name) for s in small.sources] == [
        ("files", "pubmed"),
        ("files", "asclepius"),
        ("hpo", "hpo"),
        ("files", "notes"),
    ]
    assert [s.contains_phi for s in small.sources] == [False, False, False, True]
    assert small.generate and small.generate.mode == "extractive" and small.generate.model is None
    assert small.generate.sources == ("notes",)
    assert small.negatives.guide == BASE and small.negatives.cross_encoder is None
    assert small.merge and small.merge.models == (BASE,) and small.merge.step == 0.25
    assert own_task(Path(small.merge.general[0])).n == 20
    assert small.guard.against == () and small.deid and small.deid.key_file is None
    said = "; ".join(small.smoke)
    for word in ("org/large", "pubmed", "asclepius", "notes", "language model", "org/guide", "org/other", "judges/one"):
        assert word in said
    assert "hpo" not in said


def test_a_model_and_a_set_that_lie_here_stay(tiny_model: Path, tmp_path: Path) -> None:
    write_everyday(tmp_path / "sets" / "mine")
    overrides = [f"base={tiny_model}", f"train.guide={tiny_model}", "merge.general=[sets/mine]", "guard.against=[sets/mine]"]
    small = shrunk(Recipe.parse(LARGE, folder=tmp_path, overrides=overrides), tmp_path / "invented")
    assert small.base == str(tiny_model) and small.folder == tmp_path
    assert small.merge and small.merge.general == ("sets/mine",) and small.guard.against == ("sets/mine",)


def test_invented_texts_are_whole_and_unlike(tmp_path: Path) -> None:
    texts = {}
    for salt in ("one", "two"):
        write_texts(tmp_path / f"{salt}.jsonl", salt)
        texts[salt] = [json.loads(line) for line in (tmp_path / f"{salt}.jsonl").read_text("utf-8").splitlines()]
    assert len(texts["one"]) == 144 and len({row["group"] for row in texts["one"]}) == 48
    for rows in texts.values():
        assert len({row["id"] for row in rows}) == len({row["text"] for row in rows}) == 144
        assert not any("{" in row["text"] + row["title"] for row in rows)
    assert not {row["text"] for row in texts["one"]} & {row["text"] for row in texts["two"]}
    before = (tmp_path / "one.jsonl").read_bytes()
    write_texts(tmp_path / "one.jsonl", "one")
    assert (tmp_path / "one.jsonl").read_bytes() == before
