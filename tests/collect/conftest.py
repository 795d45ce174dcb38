"""A source that is asked over HTTP, its replica, and a client with little patience."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
from tests.replica import Answer, Fault, Replica, Request, replica

from medloom.collect.client import Client, Patience
from medloom.collect.pages import Locked, Page, Reject, Shard
from medloom.collect.turns import Turns
from medloom.records import Document

PATIENCE = Patience(seconds=20.0, first_pause=0.01, timeout=1.0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns of the tests are not those of the user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Client(turns=Turns(tmp_path / "turns.sqlite"), patience=PATIENCE) as made:
        yield made


@dataclass
class Shop:
    """What the service has: records by shard, some of them bad, and those that it has withdrawn.

    Attributes:
        shards: Of each shard the ids of its records.
        revisions: Of a record, 0 if not given.
        bad: Ids of records that cannot be read.
        gone: By shard, ids that its last page says are withdrawn.
        since: Ids that have changed, for a round that brings up to date.
    """

    shards: dict[str, list[str]] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)
    gone: dict[str, list[str]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    size: int = 3

    def answer(self, request: Request) -> Answer:
        if request.path == "/ids":
            wanted = request.query["ids"].split(",")
            return _json([self._record(i) for i in wanted if i not in self.missing])
        ids = self.shards[request.query["shard"]]
        start = int(request.query["start"])
        end = min(len(ids), start + self.size)
        return _json(
            {
                "records": [self._record(i) for i in ids[start:end]],
                "next": end if end < len(ids) else None,
                "total": len(ids),
                "gone": self.gone.get(request.query["shard"], []) if end == len(ids) else [],
            }
        )

    def _record(self, identity: str) -> dict[str, Any]:
        revision = self.revisions.get(identity, 0)
        return {
            "id": identity,
            "revision": revision,
            "text": None if identity in self.bad else f"text {identity} {revision}",
        }


def _json(value: Any) -> Answer:
    return Answer(json.dumps(value).encode(), headers={"Content-Type": "application/json"})


@dataclass
class ShopSource:
    """A source that asks the shop."""

    url: str
    names: Sequence[str]
    changed: Sequence[str] = ()
    name: str = "shop"
    contains_phi: bool | None = False
    locked_at_once: int | None = 2
    interval: float = 0.0

    def shards(self, client: Client, since: date | None) -> Sequence[Shard]:
        return [Shard(f"shard {name}", name) for name in (self.changed if since else self.names)]

    def pages(self, client: Client, shard: Shard, cursor: str | None) -> Iterator[Page]:
        while True:
            answer = client.json(f"{self.url}/page", {"shard": shard.value, "start": cursor or "0"}, self.interval)
            cursor = None if answer["next"] is None else str(answer["next"])
            documents, rejects = _split(answer["records"], shard.value)
            yield Page(documents, cursor, rejects, answer["gone"], {"seen": len(documents)}, answer["total"])
            if cursor is None:
                return

    def locked_pages(self, client: Client, wanted: Sequence[Locked], cursor: str | None) -> Iterator[Page]:
        documents, rejects = _split(client.json(f"{self.url}/ids", {"ids": ",".join(w.id for w in wanted)}), "")
        yield Page(documents, None, rejects)

    def service_version(self, client: Client) -> str:
        return "shop 1"


def _split(records: list[dict[str, Any]], category: str) -> tuple[list[Document], list[Reject]]:
    documents, rejects = [], []
    for record in records:
        if record["text"] is None:
            rejects.append(Reject(f"record {record['id']}", "no text", json.dumps(record)))
        else:
            revision = str(record["revision"])
            categories = (category,) if category else ()
            documents.append(Document(record["id"], "shop", text=record["text"], revision=revision, categories=categories))
    return documents, rejects


OpenShop = Callable[..., tuple[Shop, Replica]]


@pytest.fixture
def open_shop() -> Iterator[Callable[..., Any]]:
    """Runs a shop; its replica's faults are by number of the request."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def opened(faults: dict[int, Fault] | None = None, **settings: Any) -> tuple[Shop, Replica]:
            shop = Shop(**settings)
            return shop, stack.enter_context(replica(shop.answer, faults))

        yield opened


Method = Literal["GET", "POST"]
