"""Documents that say nearly the same, over all sources."""

import os
import random
import signal
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.guard.tables import guarded

from medloom.artifacts import write_table
from medloom.engine import LocalEngine
from medloom.guard import duplicates, parts
from medloom.guard.alike import SLOTS, bands_for, whole_text
from medloom.guard.duplicates import Duplicates, find_duplicates
from medloom.records import Document, Section, Synonym, TrainingRecord
from medloom.shards import shards_of
from medloom.text import words

WORDS = ["".join(random.Random(n).choice("abcdefghijkl") for _ in range(6)) for n in range(3_000)]


def _text(seed: str, count: int = 60) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=count))


def _changed(text: str, count: int, seed: str = "") -> str:
    rng = random.Random(text + seed)
    parts = text.split()
    for place in rng.sample(range(len(parts)), count):
        parts[place] = rng.choice(WORDS)
    return " ".join(parts)


def _find(folder: Path, documents: list[Document], threshold: float = 0.8, workers: int = 1) -> Duplicates:
    write_table(folder / "documents.parquet", documents, Document)
    scratch = folder / f"scratch-{workers}"
    return find_duplicates(shards_of(folder / "documents.parquet"), threshold, scratch, LocalEngine(workers))


def _overlap(one: Document, other: Document) -> float:
    sets = [
        {tuple(tokens[n : n + 3]) for n in range(len(tokens) - 2)} for tokens in (words(whole_text(d)) for d in (one, other))
    ]
    return len(sets[0] & sets[1]) / max(1, len(sets[0] | sets[1]))


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.95])
def test_parity_with_brute_force(tmp_path: Path, threshold: float) -> None:
    documents = []
    for base in range(25):
        text = _text(f"base {base}")
        for copy, changes in enumerate((0, 0, 1, 2, 4, 8)):
            documents.append(Document(f"{base}-{copy}", "ab"[copy % 2], f"t{base}", _changed(text, changes, str(copy))))
    random.Random(1).shuffle(documents)
    first = list(range(len(documents)))
    for other in range(len(documents)):
        for one in range(other):
            if _overlap(documents[one], documents[other]) >= threshold:
                low, high = sorted((first[one], first[other]))
                first = [low if place == high else place for place in first]
    found = _find(tmp_path, documents, threshold)
    assert found.first.tolist() == first
    assert found.clusters == sum(first.count(place) > 1 for place in set(first))
    assert found.crowded == 0


def test_short_documents_have_exact_duplicates_alone(tmp_path: Path) -> None:
    documents = [
        Document("1", "a", "Fever"),
        Document("2", "b", "FEVER!"),
        Document("3", "b", "Fevers"),
        Document("4", "b", "", "---"),
        Document("5", "b", "", "..."),
        Document("6", "c", "fever", synonyms=(Synonym("Pyrexia"),)),
    ]
    assert _find(tmp_path, documents).first.tolist() == [0, 0, 2, 3, 4, 5]


def test_nothing_to_find(tmp_path: Path) -> None:
    assert _find(tmp_path, []).first.tolist() == []


def test_what_a_document_says() -> None:
    sections = (Section("Head", "One two."), Section("", "Three"))
    assert whole_text(Document("1", "s", "Title", "One two.\n\nThree", sections=sections)) == "title one two three"
    assert whole_text(Document("1", "s", "Title", "", sections=sections)) == "title one two three"
    assert whole_text(Document("1", "s", "Title", "Sum", sections=sections)) == "title sum one two three"
    assert whole_text(Document("1", "s", "Name", synonyms=(Synonym("Other"),))) == "name other"
    assert whole_text(Document("1", "s")) == ""


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
def test_bands_find_a_pair_at_the_threshold(threshold: float) -> None:
    bands = bands_for(threshold)
    rows = SLOTS // bands
    assert 1 - (1 - threshold**rows) ** bands >= 0.999
    assert bands * rows <= SLOTS


def test_a_form_filled_in_by_many_is_compared_in_linear_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    form = _text("form", 80)
    documents = [Document(str(n), "s", "", _changed(form, 9, str(n))) for n in range(600)]
    documents += [Document(f"twin {n}", "t", "", documents[n].text + " more") for n in range(0, 600, 40)]
    compared = []
    original = duplicates._alike

    def counted(pairs: Any, slots: Any, least: float) -> Any:
        compared.append(len(pairs))
        return original(pairs, slots, least)

    monkeypatch.setattr(duplicates, "_alike", counted)
    found = _find(tmp_path, documents)
    bands = bands_for(0.8)
    assert found.crowded > 0
    assert sum(compared) < len(documents) * bands * 16
    twins = [found.first[600 + n] == 40 * n for n in range(15)]
    assert sum(twins) >= 14


def test_workers_change_nothing(tmp_path: Path) -> None:
    documents = [Document(str(n), "s", "", _changed(_text(f"base {n % 900}"), n % 3)) for n in range(4_100)]
    one, two = (_find(tmp_path, documents, workers=workers) for workers in (1, 2))
    assert np.array_equal(one.first, two.first)
    assert one.clusters == two.clusters > 300


# Splits: a group and its near-duplicates are on one side, whatever the group stands for.

GROUPS: dict[str, Callable[[int], str]] = {
    "patient": lambda n: f"patient {n % 40}",
    "article": lambda n: f"PMC{n % 40}",
    "trial": lambda n: f"NCT{n % 40:08}",
    "concept": lambda n: f"HP:{n % 40:07}",
    "page": lambda n: f"Page {n % 40}",
    "document": lambda n: "",
}


@pytest.mark.parametrize("kind", list(GROUPS))
def test_no_group_is_torn_not_even_through_near_duplicates(kind: str) -> None:
    documents = [Document(str(n), "a", f"title {n}", _text(f"{kind} {n}"), GROUPS[kind](n)) for n in range(120)]
    near = [Document(f"copy {n}", "b", f"title {n}", _changed(documents[n].text, 1), f"other {n}") for n in range(0, 120, 3)]
    corpus = [*documents, *near]
    torn_before = 0
    for seed in range(3):
        held, _, _, counts = guarded(corpus, [], seed, holdout=0.4, duplicates="tie", common=2_000)
        held_ids = {(d.source, d.id) for d in held}
        for one, other in zip(near, documents[::3], strict=True):
            assert ((one.source, one.id) in held_ids) == ((other.source, other.id) in held_ids)
        for key in {d.split_key for d in corpus}:
            assert len({(d.source, d.id) in held_ids for d in corpus if d.split_key == key}) == 1
        assert 0 < len(held) < len(corpus)
        assert counts.clusters == 40
        assert counts.duplicates == {"b of a": 40}
        loose = [d.__class__(d.id, d.source, d.id, d.text, d.group) for d in corpus]
        held_ids = {(d.source, d.id) for d in guarded(loose, [], seed, holdout=0.4)[0]}
        pairs = zip(near, documents[::3], strict=True)
        torn_before += sum(((a.source, a.id) in held_ids) != ((b.source, b.id) in held_ids) for a, b in pairs)
    assert torn_before > 0


def test_only_the_first_of_a_set_is_kept() -> None:
    documents = [Document(str(n), "a", f"own title {n}", _text(f"text {n}")) for n in range(40)]
    copies = [Document(f"c{n}", "b", f"own title {n}", _changed(documents[n].text, 1)) for n in range(0, 40, 4)]
    corpus = [*documents, *copies]
    pairs = [TrainingRecord(f"asks {d.source} {d.id} alone", (d.text,), "title_text", d.source, d.id) for d in corpus]
    held, test, train, counts = guarded(corpus, pairs, holdout=0.3, duplicates="drop")
    assert {d.source for d in held} == {r.source for r in (*test, *train)} == {"a"}
    assert (counts.reasons, counts.clusters, counts.duplicates) == ({"duplicate_document": 10}, 10, {"b of a": 10})
    assert len(held) + len(train) == 40
    off = guarded(corpus, pairs, holdout=0.3)
    assert off[3].duplicates == {}
    assert sum(off[3].reasons.values()) + len(off[1]) + len(off[2]) == len(pairs)


# Workers of the whole guard.


def _corpus() -> tuple[list[Document], list[TrainingRecord]]:
    documents = [Document(str(n), "ab"[n % 2], f"title {n % 700}", _text(f"text {n % 2_500}", 20)) for n in range(4_100)]
    pairs = [
        TrainingRecord(d.title, (d.text,), ("title_text", "lay_name")[n % 2], d.source, d.id, (_text(f"text {n}", 20),))
        for n, d in enumerate(documents)
    ]
    return documents, pairs


def test_the_tables_are_the_same_whatever_the_number_of_processes() -> None:
    documents, pairs = _corpus()
    settings: dict[str, Any] = {"duplicates": "drop", "max_per_kind": 300}
    assert guarded(documents, pairs, **settings, workers=1) == guarded(documents, pairs, **settings, workers=2)


def test_a_killed_worker_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents, pairs = _corpus()
    whole = guarded(documents, pairs)
    monkeypatch.setattr(import_module("medloom.guard.guard"), "check_pairs", _killed_once)
    monkeypatch.setenv("KILL_MARK", str(tmp_path / "killed"))
    assert guarded(documents, pairs, workers=2) == whole
    assert (tmp_path / "killed").exists()


def _killed_once(shard: Any, **settings: Any) -> Any:
    mark = Path(os.environ["KILL_MARK"])
    if shard.group == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return parts.check_pairs(shard, **settings)
