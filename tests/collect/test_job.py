"""Collecting as a job: killed, shared, brought up to date, locked."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.collect.conftest import PATIENCE, OpenShop, ShopSource
from tests.replica import Fault

from medloom.artifacts import read_table
from medloom.collect.client import Client, Patience, ServiceError
from medloom.collect.job import JOURNAL, Job, Pace, Result
from medloom.collect.journal import Journal, Progress
from medloom.collect.lock import LOCK
from medloom.collect.pages import Page, Shard
from medloom.collect.pool import Plan, collect
from medloom.errors import ArtifactError, SourceError
from medloom.records import Document
from medloom.workers import this_worker

EVERY_PAGE = Pace(documents=1)
SHARDS = {"a": [str(n) for n in range(8)], "b": ["3", "20", "21"], "c": []}


def _plan(url: str, folder: Path, **changes: Any) -> Plan:
    source = ShopSource(url, list(SHARDS))
    plan = Plan(source, "shop", {"names": list(SHARDS)}, folder, patience=PATIENCE, pace=EVERY_PAGE)
    return replace(plan, **changes)


def _rows(folder: Path) -> list[Document]:
    return list(read_table(folder / "documents.parquet", Document))


def _ids(folder: Path) -> list[str]:
    return [d.id for d in _rows(folder)]


def test_everything_is_collected_once(open_shop: OpenShop, tmp_path: Path) -> None:
    _, service = open_shop(shards=SHARDS, bad={"5", "21"}, gone={"b": ["7"]})
    told: list[Progress] = []
    result = collect(_plan(service.url, tmp_path), tell=told.append)
    assert _ids(tmp_path) == ["0", "1", "2", "4", "6", "3", "20"]
    assert {d.id: d.categories for d in _rows(tmp_path)}["3"] == ("a", "b")
    assert result == Result(tmp_path / "documents.parquet", 7, result.counts, result.rounds)
    assert result.counts == {"rejected": 2, "seen": 9, "again": 1, "withdrawn": 1}
    rejects = (tmp_path / "rejects.jsonl").read_text().splitlines()
    assert [line[:40] for line in rejects] == [
        '{"where": "record 21", "problem": "no te',
        '{"where": "record 5", "problem": "no tex',
    ]
    assert (told[-1].shards, told[-1].done, told[-1].total) == (3, 3, 11)
    assert result.rounds[0]["service"] == "shop 1"
    assert list((tmp_path / "parts").iterdir()) == []


def test_again_it_does_nothing(open_shop: OpenShop, tmp_path: Path) -> None:
    _, service = open_shop(shards=SHARDS)
    first = collect(_plan(service.url, tmp_path))
    asked = len(service.requests)
    assert collect(_plan(service.url, tmp_path)) == first
    assert len(service.requests) == asked


@pytest.mark.parametrize("request_number", range(5))
def test_whatever_request_ends_it_nothing_is_lost_or_twice(open_shop: OpenShop, tmp_path: Path, request_number: int) -> None:
    _, whole = open_shop(shards=SHARDS, bad={"5"})
    expected = collect(_plan(whole.url, tmp_path / "whole"))
    _, service = open_shop({request_number: Fault(status=400)}, shards=SHARDS, bad={"5"})
    with pytest.raises(ServiceError, match="400"):
        collect(_plan(service.url, tmp_path / "broken"))
    result = collect(_plan(service.url, tmp_path / "broken"))
    assert _rows(tmp_path / "broken") == _rows(tmp_path / "whole")
    assert result.counts == expected.counts
    assert len(service.requests) == len(whole.requests) + 1


def test_what_was_not_put_on_the_disk_is_asked_for_again(open_shop: OpenShop, tmp_path: Path) -> None:
    _, service = open_shop({2: Fault(status=400)}, shards=SHARDS)
    with pytest.raises(ServiceError):
        collect(_plan(service.url, tmp_path, pace=Pace()))
    collect(_plan(service.url, tmp_path, pace=Pace()))
    assert [r.query["start"] for r in service.asked(shard="a")] == ["0", "3", "6", "0", "3", "6"]
    assert len(_ids(tmp_path)) == 10


def test_an_end_between_a_part_and_its_row_takes_nothing_twice(
    open_shop: OpenShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, service = open_shop(shards=SHARDS)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(ArtifactError, match="disk is full"):
        patch.setattr(Journal, "commit", full)
        collect(_plan(service.url, tmp_path))
    assert len(list((tmp_path / "parts").iterdir())) == 1
    collect(_plan(service.url, tmp_path))
    assert len(_ids(tmp_path)) == len(set(_ids(tmp_path))) == 10
    assert list((tmp_path / "parts").iterdir()) == []


KILLED = """
import sys
from pathlib import Path
from tests.collect.test_job import _plan
from medloom.collect.pool import collect

collect(_plan(sys.argv[1], Path(sys.argv[2])))
"""


def test_kill_nine_and_go_on(open_shop: OpenShop, tmp_path: Path) -> None:
    shards = {"a": [str(n) for n in range(30)], "b": ["3"], "c": []}
    _, whole = open_shop(shards=shards)
    collect(_plan(whole.url, tmp_path / "whole"))
    _, service = open_shop({5: Fault("stall")}, shards=shards)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, service.url, str(tmp_path / "killed")], cwd=Path(__file__).parents[2]
    )
    deadline = time.monotonic() + 30
    while len(service.requests) < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    collect(_plan(service.url, tmp_path / "killed"))
    assert _rows(tmp_path / "killed") == _rows(tmp_path / "whole")
    assert len(service.requests) == len(whole.requests) + 1


def test_several_at_one_folder_share_the_work(open_shop: OpenShop, tmp_path: Path) -> None:
    shards = {name: [f"{name}{n}" for n in range(12)] for name in "abcdef"}
    _, service = open_shop(shards=shards)
    plan = replace(_plan(service.url, tmp_path), source=ShopSource(service.url, list(shards)), settings={})
    results: list[Result] = []
    threads = [threading.Thread(target=lambda: results.append(collect(plan))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results[0] == results[1] == results[2]
    assert len(service.requests) == 6 * 4
    assert _ids(tmp_path) == [identity for ids in shards.values() for identity in ids]


def test_worker_processes_give_the_same_table(open_shop: OpenShop, tmp_path: Path) -> None:
    _, service = open_shop(shards=SHARDS, bad={"5"})
    one = collect(_plan(service.url, tmp_path / "one"))
    two = collect(_plan(service.url, tmp_path / "two"), workers=2)
    assert (tmp_path / "one" / "documents.parquet").read_bytes() == (tmp_path / "two" / "documents.parquet").read_bytes()
    assert two.counts == one.counts


def test_when_all_workers_fail_it_is_said_why(open_shop: OpenShop, tmp_path: Path) -> None:
    _, service = open_shop(dict.fromkeys(range(9), Fault(status=403)), shards=SHARDS)
    with pytest.raises(SourceError, match=r"/page refuses the request \(status 403\)"):
        collect(_plan(service.url, tmp_path), workers=2)


class Deadly(ShopSource):
    """Ends the process that collects it."""

    def pages(self, client: Client, shard: Shard, cursor: str | None) -> Iterator[Page]:
        os.kill(os.getpid(), signal.SIGKILL)
        yield from super().pages(client, shard, cursor)


def test_when_all_workers_are_killed_the_job_ends(open_shop: OpenShop, tmp_path: Path) -> None:
    _, service = open_shop(shards=SHARDS)
    plan = _plan(service.url, tmp_path)
    with pytest.raises(SourceError, match=r"all 2 workers have ended \(one by signal SIGKILL\)"):
        collect(replace(plan, source=Deadly(service.url, list(SHARDS))), workers=2)
    assert collect(plan).documents == 10


def test_a_shard_whose_worker_lost_it_is_left_to_the_other(open_shop: OpenShop, tmp_path: Path) -> None:
    _, service = open_shop(shards=SHARDS)
    plan = _plan(service.url, tmp_path)
    with plan.client() as client:
        job = plan.job(client)
        assert job.prepare()
        with Journal(tmp_path / JOURNAL) as journal:
            slow, quick = this_worker(), this_worker()
            claimed = journal.claim(slow)
            assert claimed is not None
            journal.give_up(slow)
            again = journal.claim(quick)
            assert again == claimed
            assert journal.commit(claimed, slow, "late.parquet", 1, None, [], {}, None) is None
            assert journal.commit(again, quick, "", 0, "3", [], {}, None) is not None
            assert journal.parts() == []


def test_up_to_date(open_shop: OpenShop, tmp_path: Path) -> None:
    shop, service = open_shop(shards={**SHARDS, "new": ["3", "30"]})
    plan = _plan(service.url, tmp_path)
    with pytest.raises(SourceError, match="holds no finished collection to bring up to date"):
        collect(plan, since=date(2026, 1, 1))
    collect(plan)
    shop.revisions["3"], shop.gone["new"] = 4, ["20"]
    newer = replace(plan, source=ShopSource(service.url, list(SHARDS), ["new"]))
    result = collect(newer, since=date(2026, 1, 1))
    assert _ids(tmp_path) == ["0", "1", "2", "4", "5", "6", "7", "21", "3", "30"]
    changed = next(d for d in _rows(tmp_path) if d.id == "3")
    assert (changed.text, changed.revision, changed.categories) == ("text 3 4", "4", ("a", "b", "new"))
    assert [r["since"] for r in result.rounds] == ["", "2026-01-01"]
    with newer.client() as client:
        assert abs((datetime.now(UTC).date() - newer.job(client).last_day()).days) <= 2


def test_a_round_that_brings_up_to_date_survives_a_break(open_shop: OpenShop, tmp_path: Path) -> None:
    _, service = open_shop(shards={**SHARDS, "new": ["30", "31", "32", "33"]})
    plan = replace(_plan(service.url, tmp_path), source=ShopSource(service.url, list(SHARDS), ["new"]))
    collect(plan)
    service.faults[len(service.requests) + 1] = Fault(status=400)
    with pytest.raises(ServiceError):
        collect(plan, since=date(2026, 1, 1))
    collect(plan)
    assert _ids(tmp_path)[-4:] == ["30", "31", "32", "33"]


def test_a_folder_of_another_collection_is_refused(open_shop: OpenShop, tmp_path: Path) -> None:
    _, service = open_shop(shards=SHARDS)
    plan = _plan(service.url, tmp_path)
    collect(plan)
    for other in ({"settings": {"names": ["a"]}}, {"inputs": {"file": "hash"}}, {"lock": tmp_path / LOCK}):
        with pytest.raises(SourceError, match="holds a collection with other settings"):
            collect(replace(plan, **other))


def test_a_lock_gives_the_same_documents_elsewhere(open_shop: OpenShop, tmp_path: Path) -> None:
    shop, service = open_shop(shards=SHARDS)
    collect(_plan(service.url, tmp_path / "first"))
    lock = tmp_path / "first" / LOCK
    shop.shards["a"].append("late")
    result = collect(_plan(service.url, tmp_path / "second", lock=lock))
    assert result.differences is not None and result.differences.are_none
    assert _rows(tmp_path / "second") == _rows(tmp_path / "first")
    shop.missing, shop.revisions = {"4"}, {"20": 1}
    result = collect(_plan(service.url, tmp_path / "third", lock=lock), workers=2)
    assert result.differences is not None
    assert vars(result.differences) == {"same": 8, "changed": ["20"], "vanished": ["4"]}
    assert "4" not in _ids(tmp_path / "third")
    with pytest.raises(SourceError, match="stays as the lock says"):
        collect(_plan(service.url, tmp_path / "third", lock=lock), since=date(2026, 1, 1))


def test_a_lock_of_another_source_is_refused(open_shop: OpenShop, tmp_path: Path) -> None:
    _, service = open_shop(shards=SHARDS)
    collect(_plan(service.url, tmp_path / "first"))
    with pytest.raises(SourceError, match="is a lock of shop, not of other"):
        collect(_plan(service.url, tmp_path / "second", lock=tmp_path / "first" / LOCK, kind="other"))


def test_a_term_named_twice_is_refused(open_shop: OpenShop, tmp_path: Path) -> None:
    _, service = open_shop(shards=SHARDS)
    with pytest.raises(SourceError, match="named twice"):
        collect(replace(_plan(service.url, tmp_path), source=ShopSource(service.url, ["a", "a"])))


def test_patient_text_is_marked(open_shop: OpenShop, tmp_path: Path) -> None:
    _, service = open_shop(shards=SHARDS)
    source = ShopSource(service.url, list(SHARDS), contains_phi=True)
    collect(replace(_plan(service.url, tmp_path), source=source))
    assert {d.contains_phi for d in _rows(tmp_path)} == {True}


def test_no_shard_gives_an_empty_table(open_shop: OpenShop, tmp_path: Path) -> None:
    _, service = open_shop(shards=SHARDS)
    assert collect(replace(_plan(service.url, tmp_path), source=ShopSource(service.url, []))).documents == 0


def test_finishing_too_early_is_refused(open_shop: OpenShop, tmp_path: Path) -> None:
    _, service = open_shop(shards=SHARDS)
    job = Job(ShopSource(service.url, ["a"]), "shop", {}, tmp_path, client=Client(patience=Patience(1.0)))
    job.prepare()
    with pytest.raises(SourceError, match="not everything is collected yet"):
        job.finish()
