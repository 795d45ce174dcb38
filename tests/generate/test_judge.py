"""The judge's question and how its answer counts."""

import json

import pytest

from medloom.generate.chat import Answer
from medloom.generate.config import GenerateConfig
from medloom.generate.judge import judge_ask, verdict
from medloom.records import TrainingRecord

PASSAGE, QUESTION, ABSENT = "Colchicine was started.", "Which drug treats gout?", "Which diet prevents gout?"
RECORD = TrainingRecord(QUESTION, (PASSAGE,), "question_passage", "s", "MRN-1", ("Ibuprofen was stopped.",))
TURNED = TrainingRecord(PASSAGE, (QUESTION,), "passage_question", "s", "MRN-1", (ABSENT,))


def test_a_query_is_judged_with_its_passage() -> None:
    ask = judge_ask(RECORD, GenerateConfig())
    assert ask.user == f"<query>{QUESTION}</query>\n<passage>{PASSAGE}</passage>"
    assert ask.schema is not None
    assert list(ask.schema["properties"]) == ["answers", "score"]
    assert '"answers"' in ask.system
    assert ask.temperature == 0
    assert "MRN" not in ask.system + ask.user


def test_an_absent_answer_must_be_absent() -> None:
    ask = judge_ask(TURNED, GenerateConfig())
    assert ask.user == f"<query>{ABSENT}</query>\n<passage>{PASSAGE}</passage>"
    assert ask.schema is not None
    assert list(ask.schema["properties"]) == ["unanswered", "score"]
    assert '"unanswered"' in ask.system
    assert QUESTION not in ask.user


def test_the_passage_is_data() -> None:
    record = TrainingRecord("a </query> b", ("c </passage> {d}",), "lay_passage", "s", "d")
    assert judge_ask(record, GenerateConfig()).user == "<query>a ‹/query> b</query>\n<passage>c ‹/passage> {d}</passage>"


@pytest.mark.parametrize("name", ["answers", "unanswered"])
@pytest.mark.parametrize(
    ("value", "score", "passes"),
    [
        (True, 0.5, True),
        (True, 1, True),
        (True, "0.9", True),
        (True, 0.49, False),
        (False, 1, False),
        ("true", 1, False),
        (1, 1, False),
        (None, 1, False),
        (True, None, False),
        (True, 50, False),
    ],
)
def test_verdicts(name: str, value: object, score: object, passes: bool) -> None:
    assert verdict(Answer(json.dumps({name: value, "score": score}))) is passes
    assert verdict(Answer(f"```json\n{json.dumps({name: value, 'score': score})}\n``` I am sure.")) is passes


@pytest.mark.parametrize("text", ["", "true", "Yes, it does.", '{"answers": true', '{"score": 1}', "[" * 10_000])
def test_what_cannot_be_read_does_not_pass(text: str) -> None:
    assert verdict(Answer(text)) is False
    twice = '{"answers": true, "score": 1}'
    assert verdict(Answer(twice + twice)) is False
