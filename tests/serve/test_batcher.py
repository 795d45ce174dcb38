"""The queue: what is batched with what, who is refused, and what becomes of clients that leave."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from tests.serve.fakes import SlowEncoder, slow_models

from medloom.serve.batcher import Batcher, Turns
from medloom.serve.config import ServeSettings
from medloom.serve.dense import DenseModel, Embedded, QueuedEncoder
from medloom.serve.errors import ApiError
from medloom.serve.lifecycle import Lifecycle
from medloom.serve.metrics import Metrics


@asynccontextmanager
async def running(encoder: SlowEncoder, **settings: Any) -> AsyncIterator[DenseModel]:
    models = slow_models(encoder)
    lifecycle = Lifecycle()
    async with models.running(Metrics(lifecycle), ServeSettings(threads=1, **settings), lifecycle):
        while not lifecycle.warm:
            await asyncio.sleep(0.005)
        encoder.batches.clear()
        yield models.dense("slow")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


def in_loop(test: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(run())


async def hold(model: DenseModel, encoder: SlowEncoder) -> "asyncio.Task[Embedded]":
    """Let the model be at work until the gate opens."""
    encoder.gate.clear()
    before = encoder.entered
    work = asyncio.ensure_future(model.embed(["running"], None, 10))
    await until(lambda: encoder.entered > before)
    return work


def waiting(model: DenseModel) -> tuple[int, int]:
    assert model._batcher is not None
    return model._batcher.waiting


def test_what_gathers_while_the_model_works_is_one_batch() -> None:
    async def test() -> None:
        encoder = SlowEncoder()
        async with running(encoder, batch_tokens=64) as model:
            first = await hold(model, encoder)
            more = [asyncio.ensure_future(model.embed([f"text {i}", "same"], None, 10)) for i in range(20)]
            await until(lambda: waiting(model) == (21, 41))
            encoder.gate.set()
            await first
            found = await asyncio.gather(*more)
            assert [len(batch) for batch in encoder.batches] == [1, 21]
            assert [one.vectors[:, 0].tolist() for one in found] == [[len(f"text {i}"), 4] for i in range(20)]
            assert all(one.tokens == 3 for one in found)
            assert encoder.threads == {"medloom-slow"}

    in_loop(test)


def test_a_batch_keeps_to_its_tokens_and_a_longer_text_goes_alone() -> None:
    async def test() -> None:
        encoder = SlowEncoder()
        async with running(encoder, batch_tokens=6) as model:
            long = "w " * 16
            found = await model.embed(["a b c d", "c d", long, "e", *(f"f{i} g" for i in range(5))], None, 10)
            assert found.vectors.shape == (9, 2)
            sizes = [[len(text.split()) for text in batch] for batch in encoder.batches]
            assert all(sum(one) <= 6 or len(one) == 1 for one in sizes)
            assert sorted(map(sum, sizes)) == [1 + 2 + 2, 2 + 2 + 2, 4 + 2, 16]

    in_loop(test)


def test_a_question_does_not_wait_behind_a_thousand_documents() -> None:
    async def test() -> None:
        encoder = SlowEncoder()
        async with running(encoder, batch_tokens=10) as model:
            encoder.gate.clear()
            bulk = asyncio.ensure_future(model.embed([f"document {i}" for i in range(1000)], None, 10))
            await until(lambda: waiting(model)[0] == 1000 - 5)
            question = asyncio.ensure_future(model.embed(["a question"], None, 10))
            await until(lambda: waiting(model)[0] == 1000 - 5 + 1)
            encoder.gate.set()
            await question
            assert "a question" in encoder.batches[1]
            assert not bulk.done()
            await bulk

    in_loop(test)


def test_a_full_queue_says_when_to_come_again() -> None:
    async def test() -> None:
        encoder = SlowEncoder()
        async with running(encoder, queue_tokens=20, batch_tokens=8) as model:
            assert model._batcher is not None
            model._batcher._lately = (5.0, 1.0)
            running_now = await hold(model, encoder)
            large = asyncio.ensure_future(model.embed([f"w{i} " * 3 for i in range(10)], None, 10))
            await until(lambda: waiting(model) == (10, 30))
            with pytest.raises(ApiError) as raised:
                await model.embed([f"v{i} " * 5 for i in range(2)], None, 10)
            assert (raised.value.status, raised.value.code) == (429, "queue_full")
            assert raised.value.retry_after == 4, "20 of 30 tokens must go at 5 a second"
            same = asyncio.ensure_future(model.embed(["w3 w3 w3 "], None, 10))
            encoder.gate.set()
            await asyncio.gather(running_now, large, same)
            assert waiting(model) == (0, 0)
            assert model._batcher.rate > 5

    in_loop(test)


def test_a_queue_longer_than_anyone_waits_is_full() -> None:
    async def test() -> None:
        encoder = SlowEncoder()
        async with running(encoder) as model:
            assert model._batcher is not None
            model._batcher._lately = (2.0, 1.0)
            first = await hold(model, encoder)
            second = asyncio.ensure_future(model.embed(["a b c"], None, 10))
            await until(lambda: waiting(model) == (1, 3))
            with pytest.raises(ApiError) as raised:
                await model.embed(["d"], None, 1.0)
            assert raised.value.status == 429
            encoder.gate.set()
            await asyncio.gather(first, second)

    in_loop(test)


def test_time_runs_out_and_the_work_is_dropped() -> None:
    async def test() -> None:
        encoder = SlowEncoder()
        async with running(encoder) as model:
            first = await hold(model, encoder)
            with pytest.raises(ApiError) as raised:
                await model.embed(["too late", "shared"], None, 0.05)
            assert raised.value.status == 504
            assert waiting(model) == (0, 0)
            encoder.gate.set()
            await first
            await model.embed(["next"], None, 10)
            assert encoder.seen == ["running", "next"]

    in_loop(test)


def test_who_leaves_takes_only_what_nobody_else_waits_for() -> None:
    async def test() -> None:
        encoder = SlowEncoder()
        async with running(encoder) as model:
            first = await hold(model, encoder)
            leaver = asyncio.ensure_future(model.embed(["mine", "shared"], None, 10))
            stayer = asyncio.ensure_future(model.embed(["shared"], None, 10))
            await until(lambda: waiting(model) == (2, 2))
            await asyncio.sleep(0)
            leaver.cancel()
            await until(lambda: waiting(model) == (1, 1))
            encoder.gate.set()
            assert (await stayer).vectors.tolist() == [[6, 1]]
            await first
            assert encoder.seen == ["running", "shared"]

    in_loop(test)


def test_texts_of_those_who_left_are_not_kept() -> None:
    async def test() -> None:
        encoder = SlowEncoder()
        async with running(encoder) as model:
            first = await hold(model, encoder)
            for round_ in range(20):
                leaver = asyncio.ensure_future(model.embed([f"{round_} {i}" for i in range(50)], None, 10))
                await until(lambda: waiting(model)[0] == 50)
                leaver.cancel()
                await until(lambda: waiting(model)[0] == 0)
            assert model._batcher is not None
            assert not model._batcher._heap
            encoder.gate.set()
            await first

    in_loop(test)


def test_a_text_that_fails_takes_no_other_with_it() -> None:
    async def test() -> None:
        encoder = SlowEncoder()
        async with running(encoder) as model:
            first = await hold(model, encoder)
            jobs = [asyncio.ensure_future(model.embed([text], None, 10)) for text in ("a", "poison", "b", "c")]
            await until(lambda: waiting(model)[0] == 4)
            encoder.gate.set()
            done = await asyncio.gather(first, *jobs, return_exceptions=True)
            failed = [one for one in done if isinstance(one, BaseException)]
            assert len(failed) == 1
            assert isinstance(failed[0], ApiError)
            assert failed[0].status == 500
            assert "poison" not in failed[0].message
            assert model.alive

    in_loop(test)


def test_threads_share_the_queue() -> None:
    async def test() -> None:
        encoder = SlowEncoder()
        async with running(encoder) as model:
            queued = QueuedEncoder(model, asyncio.get_running_loop(), 10)
            assert (queued.dimensions, queued.hash, queued.prompt_for("query")) == (2, "slow", None)
            found = await asyncio.to_thread(queued.encode, ["one", "three"])
            np.testing.assert_array_equal(found, [[3, 1], [5, 1]])
            assert (await asyncio.to_thread(queued.encode, [])).shape == (0, 2)

    in_loop(test)


def test_a_thread_that_ended_is_not_alive() -> None:
    async def test() -> None:
        encoder = SlowEncoder()
        async with running(encoder) as model:
            assert model.alive
            model.close()
            assert not model.alive
            with pytest.raises(ApiError) as raised:
                await model.embed(["late"], None, 10)
            assert raised.value.status == 503

    in_loop(test)


def test_turns_go_round() -> None:
    turns = Turns()
    order: list[int] = []

    def work(mine: int) -> None:
        for _ in range(3):
            with turns:
                order.append(mine)
                time.sleep(0.01)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert all(len(set(order[i : i + 3])) == 3 for i in range(0, 9, 3)), order


def test_a_model_that_was_not_started_says_so() -> None:
    async def test() -> None:
        with pytest.raises(RuntimeError, match="has not been started"):
            await slow_models(SlowEncoder()).dense("slow").embed(["a"], None, 1)

    in_loop(test)


def test_equal_keys_of_one_request_are_computed_once() -> None:
    async def test() -> None:
        seen: list[Any] = []
        metrics = Metrics(Lifecycle())

        def double(keys: Sequence[Any]) -> list[Any]:
            seen.extend(keys)
            return [key * 2 for key in keys]

        batcher = Batcher("one", double, lambda: None, Turns(), 8, 8, metrics)
        batcher.start()
        assert await batcher.submit([1, 2, 1], [1, 1, 1], 5) == [2, 4, 2]
        assert await batcher.submit([], [], 5) == []
        assert seen == [1, 2]
        assert b'medloom_batch_texts_sum{model="one"} 2.0' in metrics.page()
        batcher.close()

    in_loop(test)
