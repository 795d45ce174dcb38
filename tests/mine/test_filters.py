"""Where negatives come from, and what keeps false ones out: patients, contained text, a guide, a cross-encoder."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from pydantic import ValidationError

from medloom.mine import NegativesConfig, mine_negatives
from medloom.mine.candidates import Pool
from medloom.mine.relations import Concept, Relations
from medloom.mine.rerank import Guide, PairScorer
from medloom.mine.topk import Floats
from medloom.records import CONCEPT, Document, TrainingRecord

SOURCE = "notes"
PASSAGE = "the chest film shows a small pleural effusion on the left side"


def at(degrees: Sequence[float]) -> Floats:
    """Unit vectors in a plane, by their angle to the query."""
    return np.array([[math.cos(math.radians(d)), math.sin(math.radians(d))] for d in degrees], dtype=np.float32)


@dataclass
class Case:
    """One query at 0 degrees; its positive is the first text, of document ``pos``; each other text has its own document."""

    texts: Sequence[str]
    degrees: Sequence[float]
    query: str = "query"
    owners: Sequence[str] | None = None
    negatives: tuple[str, ...] = ()
    written: int = 0
    relations: Relations = field(default_factory=lambda: Relations([]))
    guide: Sequence[float] | None = None
    cross: PairScorer | None = None
    counts: dict[str, int] = field(default_factory=dict)
    origins: dict[str, int] = field(default_factory=dict)

    def mined(self, **settings: object) -> TrainingRecord:
        config = NegativesConfig.model_validate({"margin": 0.0, "like_positive": 1.0, "per_query": 9} | settings)
        record = TrainingRecord(self.query, (self.texts[0],), "keyword_passage", SOURCE, "pos", negatives=self.negatives)
        owners = self.owners or ["pos", *(f"d{i}" for i in range(1, len(self.texts)))]
        searched = len(self.texts) - self.written
        concepts: list[tuple[Concept, ...]] = [((SOURCE, o),) if i < searched else () for i, o in enumerate(owners)]
        guide = Guide(at([0]), at(self.guide)) if self.guide else None
        pool = Pool(self.texts, concepts, at(self.degrees), self.written)
        (found,) = mine_negatives(
            [record], at([0]), np.array([0]), pool, self.relations, config, self.counts, guide, self.cross, self.origins
        )
        assert len(found.scores) == 1 + len(found.negatives)
        return found


class Cross:
    """Scores by text, and a note of what was asked."""

    def __init__(self, **scores: float) -> None:
        self.scores = scores
        self.asked: list[list[str]] = []

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        assert {query for query, _ in pairs} == {"query"}
        self.asked.append([text for _, text in pairs])
        return np.array([self.scores[text] for _, text in pairs], dtype=np.float32)


def test_written_negatives_stay_in_front_and_mining_fills_up() -> None:
    case = Case(["pos", "near", "far", "wrote"], [10, 30, 60, 80], negatives=("wrote",), written=1)
    mined = case.mined(per_query=2)
    assert mined.negatives == ("wrote", "near")
    assert mined.scores == pytest.approx([math.cos(math.radians(d)) for d in (10, 80, 30)], abs=1e-6)
    assert case.origins == {"written": 1, "dense": 1}


def test_all_written_negatives_stay_even_more_than_asked_for() -> None:
    case = Case(["pos", "near", "w1", "w2", "w3"], [10, 30, 60, 70, 80], negatives=("w3", "w1", "w2"), written=3)
    assert case.mined(per_query=1).negatives == ("w3", "w1", "w2")
    assert case.mined(per_query=0).negatives == ("w3", "w1", "w2")


@pytest.mark.parametrize(
    ("text", "degrees", "reason"),
    [
        ("POS!", 50, "equal_text"),
        ("Query?", 50, "equal_text"),
        ("wrote", 5, "over_margin"),
        ("wrote", 10.5, "like_positive"),
        ("near", 30, None),
    ],
)
def test_written_negatives_are_checked_too(text: str, degrees: float, reason: str | None) -> None:
    own = [] if text == "near" else [text]
    case = Case(["pos", "near", *own], [10, 30, degrees][: 2 + len(own)], negatives=(text,), written=len(own))
    mined = case.mined(per_query=1, like_positive=0.999)
    assert mined.negatives == ("near",)
    assert case.origins == ({"dense": 1} if reason else {"written": 1})
    assert case.counts.get(reason or "none", 0) == (1 if reason != "equal_text" else 2) * bool(reason)


def test_a_negative_that_was_written_and_found_counts_once() -> None:
    case = Case(["pos", "near", "NEAR.", "far"], [10, 30, 31, 60], negatives=("near",))
    assert case.mined().negatives == ("near", "far")
    assert case.counts == {"equal_text": 1, "repeated_text": 2}


def test_bm25_finds_words_and_the_base_scores() -> None:
    texts = ["pleural effusion on the left", "pleural thickening", "renal cyst", "pleural plaque after asbestos"]
    case = Case(texts, [10, 80, 20, 70], query="pleural fluid")
    mined = case.mined(methods=("bm25",))
    assert set(mined.negatives) == {texts[1], texts[3]}, "no word in common, not found"
    by_text = dict(zip(mined.negatives, mined.scores[1:], strict=True))
    assert by_text[texts[1]] == pytest.approx(math.cos(math.radians(80)), abs=1e-6)
    assert case.origins == {"bm25": 2}


def test_bm25_candidates_must_keep_the_margin() -> None:
    case = Case(["effusion", "effusion left", "effusion right"], [30, 5, 60], query="effusion where")
    assert case.mined(methods=("bm25",)).negatives == ("effusion right",)
    assert case.counts["over_margin"] == 1


def test_methods_are_merged_by_best_rank() -> None:
    texts = ["answer", "vector one", "vector two", "word cat dog", "word horse"]
    case = Case(texts, [10, 20, 30, 80, 70], query="word cat")
    mined = case.mined(methods=("dense", "bm25"))
    assert mined.negatives == ("word cat dog", "vector one", "word horse", "vector two")
    assert case.origins == {"dense": 2, "bm25": 2}


def test_ties_of_rank_go_to_the_first_method() -> None:
    texts = ["answer", "vector", "mouth rinse daily", "mouth only"]
    case = Case(texts, [10, 20, 80, 85], query="mouth rinse")
    assert case.mined(methods=("dense", "bm25"), depth=2).negatives == ("mouth rinse daily", "vector", "mouth only")
    assert case.mined(methods=("bm25", "dense"), depth=2).negatives == ("mouth rinse daily", "mouth only", "vector")


def test_what_two_methods_find_is_one_candidate_of_the_better_rank() -> None:
    texts = ["answer", "mouth", "far"]
    case = Case(texts, [10, 20, 80], query="mouth rinse")
    assert case.mined(methods=("dense", "bm25")).negatives == ("mouth", "far")
    assert case.origins == {"bm25": 1, "dense": 1}, "first in words, second in vectors"
    assert case.counts == {"equal_text": 1}


def patients(**groups: str) -> Relations:
    return Relations([Document(i, SOURCE, "", "A note.", group=group) for i, group in groups.items()])


def test_notes_of_the_same_patient_are_dropped() -> None:
    relations = patients(pos="p1", d1="p1", d2="p2")
    case = Case(["pos", "same patient", "another", "unknown"], [10, 20, 30, 40], relations=relations)
    assert case.mined().negatives == ("another", "unknown")
    assert case.counts == {"equal_text": 1, "same_group": 1}
    assert case.mined(same_group=False).negatives == ("same patient", "another", "unknown")


def test_passages_of_the_same_note_are_dropped_without_any_group() -> None:
    case = Case(["pos", "next to it", "another"], [10, 20, 30], owners=["pos", "pos", "d2"])
    assert case.mined(same_group=False).negatives == ("another",)
    assert case.counts == {"equal_text": 1, "same_concept": 1}


def test_codes_of_one_category_stay_the_best_negatives() -> None:
    relations = Relations([Document(i, SOURCE, i, group="J90", metadata=(CONCEPT,)) for i in ("pos", "d1")])
    assert Case(["pos", "sibling"], [10, 20], relations=relations).mined().negatives == ("sibling",)


@pytest.mark.parametrize(
    ("positive", "query", "candidate", "dropped"),
    [
        (PASSAGE, "effusion", f"In short: {PASSAGE.upper()}.", True),
        (f"in short {PASSAGE}", "effusion", PASSAGE, True),
        ("answer", "is there a pleural effusion now", "Asked: is there a pleural effusion now? No.", True),
        ("answer", "is there a pleural effusion now or was one", "is there a pleural effusion now", True),
        ("answer", "pleural effusion", "pleural effusion was seen before", False),
        ("answer", "is there a small pleural effusion", "this there a small pleural effusions", False),
        ("answer", "is there any effusion now", "now any effusion is there", False),
    ],
)
def test_contained_text(positive: str, query: str, candidate: str, dropped: bool) -> None:
    case = Case([positive, candidate], [10, 20], query=query)
    assert case.mined().negatives == (() if dropped else (candidate,))
    assert case.counts.get("contained", 0) == dropped
    assert Case([positive, candidate], [10, 20], query=query).mined(contained=False).negatives == (candidate,)


def test_names_of_a_terminology_may_contain_each_other() -> None:
    relations = Relations([Document("pos", SOURCE, "x", metadata=(CONCEPT,))])
    case = Case([PASSAGE, f"{PASSAGE} and right"], [10, 20], relations=relations)
    assert case.mined().negatives == (f"{PASSAGE} and right",)


def test_what_answers_the_same_query_elsewhere_is_no_negative() -> None:
    texts = ["one answer", "other answer", "no answer"]
    records = [
        TrainingRecord("Same query?", (texts[0],), "query_passage", SOURCE, "1"),
        TrainingRecord("same query", (texts[1],), "query_passage", SOURCE, "2"),
        TrainingRecord("another", (texts[2],), "query_passage", SOURCE, "3"),
    ]
    pool = Pool(texts, [((SOURCE, str(i + 1)),) for i in range(3)], at([10, 20, 60]))
    counts: dict[str, int] = {}
    config = NegativesConfig(margin=0.0, like_positive=1.0, per_query=3)
    mined = list(mine_negatives(records, at([0, 0, 60]), np.arange(3), pool, Relations([]), config, counts))
    assert [m.negatives for m in mined] == [(texts[2],), (texts[2],), (texts[1], texts[0])]
    assert counts["answers_query"] == 2


def test_a_paraphrase_of_any_positive_is_dropped() -> None:
    texts = ["first", "second", "like second", "other"]
    record = TrainingRecord("query", ("first", "second"), "query_passage", SOURCE, "pos")
    concepts: list[tuple[Concept, ...]] = [((SOURCE, "pos"),), ((SOURCE, "pos"),), ((SOURCE, "a"),), ((SOURCE, "b"),)]
    counts: dict[str, int] = {}
    pool = Pool(texts, concepts, at([10, 60, 61, 80]))
    config = NegativesConfig(margin=0.0, like_positive=0.99)
    (mined,) = mine_negatives([record], at([0]), np.array([0]), pool, Relations([]), config, counts)
    assert mined.negatives == ("other",)
    assert counts["like_positive"] == 1


def test_the_margin_must_hold_under_the_guide_as_well() -> None:
    case = Case(["pos", "guide likes", "both agree"], [10, 40, 60], guide=[30, 10, 80])
    assert case.mined(margin=0.05).negatives == ("both agree",)
    assert case.counts == {"equal_text": 1, "over_guide_margin": 1}
    case = Case(["pos", "just over", "just under"], [10, 40, 60], guide=[60, *_cosines(0.5 - 0.05, 0.001)])
    assert case.mined(margin=0.05).negatives == ("just under",)


def _cosines(value: float, step: float) -> tuple[float, float]:
    return tuple(math.degrees(math.acos(value + s)) for s in (step, -step))  # type: ignore[return-value]


def test_the_cross_encoder_has_the_last_word_and_sees_no_more_than_it_must() -> None:
    cross = Cross(pos=0.9, a=0.88, b=0.2, c=0.84, d=0.1, e=0.0)
    case = Case(["pos", *"abcde"], [10, 20, 30, 40, 50, 60], cross=cross)
    mined = case.mined(per_query=2, cross_margin=0.05)
    assert mined.negatives == ("b", "c")
    assert cross.asked == [["pos"], ["a", "b"], ["c"]]
    assert case.counts == {"equal_text": 1, "cross_encoder": 1}
    assert mined.scores[1] == pytest.approx(math.cos(math.radians(30)), abs=1e-6), "scores stay those of the base"


def test_the_cross_encoder_judges_written_negatives_too() -> None:
    cross = Cross(pos=0.9, a=0.1, w1=0.95, w2=0.0)
    case = Case(["pos", "a", "w1", "w2"], [10, 20, 30, 40], negatives=("w1", "w2"), written=2, cross=cross)
    assert case.mined(per_query=2).negatives == ("w2", "a")
    assert case.origins == {"written": 1, "dense": 1}


def test_a_cross_encoder_may_drop_all() -> None:
    cross = Cross(pos=0.01, a=0.02, b=0.03)
    case = Case(["pos", "a", "b"], [10, 20, 30], cross=cross)
    assert case.mined(per_query=1, cross_margin=0.0).negatives == ()
    assert case.counts == {"equal_text": 1, "cross_encoder": 2, "without_negatives": 1}


def test_a_record_without_candidates_asks_nothing_of_the_cross_encoder() -> None:
    cross = Cross()
    assert Case(["pos"], [10], cross=cross).mined().negatives == ()
    assert cross.asked == []


def test_records_share_the_batches_of_the_cross_encoder() -> None:
    texts = ["p0", "p1", "n0", "n1"]
    records = [TrainingRecord("query", (text,), "query_passage", SOURCE, text) for text in ("p0", "p1")]
    cross = Cross(p0=1.0, p1=1.0, n0=0.99, n1=0.0)
    pool = Pool(
        texts, [((SOURCE, "both"),), ((SOURCE, "both"),), ((SOURCE, "n0"),), ((SOURCE, "n1"),)], at([10, 12, 20, 30])
    )
    config = NegativesConfig(margin=0.0, like_positive=1.0)
    mined = list(mine_negatives(records, at([0, 0]), np.array([0, 1]), pool, Relations([]), config, {}, None, cross))
    assert cross.asked == [["p0", "p1"], ["n0", "n0"], ["n1", "n1"]]
    assert [m.negatives for m in mined] == [("n1",), ("n1",)]


def test_bm25_alone_over_several_blocks_is_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"word{i} shared{i % 5}" for i in range(30)]
    records = [TrainingRecord(f"ask{i} shared{i % 5}", (words[i],), "query_passage", SOURCE, str(i)) for i in range(30)]
    vectors = at(list(np.linspace(10, 89, 30)))
    pool = Pool(words, [((SOURCE, str(i)),) for i in range(30)], vectors)
    config = NegativesConfig(margin=0.0, methods=("bm25",), like_positive=1.0)

    def run() -> list[TrainingRecord]:
        return list(mine_negatives(records, vectors, np.arange(30), pool, Relations([]), config, {}))

    whole = run()
    monkeypatch.setattr("medloom.mine.candidates._BLOCK", 7)
    assert run() == whole
    for i, record in enumerate(whole):
        assert [n.split()[1] for n in record.negatives] == [f"shared{i % 5}"]


@pytest.mark.parametrize(
    "bad",
    [{"methods": ()}, {"methods": ("dense", "dense")}, {"methods": ("splade",)}, {"cross_margin": 1.5}, {"guides": "x"}],
)
def test_settings_that_cannot_be(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NegativesConfig.model_validate(bad)


def test_the_defaults_are_what_they_were() -> None:
    config = NegativesConfig()
    assert (config.per_query, config.depth, config.margin, config.like_positive) == (1, 64, 0.05, 0.95)
    assert config.methods == ("dense",)
    assert config.guide is config.cross_encoder is None
