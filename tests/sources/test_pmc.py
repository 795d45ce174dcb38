"""PMC by search terms, against a replica of the E-utilities."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.replica import Fault, Replica, replica
from tests.sources.collecting import kill_nine, plan_of, rows_of
from tests.sources.replicas.ncbi import API, RATE_LIMIT, Ncbi

from medloom.collect.client import ServiceError
from medloom.collect.lock import LOCK
from medloom.collect.pool import collect
from medloom.records import Document
from medloom.sources.pmc import PmcSource
from medloom.sources.services import ncbi, ncbi_source

TERMS = ("MRI", "drug-based")


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(ncbi.KEY, raising=False)


@pytest.fixture
def there() -> Ncbi:
    return Ncbi(default=20)


@pytest.fixture
def service(there: Ncbi) -> Iterator[Replica]:
    with replica(there.answer) as running:
        yield running


def _source(service: Replica, **settings: Any) -> PmcSource:
    return PmcSource(**{"terms": TERMS, "api": service.url + API, "interval": 0, "page_size": 6, **settings})


def _whole(source: PmcSource, folder: Path) -> list[Document]:
    collect(plan_of(source, folder))
    return rows_of(folder)


def test_articles_under_their_terms(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    result = collect(plan_of(_source(service), tmp_path))
    rows = rows_of(tmp_path)
    assert [d.id for d in rows] == [f"PMC{one}" for term in TERMS for one in there.ids(term, "pmc")]
    assert [d.categories for d in rows] == [(TERMS[0],)] * 20 + [(TERMS[1],)] * 20
    assert all(d.text and d.title for d in rows)
    assert {tuple(s.heading for s in d.sections) for d in rows} == {("1. Introduction", "Methods", "Results"), ()}
    assert [d.fact("full_text") for d in rows].count("no") == 4
    assert {d.fact("licence") for d in rows} == {"cc-by", "cc-by-nc", "cc-by-nc-nd", "none"}
    assert result.rounds[0]["service"].startswith("Build-pmc-7")
    searched = {r.query["term"] for r in service.requests if r.query.get("usehistory")}
    assert searched == {f"({term}) AND open access[filter]" for term in TERMS}


def test_licences_and_full_text_can_be_demanded(service: Replica, tmp_path: Path) -> None:
    result = collect(plan_of(_source(service, licences=("cc-by", "cc0"), open_access=False), tmp_path / "a"))
    assert {d.fact("licence") for d in rows_of(tmp_path / "a")} == {"cc-by"}
    assert result.counts == {"licence_cc-by-nc": 10, "licence_cc-by-nc-nd": 10, "licence_none": 10}
    assert {r.query["term"] for r in service.requests if r.query.get("usehistory")} == set(TERMS)
    result = collect(plan_of(_source(service, full_text=True), tmp_path / "b"))
    assert all(d.sections for d in rows_of(tmp_path / "b"))
    assert result.counts == {"without_full_text": 4}
    with pytest.raises(ValidationError, match="licences"):
        _source(service, licences=("gpl",))


def test_whatever_goes_wrong_the_result_is_the_same(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    whole = _whole(_source(service), tmp_path / "whole")
    there.session_fetches = 1
    faults = {1: Fault(status=200, body=RATE_LIMIT), 4: Fault(status=503), 6: Fault("cut"), 8: Fault(status=404)}
    with replica(there.answer, faults) as broken:
        source = _source(broken)
        with pytest.raises(ServiceError, match="status 404"):
            collect(plan_of(source, tmp_path / "broken"))
        assert _whole(source, tmp_path / "broken") == whole
    collect(plan_of(_source(service), tmp_path / "two"), workers=2)
    assert rows_of(tmp_path / "two") == whole


def test_killed_with_nine_it_goes_on(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    whole = _whole(_source(service, page_size=2), tmp_path / "whole")
    with replica(there.answer) as other:
        source = _source(other, page_size=2)
        kill_nine(source, tmp_path / "killed", other, after=9)
        assert not (tmp_path / "killed" / "documents.parquet").exists()
        assert _whole(source, tmp_path / "killed") == whole
        assert len(other.requests) < 2 * len(service.requests)


def test_more_than_a_search_gives_is_cut_by_the_day_it_came(
    there: Ncbi, service: Replica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (ncbi, ncbi_source):
        monkeypatch.setattr(module, "LISTED", 20)
    there.found["MRI"] = 70
    rows = _whole(_source(service, terms=("MRI",), most=45), tmp_path)
    assert [d.id for d in rows] == [f"PMC{one}" for one in there.ids("MRI", "pmc")[:45]]
    assert all("[pmcrdat]" in r.query["term"] for r in service.requests if r.query.get("usehistory"))


def test_since_gives_what_came_from_that_day_on(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    source = _source(service, terms=("MRI",))
    _whole(source, tmp_path)
    collect(plan_of(source, tmp_path), since=date(2026, 11, 1))
    (asked,) = (r.query["term"] for r in service.requests if r.query.get("usehistory") and "pmcrdat" in r.query["term"])
    assert asked.startswith('((MRI) AND open access[filter]) AND ("2026/11/01"[pmcrdat] : "')
    assert [d.id for d in rows_of(tmp_path)] == [
        *(f"PMC{one}" for one in there.ids("MRI", "pmc")[10:]),
        *(f"PMC{one}" for one in there.ids("MRI", "pmc")[:10]),
    ]


def test_a_lock_makes_the_same_again_and_says_what_differs(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    before = _whole(_source(service), tmp_path / "first")
    again = collect(plan_of(_source(service), tmp_path / "same", lock=tmp_path / "first" / LOCK))
    assert again.differences is not None
    assert again.differences.are_none
    assert rows_of(tmp_path / "same") == before
    ids = there.ids(TERMS[1], "pmc")
    there.gone, there.changed = set(ids[:7]), {ids[9]: "This sentence is new."}
    other = collect(plan_of(_source(service), tmp_path / "other", lock=tmp_path / "first" / LOCK))
    assert other.differences is not None
    assert sorted(other.differences.vanished) == [f"PMC{one}" for one in ids[:7]]
    assert other.differences.changed == [f"PMC{ids[9]}"]


def test_the_release_says_which_licences_are_kept(service: Replica) -> None:
    assert _source(service).release().licence.endswith("kept: all")
    assert _source(service, licences=("cc0", "cc-by")).release().licence.endswith("kept: cc0, cc-by")


def test_terms_and_files_exclude_each_other(service: Replica) -> None:
    with pytest.raises(ValidationError, match="exclude each other"):
        _source(service, path="x.xml")
