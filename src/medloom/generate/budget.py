"""Limits on a job: how many calls, tokens, and how much money."""

import sqlite3
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from medloom.database import sqlite_errors
from medloom.generate.calls import CHARACTERS_PER_TOKEN, CallStore, Spent
from medloom.generate.chat import Ask
from medloom.generate.config import GenerateConfig
from medloom.workers import Worker

Verdict = Literal["go", "wait", "reached"]
_MILLION = 1_000_000


def prompt_tokens(ask: Ask) -> int:
    """Tokens of a prompt, roughly: a quarter of its characters. The schema is not counted, as most servers do not."""
    return -(-(len(ask.system) + len(ask.user)) // CHARACTERS_PER_TOKEN)


def cost(spent: Spent, price: tuple[float, float]) -> float:
    """What tokens cost, in the currency of the price of a million."""
    return (spent.prompt_tokens * price[0] + spent.completion_tokens * price[1]) / _MILLION


class Budget:
    """What a job has spent and may still spend, over all runs and workers, as far as their calls are in the table.

    Calls in flight are counted with an estimate, those of other workers too, so that a limit is overshot by no more than
    what calls cost beyond their estimate, and by what two workers start in the same instant.

    Args:
        config: The limits.
        store: The table of calls.
        worker: This run.
    """

    def __init__(self, config: GenerateConfig, store: CallStore, worker: Worker) -> None:
        self._config, self._store, self._worker = config, store, worker
        self.limited = (config.max_calls, config.max_cost, config.max_total_tokens) != (None, None, None)
        self.spent = Spent()
        self._flying: dict[str, Spent] = {}
        self._keys = sqlite3.connect("", isolation_level=None)
        self._keys.execute("CREATE TABLE job (key TEXT PRIMARY KEY, counted INTEGER NOT NULL) WITHOUT ROWID")

    def close(self) -> None:
        """Drop the list of the job's calls."""
        self._keys.close()

    def expect(self, keys: Iterable[str]) -> int:
        """Take note of the job's calls beforehand, and count those that are made already.

        Returns:
            How many there are, equal ones included.
        """
        total = 0
        for key in keys:
            self.count(key)
            total += 1
        return total

    def start(self, key: str, ask: Ask) -> None:
        """A call is on its way; if it failed before, it costs anew."""
        if self.limited:
            if self._counted(key):
                self.spent -= self._store.spent(key)
            self._note(key, False)
            typical = self._typical()
            prompt = max(prompt_tokens(ask), typical.prompt_tokens)
            self._flying[key] = Spent(1, prompt, typical.completion_tokens if self.spent.calls else ask.max_tokens)

    def count(self, key: str) -> None:
        """Count what a call cost if it is finished; each call once."""
        if not self.limited:
            return
        self._flying.pop(key, None)
        if self._counted(key):
            return
        spent = self._store.spent(key)
        self._note(key, spent.calls > 0)
        self.spent += spent

    def verdict(self) -> Verdict:
        """Whether one more call may be made now, perhaps when those in flight are back, or not at all."""
        if not self.limited:
            return "go"
        if self.reached(self.spent):
            return "reached"
        return "wait" if self.reached(sum(self._pending(), self.spent)) else "go"

    def reached(self, spent: Spent) -> str:
        """Which limit so much spending reaches; empty if none."""
        config = self._config
        if config.max_calls is not None and spent.calls >= config.max_calls:
            return f"max_calls ({config.max_calls:,})"
        if config.max_total_tokens is not None and spent.tokens >= config.max_total_tokens:
            return f"max_total_tokens ({config.max_total_tokens:,})"
        if config.max_cost is not None and cost(spent, config.price) >= config.max_cost:
            return f"max_cost ({config.max_cost:,.2f})"
        return ""

    def _pending(self) -> list[Spent]:
        """Estimates of all calls of this job that are in flight."""
        theirs = [key for key in self._store.claimed_elsewhere(self._worker) if self._counted(key) is not None]
        return [*self._flying.values(), *[self._typical()] * len(theirs)]

    def _typical(self) -> Spent:
        """The mean of the job's calls so far."""
        calls = max(1, self.spent.calls)
        return Spent(1, self.spent.prompt_tokens // calls, self.spent.completion_tokens // calls)

    def _counted(self, key: str) -> bool | None:
        """Whether a call's cost is in what was spent; None for a call that is not, or not yet, known to be of this job."""
        with sqlite_errors(Path(tempfile.gettempdir())):
            row = self._keys.execute("SELECT counted FROM job WHERE key = ?", (key,)).fetchone()
        return None if row is None else bool(row[0])

    def _note(self, key: str, counted: bool) -> None:
        with sqlite_errors(Path(tempfile.gettempdir())):
            self._keys.execute("INSERT OR REPLACE INTO job VALUES (?, ?)", (key, counted))
