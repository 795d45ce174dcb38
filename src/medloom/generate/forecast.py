"""What a job's calls would cost, before one is made."""

from collections.abc import Iterable
from dataclasses import dataclass

from medloom.generate.budget import cost, prompt_tokens
from medloom.generate.calls import CallStore, Spent
from medloom.generate.chat import Ask
from medloom.generate.config import GenerateConfig
from medloom.progress import bar

_TOKENS_PER_QUERY = {"one-shot": 90, "evidence-first": 40}
_ENOUGH = 20


@dataclass(frozen=True)
class CallForecast:
    """What is to be expected of a job.

    Attributes:
        calls: Calls of the job, equal ones counted once.
        done: Of these, calls that were answered, or failed for good, before: they cost nothing more.
        prompt_tokens: Of the calls that are left, a quarter of their characters.
        completion_tokens: Of their answers, as is typical.
        most_completion_tokens: If every answer were as long as ``max_tokens`` allows.
        cost: By ``price``, with typical answers; 0 without a price.
        most_cost: Likewise, with the longest answers.
        seconds: With ``concurrency`` calls at once, if each takes as long as those made so far; None before the first.
        basis: What the figures rest on.
    """

    calls: int
    done: int
    prompt_tokens: int
    completion_tokens: int
    most_completion_tokens: int
    cost: float
    most_cost: float
    seconds: float | None
    basis: str

    @property
    def left(self) -> int:
        """Calls that would be made."""
        return self.calls - self.done


def forecast(asks: Iterable[Ask], model: str, store: CallStore | None, config: GenerateConfig) -> CallForecast:
    """Count the calls that would be made, and their tokens.

    A prompt has a token for each four characters. An answer is as long as the model's answers in the store were on average,
    once there are 20; before that, 90 tokens for each query asked for with its evidence, or 40 for a query alone.

    Args:
        asks: The job; consumed once, 60 bytes of memory for each.
        model: Its model's name.
        store: The table of calls; None where there is none yet.
        config: Mode, kinds, price and concurrency.
    """
    seen: set[int] = set()
    done = prompts = typical_total = most = 0
    known = store.spent(model=model) if store else Spent()
    typical = _typical(known, config)
    with bar("counting", None, "calls") as advance:
        for ask in asks:
            advance()
            key = ask.key(model)
            short = int(key[:15], 16)
            if short in seen:
                continue
            seen.add(short)
            if store is not None and store.look(key) in ("answered", "failed"):
                done += 1
                continue
            prompts += prompt_tokens(ask)
            typical_total += min(typical, ask.max_tokens)
            most += ask.max_tokens
    left = len(seen) - done
    measured = known.calls >= _ENOUGH
    rate = max(1, min(config.concurrency, left))
    return CallForecast(
        calls=len(seen),
        done=done,
        prompt_tokens=prompts,
        completion_tokens=typical_total,
        most_completion_tokens=most,
        cost=cost(Spent(left, prompts, typical_total), config.price),
        most_cost=cost(Spent(left, prompts, most), config.price),
        seconds=left * known.seconds / known.calls / rate if known.calls else None,
        basis=f"prompts: 1 token for 4 characters; answers: {typical:,} tokens each, "
        + (f"the mean of {known.calls:,} calls so far" if measured else "typical of the queries asked for"),
    )


def _typical(known: Spent, config: GenerateConfig) -> int:
    """Tokens of an answer."""
    if known.calls >= _ENOUGH:
        return round(known.completion_tokens / known.calls)
    queries = sum(config.kinds.values()) if config.mode == "one-shot" else 1
    return queries * _TOKENS_PER_QUERY.get(config.mode, 0)
