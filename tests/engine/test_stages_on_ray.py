"""Stages give the same bytes on a cluster of two workers, one of which is killed in mid-job, as in one process."""

import json
import pickle
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engine.cluster_functions import Hashing, HashingSpec, Opening, count_cut
from tests.engine.conftest import KillAfter

from medloom import artifacts
from medloom.artifacts import write_table
from medloom.cli import main
from medloom.encode import VectorFolder, job, shards, sinks
from medloom.encode.job import EncodeSettings, Item, encode_documents
from medloom.engine import HERE, Engine, EngineName, LocalEngine
from medloom.generate.chat import Answer, Ask
from medloom.generate.config import GenerateConfig
from medloom.generate.run import generate
from medloom.guard import GuardConfig, GuardTables, guard
from medloom.mine import NegativesConfig, topk
from medloom.mine.relations import Relations
from medloom.mine.run import mine_task_group
from medloom.records import Document, TrainingRecord

SIGNS = ("asthma", "gout", "migraine", "anemia", "eczema", "sciatica", "jaundice")
DRUGS = ("albuterol", "colchicine", "sumatriptan", "iron sulfate", "hydrocortisone")


def filler(what: str, count: int) -> str:
    """Invented words, drawn by a word of ours."""
    rng = random.Random(what)
    return " ".join("".join(rng.choices("bdfgklmnprst", k=2) + rng.choices("aeiou", k=3)) for _ in range(count))


def note(number: int) -> Document:
    """A note; of eight, one differs from the one before it in a single word."""
    visit = number - (number % 8 == 7)
    sign, drug = SIGNS[visit % len(SIGNS)], DRUGS[visit % len(DRUGS)]
    text = (
        f"The patient has severe {sign} since {filler(f'a{visit}', 4)}, and a history of {filler(f'b{visit}', 20)}. "
        f"Treatment with {drug} {visit + 2} mg was begun for the {sign}, with {filler(f'c{visit}', 20)} after it. "
        f"Laboratory values of visit {visit} were normal apart from {filler(f'd{visit}', 5)}. Seen by team {number}."
    )
    return Document(f"n{number}", "notes", f"Visit {number} for {sign}", text, f"p{number // 4}", contains_phi=False)


def files(folder: Path) -> dict[str, bytes]:
    """Everything that a folder holds."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_guard(started: None, kill_after: KillAfter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "ROWS_PER_GROUP", 20)
    documents = [note(number) for number in range(200)]
    pairs = [TrainingRecord(filler(d.id, 4), (d.text,), "title_text", d.source, d.id) for d in documents]
    write_table(tmp_path / "documents.parquet", documents, Document)
    write_table(tmp_path / "pairs.parquet", pairs, TrainingRecord)

    def guarded(engine: EngineName, workers: int) -> tuple[dict[str, bytes], Any]:
        folder = tmp_path / f"{engine}-{workers}"
        folder.mkdir()
        into = GuardTables(*(folder / name for name in ("held_out.parquet", "test.parquet", "train.parquet")))
        config = GuardConfig.model_validate({"engine": engine, "workers": workers, "duplicates": "drop"})
        counts = guard(tmp_path / "documents.parquet", tmp_path / "pairs.parquet", into, config, 7)
        return files(folder), counts

    expected = guarded("local", 1)
    assert expected[1].train > 100
    assert expected[1].clusters > 10
    killed = kill_after(14)
    assert guarded("ray", 2) == expected
    assert killed


@pytest.mark.parametrize("form", ["npy", "parquet"])
def test_encode(cluster: Engine, kill_after: KillAfter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Any) -> None:
    for module in (job, sinks):
        monkeypatch.setattr(module, "SHARD", 10)
    texts = [f"fever {'of a child ' if n % 7 == 0 else ''}{n * n % 90}" if n % 11 else "" for n in range(235)]
    items = [Item("s", f"d{n}", (text, "more") if n % 20 == 3 else (text,)) for n, text in enumerate(texts)]
    settings = EncodeSettings(
        model="m",
        model_hash="hashing",
        backend="",
        precision="",
        prompt="p: ",
        dimensions=16,
        stored="int8",
        form=form,
        long="pool",
    )

    def encoded(folder: Path, engine: Engine, some: list[Item] = items) -> tuple[dict[str, bytes], dict[str, Any], set[str]]:
        notes = tmp_path / f"{folder.name}.notes"
        result = encode_documents(some, Hashing(notes), folder, settings, count_cut, engine=engine, opener=Opening(notes))
        counts = {k: v for k, v in vars(result).items() if k not in ("folder", "seconds", "texts_per_second")}
        said = files(folder)
        said.pop("encoding.json")
        return said, counts, set(notes.read_text("utf-8").split())

    expected = encoded(tmp_path / "here", HERE)
    killed = kill_after(8, at_work=lambda pid: str(pid) in (tmp_path / "there.notes").read_text("utf-8").split())
    found = encoded(tmp_path / "there", cluster)
    assert found[:2] == expected[:2]
    assert {str(killed[0])} < found[2]
    encoded(tmp_path / "begun", LocalEngine(1), items[:60])
    went_on = encoded(tmp_path / "begun", cluster)
    assert went_on[1]["kept"] == 60
    assert went_on[0] == expected[0]


def test_mine(cluster: Engine, kill_after: KillAfter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD", 50)
    records = [
        TrainingRecord(f"query {n % 2_500}", (f"passage {n % 9} {n % 2_500}",), "title_text", "s", f"d{n}")
        for n in range(3_000)
    ]
    config = NegativesConfig(margin=0.0, depth=8, per_query=2)

    def mined(engine: Engine) -> tuple[list[TrainingRecord], dict[str, int], dict[str, int], dict[str, bytes]]:
        folder = tmp_path / type(engine).__name__
        notes, counts, origins = tmp_path / "notes", dict[str, int](), dict[str, int]()
        vectors = VectorFolder(
            Hashing(notes), folder, "w", engine, HashingSpec("m", "hashing", "fp32", "torch", None, notes)
        )
        found = list(mine_task_group(records, vectors, Relations([]), config, counts, origins=origins, engine=engine))
        return found, counts, origins, files(folder)

    expected = mined(HERE)
    assert expected[2]["dense"] > 1_000
    killed = kill_after(30)
    assert mined(cluster) == expected
    assert killed
    queries, candidates = (
        np.load(tmp_path / "LocalEngine" / f"{name}.npy", mmap_mode="r") for name in ("queries", "candidates")
    )
    here, there = (list(topk.shared_top_k(queries, candidates, 2_000, 5, engine)) for engine in (HERE, cluster))
    for one, other in zip(here, there, strict=True):
        assert one[0] == other[0]
        assert (one[1] == other[1]).all() and (one[2] == other[2]).all()


class Scripted:
    """A model that answers by the visit of the note."""

    name = "scripted"
    host: str | None = None

    def ask(self, ask: Ask) -> Answer:
        visit = ask.user.split("visit ")[1].split()[0] if "visit " in ask.user else str(len(ask.user))
        query = {"query": f"normal laboratory values number {visit}", "relevance": 0.9}
        passage = f"Laboratory values of visit {visit} were normal apart from {filler(f'd{visit}', 5)}."
        answer = {"keyword": [{**query, "passage": passage}, {"query": "too few"}], **query}
        return Answer(json.dumps(answer) if int(visit) % 9 else "no JSON", 100, 20, "stop")


class Travelling:
    """An engine whose function, items and results are pickled, all in this process."""

    workers, is_here = 2, False

    def in_order(self, function: Any, items: Iterable[Any], shared: Sequence[Path] = ()) -> Iterator[Any]:
        given = pickle.dumps(function)
        for item in items:
            result = pickle.loads(given)(pickle.loads(pickle.dumps(item)))
            yield pickle.loads(pickle.dumps(result))


def generated(folder: Path, mode: str, engine: EngineName) -> tuple[dict[str, bytes], dict[str, Any]]:
    """What generating writes and says."""
    folder.mkdir()
    model = None if mode == "extractive" else Scripted()
    given = {"mode": mode, "min_words": 10, "kinds": {"keyword": 1}, "engine": engine, "workers": 1 + (engine == "ray")}
    checks = {"round_trip": "off", "near_duplicate": 1.01, "identifiers": mode == "one-shot"}
    config = GenerateConfig.model_validate({**given, "checks": checks})
    documents = [note(number) for number in range(200)]
    summary = vars(generate(lambda: documents, config, folder, folder.parent / "calls.sqlite", model, 7))
    summary.pop("calls")
    return files(folder), summary


def test_generate(started: None, kill_after: KillAfter, tmp_path: Path) -> None:
    expected = generated(tmp_path / "local", "one-shot", "local")
    assert expected[1]["records"] > 50
    assert {"no_json", "schema"} <= set(expected[1]["reasons"])
    killed = kill_after(3)
    assert generated(tmp_path / "ray", "one-shot", "ray") == expected
    assert killed


@pytest.mark.parametrize("mode", ["extractive", "one-shot", "evidence-first"])
def test_what_generating_hands_over_can_travel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    expected = generated(tmp_path / "local", mode, "local")
    assert expected[1]["records"] > 50
    monkeypatch.setattr("medloom.generate.run.open_engine", lambda config: nullcontext(Travelling()))
    assert generated(tmp_path / "away", mode, "local") == expected


@pytest.fixture
def medloom(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Runs a command of the command line in this process; gives what it printed as JSON."""

    def call(*args: str | Path) -> Any:
        monkeypatch.setattr(sys, "argv", ["medloom", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert not ended.value.code, err
        return json.loads(out)

    return call


@pytest.mark.e2e
def test_commands_take_the_engine(
    started: None, medloom: Callable[..., Any], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (job, sinks):
        monkeypatch.setattr(module, "SHARD", 16)
    write_table(tmp_path / "notes.parquet", [note(number) for number in range(60)], Document)
    model = ("--model", tiny_model, "--backend", "torch", "--precision", "fp32", "--json")
    said = {}
    for engine in ("local", "ray"):
        out = tmp_path / engine
        said[engine] = medloom("encode", tmp_path / "notes.parquet", "--out", out, *model, "--engine", engine)
    parts = [{k: v for k, v in files(tmp_path / engine).items() if k != "encoding.json"} for engine in ("local", "ray")]
    assert parts[0] == parts[1]
    assert said["local"]["cut"] == said["ray"]["cut"] > 0
