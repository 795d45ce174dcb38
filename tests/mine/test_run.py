"""Mining for a group of records that search the same texts."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest

from medloom.mine import NegativesConfig
from medloom.mine.relations import Relations
from medloom.mine.run import mine_task_group, target_group
from medloom.mine.topk import Floats
from medloom.records import Document, TrainingRecord

ANGLES = {"fever?": 0, "Fever": 10, "Heat": 50, "Chill": 80, "cold?": 90, "warm?": 60}


class Vectors:
    """Vectors by angle, and a note of what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str], str]] = []

    def __call__(self, name: str, texts: Sequence[str], role: Literal["query", "document"]) -> Floats:
        self.asked.append((name, list(texts), role))
        radians = np.radians([ANGLES[t] for t in texts])
        return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


RECORDS = [
    TrainingRecord("fever?", ("Fever",), "lay_name", "s", "1"),
    TrainingRecord("warm?", ("Heat",), "synonym_name", "s", "2"),
    TrainingRecord("cold?", ("Chill",), "lay_name", "s", "3"),
    TrainingRecord("warm?", ("Fever",), "synonym_name", "s", "4"),
]


def test_a_group_searches_its_own_positives() -> None:
    vectors, counts = Vectors(), dict[str, int]()
    config = NegativesConfig(margin=0.0, like_positive=0.99)
    mined = list(mine_task_group(RECORDS, vectors, Relations([]), config, counts))
    assert vectors.asked == [
        ("candidates", ["Fever", "Heat", "Chill"], "document"),
        ("queries", ["fever?", "warm?", "cold?", "warm?"], "query"),
    ]
    assert [m.negatives for m in mined] == [("Heat",), ("Chill",), ("Heat",), ()]
    assert [m.query for m in mined] == [r.query for r in RECORDS]
    assert mined[0].scores == pytest.approx([np.cos(np.radians(10)), np.cos(np.radians(50))], abs=1e-6)
    assert counts["without_negatives"] == 1


def test_a_text_belongs_to_every_document_that_gives_it() -> None:
    parents = [Document("1", "s", "One"), Document("3", "s", "Three", parents=("4",)), Document("4", "s", "Four")]
    counts = dict[str, int]()
    config = NegativesConfig(margin=0.0, like_positive=0.99, per_query=2)
    mined = list(mine_task_group(RECORDS, Vectors(), Relations(parents), config, counts))
    assert mined[2].negatives == ("Heat",)
    assert counts["ancestor_or_descendant"] >= 1


def test_records_that_search_the_same_texts() -> None:
    def group(kind: str, source: str = "s") -> tuple[str, str]:
        return target_group(TrainingRecord("q", ("p",), kind, source, "1"))

    assert group("lay_name") == group("synonym_name") == ("s", "title")
    assert group("title_text") == group("name_definition") == ("s", "text")
    assert group("heading_section") == group("paragraph_next") == ("s", "part")
    assert group("lay_name", "other") != group("lay_name")


def test_generated_passages_and_questions() -> None:
    def group(kind: str) -> tuple[str, str]:
        return target_group(TrainingRecord("q", ("p",), kind, "s", "1"))

    passage = {group(kind) for kind in ("keyword_passage", "question_passage", "treatment_passage", "lay_passage")}
    assert passage == {("s", "passage")}
    assert group("passage_question") == ("s", "question")


def test_written_negatives_are_encoded_with_the_candidates_and_are_no_candidates_of_others() -> None:
    records = [
        TrainingRecord("fever?", ("Fever",), "keyword_passage", "s", "1", negatives=("Chill",)),
        TrainingRecord("warm?", ("Heat",), "keyword_passage", "s", "2"),
    ]
    vectors, counts, origins = Vectors(), dict[str, int](), dict[str, int]()
    config = NegativesConfig(margin=0.0, like_positive=0.99, per_query=2)
    mined = list(mine_task_group(records, vectors, Relations([]), config, counts, origins=origins))
    assert vectors.asked[0] == ("candidates", ["Fever", "Heat", "Chill"], "document")
    assert [m.negatives for m in mined] == [("Chill", "Heat"), ("Fever",)], "Chill is nearer to warm? than Fever"
    assert origins == {"written": 1, "dense": 2}


def test_a_written_negative_that_answers_another_record_of_the_document_is_known() -> None:
    records = [
        TrainingRecord("fever?", ("Fever",), "keyword_passage", "s", "1", negatives=("Chill",)),
        TrainingRecord("cold?", ("Chill",), "keyword_passage", "s", "1"),
    ]
    counts = dict[str, int]()
    mined = list(mine_task_group(records, Vectors(), Relations([]), NegativesConfig(margin=0.0), counts))
    assert mined[0].negatives == ()
    assert counts["same_concept"] >= 1


def test_a_guide_or_cross_encoder_that_was_named_must_be_there() -> None:
    for config in (NegativesConfig(guide="org/guide"), NegativesConfig(cross_encoder="org/cross")):
        with pytest.raises(ValueError, match="handed over"):
            list(mine_task_group(RECORDS, Vectors(), Relations([]), config, {}))


def test_a_guide_encodes_the_same_texts() -> None:
    guide, counts = Vectors(), dict[str, int]()
    config = NegativesConfig(margin=0.0, like_positive=0.99, guide="org/guide")
    mined = list(mine_task_group(RECORDS, Vectors(), Relations([]), config, counts, guide))
    assert sorted(name for name, _, _ in guide.asked) == ["candidates", "queries"]
    assert [m.negatives for m in mined] == [("Heat",), ("Chill",), ("Heat",), ()], "the base's twin changes nothing"
