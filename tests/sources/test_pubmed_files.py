"""PubMed's baseline and update files, in a folder and from a replica of the file service."""

import gzip
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.replica import Fault, Replica, replica
from tests.sources.collecting import plan_of, rows_of
from tests.sources.replicas.ncbi import API, BASELINE, UPDATES, Ncbi
from tests.sources.replicas.ncbi_texts import PUBMED_SET, pubmed_record

from medloom.collect.client import Client
from medloom.collect.lock import LOCK
from medloom.collect.pool import collect
from medloom.errors import SourceError
from medloom.records import Document
from medloom.sources import pubmed
from medloom.sources.pubmed import PubmedSource

DELETED = '<DeleteCitation><PMID Version="1">2</PMID><PMID Version="1">99</PMID></DeleteCitation>'
BOOK = pubmed_record(19)
FILES = {
    "pubmed26n0001.xml.gz": [*(pubmed_record(n) for n in range(1, 8)), "<PubmedArticle/>"],
    "pubmed26n0002.xml.gz": [*(pubmed_record(n) for n in range(8, 12)), BOOK],
    "pubmed26n1335.xml.gz": [pubmed_record(9, note="This sentence is new."), DELETED],
    "pubmed26n1336.xml.gz": [pubmed_record(40), DELETED.replace("99", "40"), pubmed_record(41)],
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Baseline and updates in two folders."""
    for name, records in FILES.items():
        path = tmp_path / ("baseline" if name < "pubmed26n1" else "updates") / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress((PUBMED_SET % "\n".join(records)).encode()))
    return tmp_path


@pytest.fixture
def there() -> Ncbi:
    service = Ncbi()
    for name, records in FILES.items():
        at, day = (BASELINE, "2026-01-29") if name < "pubmed26n1" else (UPDATES, f"2026-02-0{name[-8]}")
        service.publish(at + name, records, day)
    return service


@pytest.fixture
def service(there: Ncbi) -> Iterator[Replica]:
    with replica(there.answer) as running:
        yield running


def _local(folder: Path, **settings: Any) -> PubmedSource:
    source = PubmedSource(**{"path": ("updates", "baseline"), **settings})
    return source.relative_to(folder)


def _remote(service: Replica, **settings: Any) -> PubmedSource:
    return PubmedSource(**{"files": (service.url + UPDATES, service.url + BASELINE), "interval": 0, **settings})


def _whole(source: PubmedSource, folder: Path) -> list[Document]:
    collect(plan_of(source, folder))
    return rows_of(folder)


def test_later_versions_win_and_deleted_records_go(folder: Path, tmp_path: Path) -> None:
    result = collect(plan_of(_local(folder), tmp_path / "out"))
    rows = {d.id: d for d in rows_of(tmp_path / "out")}
    assert list(rows) == ["1", "3", "4", "5", "6", "7", "8", "10", "11", "19", "9", "41"]
    assert "This sentence is new." in rows["9"].text
    assert result.counts == {"rejected": 1, "withdrawn": 2, "again": 1}
    assert result.rounds[0]["service"] == ""
    assert all(d.categories == () for d in rows.values())


def test_a_meshed_subset(folder: Path, tmp_path: Path) -> None:
    rows = _whole(_local(folder, mesh=("tea",)), tmp_path / "out")
    assert [(d.id, d.categories) for d in rows] == [("6", ("Tea",))]


def test_pages_go_on_within_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pubmed, "_PER_PAGE", 3)
    source = _local(folder)
    with Client() as client:
        for shard in source.shards(client, None):
            pages = list(source.pages(client, shard, None))
            for number, page in enumerate(pages[:-1], start=1):
                assert list(source.pages(client, shard, page.cursor)) == pages[number:]
            assert pages[-1].cursor is None
    assert max(len(page.documents) for page in pages) <= 3
    assert [page.gone for page in pages if page.gone] == [["2", "40"]]


def test_two_workers_give_the_same(folder: Path, tmp_path: Path) -> None:
    whole = _whole(_local(folder), tmp_path / "one")
    collect(plan_of(_local(folder), tmp_path / "two"), workers=2)
    assert rows_of(tmp_path / "two") == whole


def test_a_lock_takes_its_documents_out_of_the_files(folder: Path, tmp_path: Path) -> None:
    whole = _whole(_local(folder), tmp_path / "one")
    result = collect(plan_of(_local(folder), tmp_path / "two", lock=tmp_path / "one" / LOCK))
    assert result.differences is not None
    assert result.differences.are_none
    assert rows_of(tmp_path / "two") == whole


def test_files_that_have_changed_are_another_collection(folder: Path, tmp_path: Path) -> None:
    before = _local(folder).inputs()
    assert {name.partition("-")[2] for name in before} >= set(FILES)
    _whole(_local(folder), tmp_path / "out")
    (folder / "updates" / "pubmed26n1337.xml").write_text(PUBMED_SET % pubmed_record(50))
    with pytest.raises(SourceError, match="files that have changed"):
        collect(plan_of(_local(folder), tmp_path / "out"))


def test_a_damaged_file_is_named(folder: Path, tmp_path: Path) -> None:
    path = folder / "updates" / "pubmed26n1336.xml.gz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SourceError, match=r"pubmed26n1336.xml.gz.*cut"):
        collect(plan_of(_local(folder), tmp_path / "out"))


@pytest.mark.parametrize(("path", "problem"), [("nowhere", "no file"), ((), "path is empty"), ("empty", "no file")])
def test_paths_that_are_none(path: Any, problem: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=problem):
        _local(tmp_path, path=path).inputs()


def test_local_files_have_no_since(folder: Path) -> None:
    with Client() as client, pytest.raises(SourceError, match="into another folder"):
        _local(folder).shards(client, date(2026, 1, 1))


def test_files_of_the_service_give_the_same_and_go_afterwards(
    folder: Path, service: Replica, there: Ncbi, tmp_path: Path
) -> None:
    result = collect(plan_of(_remote(service), tmp_path / "out"))
    assert rows_of(tmp_path / "out") == _whole(_local(folder), tmp_path / "local")
    assert result.rounds[0]["service"] == "pubmed26n1336.xml.gz, 2026-02-06"
    assert list((tmp_path / "cache" / "medloom" / "pubmed").iterdir()) == []
    assert len([r for r in service.requests if r.path in there.files]) == 8


def test_a_lock_of_files_is_followed_by_id(service: Replica, there: Ncbi, tmp_path: Path) -> None:
    whole = _whole(_remote(service, files=(service.url + BASELINE,)), tmp_path / "one")
    source = _remote(service, files=(service.url + BASELINE,), api=service.url + API)
    asked = len(service.requests)
    result = collect(plan_of(source, tmp_path / "two", lock=tmp_path / "one" / LOCK))
    assert result.differences is not None
    assert result.differences.are_none
    assert rows_of(tmp_path / "two") == whole
    assert len([r for r in service.requests[asked:] if "id" in r.query]) == 1


def test_a_file_that_broke_off_is_gone_on_with(service: Replica, there: Ncbi, tmp_path: Path) -> None:
    whole = _whole(_remote(service), tmp_path / "whole")
    places = [n for n, request in enumerate(service.requests) if request.path.endswith(".gz")]
    faults = {places[0]: Fault("cut"), places[1] + 1: Fault(status=503), places[2] + 2: Fault("drop")}
    with replica(there.answer, faults) as broken:
        assert _whole(_remote(broken), tmp_path / "broken") == whole
        assert [r.headers["range"][:6] for r in broken.requests if "range" in r.headers] == ["bytes="]


def test_a_file_with_another_md5_is_fetched_again(service: Replica, there: Ncbi, tmp_path: Path) -> None:
    name = next(name for name in there.files if name.endswith("n0001.xml.gz"))
    whole = _whole(_remote(service), tmp_path / "whole")
    places = [n for n, request in enumerate(service.requests) if request.path == name]
    wrong = gzip.compress(b"<PubmedArticleSet></PubmedArticleSet>")
    with replica(there.answer, {places[0]: Fault(status=200, body=wrong)}) as broken:
        assert _whole(_remote(broken), tmp_path / "broken") == whole


def test_after_a_kill_within_a_file_it_is_not_fetched_again(
    service: Replica, there: Ncbi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubmed, "_PER_PAGE", 2)
    source = _remote(service, files=(service.url + BASELINE,))
    with Client() as client:
        shard = source.shards(client, None)[0]
        pages = source.pages(client, shard, None)
        first = next(pages)
        pages.close()  # type: ignore[attr-defined]
        whole = [d.id for page in [first, *source.pages(client, shard, first.cursor)] for d in page.documents]
    assert whole == ["1", "2", "3", "4", "5", "6", "7"]
    asked = [r for r in service.requests if r.path.endswith("n0001.xml.gz")]
    assert ["if-none-match" in r.headers for r in asked] == [False, True]


def test_since_takes_the_files_of_that_day_and_later(service: Replica, there: Ncbi, tmp_path: Path) -> None:
    source = _remote(service)
    collect(plan_of(source, tmp_path))
    there.publish(f"{UPDATES}pubmed26n1337.xml.gz", [pubmed_record(60), DELETED.replace("99", "1")], "2026-02-07")
    asked = len(service.requests)
    collect(plan_of(source, tmp_path), since=date(2026, 2, 6))
    fetched = [r.path for r in service.requests[asked:] if r.path.endswith(".gz")]
    assert [path[-20:] for path in fetched] == ["pubmed26n1336.xml.gz", "pubmed26n1337.xml.gz"]
    ids = [d.id for d in rows_of(tmp_path)]
    assert "60" in ids
    assert "1" not in ids


def test_a_folder_without_files_is_an_error(service: Replica) -> None:
    with Client() as client, pytest.raises(SourceError, match=r"no \.xml\.gz files"):
        _remote(service, files=(service.url + "/other/",)).shards(client, None)


def test_an_md5_file_that_states_none_is_asked_for_again(service: Replica, tmp_path: Path) -> None:
    service.faults[4] = Fault(status=200, body=b"not ready")
    assert len(_whole(_remote(service), tmp_path)) == 12
