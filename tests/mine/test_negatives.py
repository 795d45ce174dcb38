"""Hard negatives: which candidates stay, which go, and under which reason."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from medloom.mine import NegativesConfig, mine_negatives
from medloom.mine.negatives import Pool
from medloom.mine.relations import Concept, Relations
from medloom.mine.topk import Floats
from medloom.records import Document, Synonym, TrainingRecord

SOURCE = "s"


def at(*degrees: float, tilt: float = 0.0) -> Floats:
    """Unit vectors in a plane, by their angle to the query (at 0); the tilt takes them out of the plane."""
    rows = [
        [math.cos(math.radians(d)) * math.cos(math.radians(tilt)), math.sin(math.radians(d)) * math.cos(math.radians(tilt)),
         math.sin(math.radians(tilt))]
        for d in degrees
    ]  # fmt: skip
    return np.array(rows, dtype=np.float32)


def mine(
    texts: Sequence[str],
    owners: Sequence[Sequence[str]],
    degrees: Sequence[float],
    relations: Relations | None = None,
    config: NegativesConfig | None = None,
    query: str = "query",
) -> tuple[TrainingRecord, dict[str, int]]:
    """One query at 0 degrees whose positive is the first text, of document ``pos``."""
    record = TrainingRecord(query, (texts[0],), "lay_name", SOURCE, "pos")
    concepts: list[tuple[Concept, ...]] = [tuple((SOURCE, o) for o in own) for own in owners]
    counts: dict[str, int] = {}
    (mined,) = mine_negatives(
        [record],
        at(0),
        np.array([0]),
        Pool(texts, concepts, at(*degrees)),
        relations or Relations([]),
        config or NegativesConfig(margin=0.0, like_positive=1.0),
        counts,
    )
    assert replace(mined, negatives=(), scores=()) == record
    assert mined.scores[0] == pytest.approx(math.cos(math.radians(degrees[0])), abs=1e-6)
    return mined, counts


def test_the_hardest_come_first() -> None:
    config = NegativesConfig(per_query=3, margin=0.05)
    mined, counts = mine(
        ["pos", "far", "near", "mid", "back"], [["pos"], ["a"], ["b"], ["c"], ["d"]], [10, 80, 30, 50, 170], None, config
    )
    assert mined.negatives == ("near", "mid", "far")
    assert mined.scores[1:] == pytest.approx([math.cos(math.radians(d)) for d in (30, 50, 80)], abs=1e-6)
    assert counts == {"equal_text": 1}


@pytest.mark.parametrize("per_query", [1, 2, 4])
def test_as_many_as_asked_for(per_query: int) -> None:
    config = NegativesConfig(per_query=per_query)
    names = ["pos", *"abcde"]
    mined, _ = mine(names, [[n] for n in names], [5, 40, 50, 60, 70, 80], None, config)
    assert mined.negatives == tuple("abcde"[:per_query])
    assert len(mined.scores) == per_query + 1


def test_no_deeper_than_asked_for() -> None:
    names = ["pos", *"abcde"]
    mined, _ = mine(names, [[n] for n in names], [5, 40, 50, 60, 70, 80], None, NegativesConfig(per_query=5, depth=3))
    assert mined.negatives == ("a", "b")


def test_equal_texts_are_dropped() -> None:
    mined, counts = mine(["Positive", "QUERY!", "positive.", "other"], [["pos"], ["a"], ["b"], ["c"]], [10, 20, 30, 40])
    assert mined.negatives == ("other",)
    assert counts == {"equal_text": 3}


def test_names_and_documents_of_the_same_concept_are_dropped() -> None:
    relations = Relations([Document("pos", SOURCE, "Pos", synonyms=(Synonym("alias"),)), Document("twin", SOURCE, "Alias")])
    texts = ["Pos", "the alias"[4:], "own other text", "text of a twin", "free"]
    mined, counts = mine(texts, [["pos"], ["z"], ["pos"], ["twin"], ["c"]], [10, 20, 30, 40, 50], relations)
    assert mined.negatives == ("free",)
    assert counts == {"equal_text": 1, "same_concept": 3}


def test_ancestors_and_descendants_are_dropped() -> None:
    relations = Relations(
        [
            Document("up", SOURCE, "Up"),
            Document("pos", SOURCE, "Pos", parents=("up",)),
            Document("down", SOURCE, "Down", parents=("pos",)),
            Document("beside", SOURCE, "Beside", parents=("up",)),
        ]
    )
    mined, counts = mine(
        ["Pos", "Up", "Down", "Beside"], [["pos"], ["up"], ["down"], ["beside"]], [10, 20, 30, 40], relations
    )
    assert mined.negatives == ("Beside",)
    assert counts == {"equal_text": 1, "ancestor_or_descendant": 2}


def test_a_text_of_several_documents_is_dropped_for_any_of_them() -> None:
    mined, counts = mine(["pos", "shared", "free"], [["pos"], ["a", "pos"], ["b"]], [10, 20, 30])
    assert mined.negatives == ("free",)
    assert counts == {"equal_text": 1, "same_concept": 1}


def test_candidates_too_near_to_the_query_are_dropped() -> None:
    reached = math.cos(math.radians(60))
    over, under = (math.degrees(math.acos(reached - 0.1 + step)) for step in (0.01, -0.01))
    config = NegativesConfig(margin=0.1, like_positive=1.0)
    mined, counts = mine(
        ["pos", "nearer", "over", "under"], [["pos"], ["a"], ["b"], ["c"]], [60, 5, over, under], None, config
    )
    assert mined.negatives == ("under",)
    assert counts == {"over_margin": 2, "equal_text": 1}


def test_paraphrases_of_the_positive_are_dropped() -> None:
    config = NegativesConfig(margin=0.0, like_positive=0.95)
    just = math.degrees(math.acos(0.95))
    degrees = [20, 20 + just - 1, 20 + just + 1]
    mined, counts = mine(["pos", "like", "unlike"], [["pos"], ["a"], ["b"]], degrees, None, config)
    assert mined.negatives == ("unlike",)
    assert counts == {"equal_text": 1, "like_positive": 1}


def test_a_record_left_without_negatives_is_kept_and_counted() -> None:
    mined, counts = mine(["pos", "nearer"], [["pos"], ["a"]], [60, 5])
    assert mined.negatives == ()
    assert len(mined.scores) == 1
    assert counts == {"over_margin": 1, "equal_text": 1, "without_negatives": 1}


def test_candidates_after_the_last_wanted_are_not_judged() -> None:
    _, counts = mine(["pos", "a", "b", "pos!"], [["pos"], ["a"], ["b"], ["c"]], [10, 20, 30, 40])
    assert counts == {"equal_text": 1}


def test_order_blocks_and_second_positives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many records over several blocks: each keeps its place, and a second positive counts as one."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [f"text {i}" for i in range(40)]
    pool = Pool(texts, [((SOURCE, str(i)),) for i in range(40)], vectors)
    records = [TrainingRecord(f"query {i}", (texts[i], texts[(i + 1) % 40]), "lay_name", SOURCE, str(i)) for i in range(40)]
    config = NegativesConfig(per_query=2, margin=0.0, like_positive=1.0, depth=20)
    counts: dict[str, int] = {}
    queries = np.ascontiguousarray(vectors)
    whole = list(mine_negatives(records, queries, np.arange(40), pool, Relations([]), config, counts))
    assert [m.query for m in whole] == [r.query for r in records]
    for i, mined in enumerate(whole):
        similar = vectors @ vectors[i]
        expected = [texts[j] for j in np.argsort(-similar) if j not in (i, (i + 1) % 40)][:2]
        assert list(mined.negatives) == expected
        assert mined.scores == pytest.approx(
            [1.0, *sorted(similar[[texts.index(t) for t in expected]], reverse=True)], abs=1e-5
        )

    monkeypatch.setattr("medloom.mine.topk.top_k.__defaults__", (7, 9))
    again: dict[str, int] = {}
    in_blocks = list(mine_negatives(records, queries, np.arange(40), pool, Relations([]), config, again))
    assert [replace(m, scores=()) for m in in_blocks] == [replace(m, scores=()) for m in whole]
    for one, other in zip(in_blocks, whole, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-6)
    assert again == counts


@pytest.mark.parametrize("bad", [{"per_query": -1}, {"per_query": 17}, {"margin": -0.1}, {"like_positive": 0}, {"depth": 0}])
def test_settings_out_of_range(bad: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        NegativesConfig.model_validate(bad)
