"""What a job would cost, before a call is made."""

from pathlib import Path

import pytest

from medloom.generate.calls import Call, CallStore
from medloom.generate.chat import Answer, Ask
from medloom.generate.config import GenerateConfig
from medloom.generate.forecast import forecast
from medloom.workers import this_worker

CONFIG = GenerateConfig(kinds={"keyword": 2, "question": 1}, price=(1.0, 10.0), concurrency=4)


def asks(n: int) -> list[Ask]:
    return [Ask("s" * 100, f"{i:0300}", max_tokens=1000) for i in range(n)]


def test_prompts_by_characters_and_answers_by_queries() -> None:
    cast = forecast(iter(asks(10)), "m", None, CONFIG)
    assert (cast.calls, cast.done, cast.left) == (10, 0, 10)
    assert cast.prompt_tokens == 10 * 100
    assert cast.completion_tokens == 10 * 3 * 90
    assert cast.most_completion_tokens == 10 * 1000
    assert cast.cost == pytest.approx((1000 * 1 + 2700 * 10) / 1e6)
    assert cast.most_cost == pytest.approx((1000 * 1 + 10_000 * 10) / 1e6)
    assert cast.seconds is None
    assert "4 characters" in cast.basis
    assert "270 tokens each, typical" in cast.basis


def test_evidence_first_asks_for_one_query_at_a_time() -> None:
    cast = forecast(asks(10), "m", None, CONFIG.model_copy(update={"mode": "evidence-first"}))
    assert cast.completion_tokens == 10 * 40


def test_no_answer_is_longer_than_it_may_be() -> None:
    cast = forecast([Ask("", "u", max_tokens=50)], "m", None, CONFIG)
    assert cast.completion_tokens == cast.most_completion_tokens == 50


def test_what_is_done_costs_nothing_and_equal_asks_cost_once(tmp_path: Path) -> None:
    worker = this_worker()
    with CallStore(tmp_path / "calls.sqlite") as store:
        for i, ask in enumerate(asks(30)):
            outcome = "filtered" if i == 29 else Answer("x", 500, 200)
            store.record(Call(ask.key("m"), "m", ask, outcome, 2.0, 1), worker)
        cast = forecast(asks(40) * 2, "m", store, CONFIG)
        assert (cast.calls, cast.done, cast.left) == (40, 30, 10)
        assert cast.completion_tokens == 10 * 200, "as the answers so far"
        assert cast.prompt_tokens == 10 * 100
        assert cast.seconds == pytest.approx(10 * 2.0 / 4)
        assert "the mean of 29 calls" in cast.basis
        other = forecast(asks(40), "another", store, CONFIG)
        assert (other.done, other.completion_tokens) == (0, 40 * 270)
        assert forecast(asks(30), "m", store, CONFIG).cost == 0.0


def test_nothing_to_ask() -> None:
    cast = forecast([], "m", None, CONFIG)
    assert (cast.calls, cast.cost, cast.prompt_tokens) == (0, 0.0, 0)
