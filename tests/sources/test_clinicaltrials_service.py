"""The ClinicalTrials.gov source against a replica of the registry's interface."""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.replica import Answer, Fault, Replica, replica
from tests.sources.collecting import kill_nine, plan_of, rows_of
from tests.sources.replicas.clinicaltrials import API, Registry

from medloom.collect.client import Client, ServiceError
from medloom.collect.pages import Locked, Page, Shard
from medloom.collect.pool import collect
from medloom.errors import SourceError
from medloom.sources.clinicaltrials import ClinicalTrialsSource
from medloom.sources.formats.clinicaltrials_record import document_of

N = 30


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns of the tests are not those of the user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def registry() -> Registry:
    return Registry.of(N)


@pytest.fixture
def service(registry: Registry) -> Iterator[Replica]:
    with replica(registry.answer) as running:
        yield running


def _source(service: Replica, **settings: Any) -> ClinicalTrialsSource:
    return ClinicalTrialsSource(**{"api": service.url + API, "page_size": 7, "interval": 0, **settings})


def _numbers(folder: Path) -> set[str]:
    return {document.id for document in rows_of(folder)}


def test_the_whole_registry_a_year_at_a_time(service: Replica, registry: Registry, tmp_path: Path) -> None:
    source = _source(service)
    result = collect(plan_of(source, tmp_path))
    rows = rows_of(tmp_path)
    assert [d.fact("date") for d in rows] == sorted(d.fact("date") for d in rows)
    expected = [document_of(one, source.name, source.sections, "", markdown=True) for one in registry.studies.values()]
    assert sorted(rows, key=lambda d: d.id) == [replace(d, contains_phi=False) for d in expected]
    assert result.rounds[0]["service"] == "2026-10-01T09:00:05 (API 2.0.5)"
    years = {r.query["filter.advanced"] for r in service.asked(sort="StudyFirstPostDate:asc")}
    assert "AREA[StudyFirstPostDate]RANGE[MIN,1999-12-31]" in years
    assert f"(AREA[StudyFirstPostDate]RANGE[{date.today().year}-01-01,MAX] OR AREA[StudyFirstPostDate]MISSING)" in years
    assert all(r.query["fields"].count("Module") == 6 for r in service.requests[1:])


def test_searches_are_shards_and_categories(service: Replica, tmp_path: Path) -> None:
    source = _source(service, terms=["gout", "tea"], conditions=["migraine"], filter="AREA[StudyType]INTERVENTIONAL")
    collect(plan_of(source, tmp_path))
    by_terms = {d.id: d.categories for d in rows_of(tmp_path)}
    assert {c for categories in by_terms.values() for c in categories} == {"gout", "tea", "migraine"}
    assert any(len(categories) > 1 for categories in by_terms.values())
    assert {r.query["filter.advanced"] for r in service.requests[1:]} == {"(AREA[StudyType]INTERVENTIONAL)"}
    assert len(service.asked(countTotal="true")) == 3
    with pytest.raises(SourceError, match="named twice"):
        collect(plan_of(_source(service, terms=["gout", "gout"]), tmp_path / "other"))


def test_dates_of_first_posting(service: Replica, tmp_path: Path) -> None:
    collect(plan_of(_source(service, posted_from=date(2003, 5, 1), posted_to=date(2005, 3, 1)), tmp_path))
    dates = [d.fact("date") for d in rows_of(tmp_path)]
    assert dates
    assert min(dates) >= "2003-05-01"
    assert max(dates) <= "2005-03-01"
    assert {r.query["filter.advanced"] for r in service.requests[1:]} == {
        "AREA[StudyFirstPostDate]RANGE[2003-05-01,2003-12-31]",
        "AREA[StudyFirstPostDate]RANGE[2004-01-01,2004-12-31]",
        "AREA[StudyFirstPostDate]RANGE[2005-01-01,2005-03-01]",
    }


def _one_term(service: Replica, **settings: Any) -> ClinicalTrialsSource:
    return _source(service, terms=["asthma"], page_size=2, **settings)


def test_a_dead_token_begins_again_where_it_was(registry: Registry, service: Replica, tmp_path: Path) -> None:
    collect(plan_of(_one_term(service), tmp_path / "whole"))
    registry.tokens.clear()
    asked = len(service.requests)
    original = registry.answer

    with replica(original) as other:
        source = _one_term(other)
        with source.plan(tmp_path).client() as client:
            pages = source.pages(client, source.shards(client, None)[0], None)
            collected = [next(pages), next(pages)]
            registry.tokens.clear()
            collected += list(pages)
    found = [d.id for page in collected for d in page.documents]
    assert list(dict.fromkeys(found)) == [d.id for d in rows_of(tmp_path / "whole")]
    assert any("MISSING" in r.query.get("filter.advanced", "") for r in other.requests)
    assert len(other.requests) <= asked + 2


def test_tokens_that_die_at_once_end_with_an_error(registry: Registry, service: Replica) -> None:
    for one in registry.studies.values():
        one["protocolSection"]["statusModule"]["studyFirstPostDateStruct"]["date"] = "2005-09-13"
    registry.token_lives = -1
    source = _one_term(service)
    with Client() as client, pytest.raises(ServiceError, match="refuses the request"):
        list(source.pages(client, source.shards(client, None)[0], None))
    assert len(service.requests) == 8


def test_a_search_that_is_refused_says_so(service: Replica, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"/studies refuses the request \(status 400\): check the settings"):
        collect(plan_of(_source(service, filter="AREA[", terms=["x"]), tmp_path))


def _broken_after(source: ClinicalTrialsSource, folder: Path, pages: int) -> None:
    """Collect until so many pages are on the disk, then break off."""

    class Broken(ClinicalTrialsSource):
        def pages(self, client: Client, shard: Shard, cursor: str | None) -> Iterator[Page]:
            for number, page in enumerate(super().pages(client, shard, cursor)):
                if number == pages:
                    raise SourceError("broken off")
                yield page

    broken = Broken.model_validate(source.model_dump())
    with pytest.raises(SourceError, match="broken off"):
        collect(replace(plan_of(source, folder), source=broken))


@pytest.mark.parametrize("pages", [1, 3, 5])
def test_broken_off_and_gone_on_with(service: Replica, registry: Registry, tmp_path: Path, pages: int) -> None:
    source = _one_term(service)
    collect(plan_of(source, tmp_path / "whole"))
    _broken_after(source, tmp_path / "broken", pages)
    registry.tokens.clear()
    collect(plan_of(source, tmp_path / "broken"))
    tables = [(tmp_path / name / "documents.parquet").read_bytes() for name in ("whole", "broken")]
    assert tables[0] == tables[1]


def test_studies_that_change_while_pages_are_turned_are_not_lost(
    service: Replica, registry: Registry, tmp_path: Path
) -> None:
    source = _one_term(service)
    collect(plan_of(source, tmp_path / "whole"))
    before = _numbers(tmp_path / "whole")
    _broken_after(source, tmp_path / "broken", 3)
    for one in registry.studies.values():
        one["protocolSection"]["statusModule"]["lastUpdatePostDateStruct"]["date"] = "2026-10-02"
    registry.studies.update(Registry.of(N + 20).studies)
    collect(plan_of(source, tmp_path / "broken"))
    assert before <= _numbers(tmp_path / "broken")


def test_kill_nine_and_go_on(registry: Registry, service: Replica, tmp_path: Path) -> None:
    collect(plan_of(_one_term(service), tmp_path / "whole"))
    with replica(registry.answer, {4: Fault("stall")}) as stalling:
        source = _one_term(stalling)
        kill_nine(source, tmp_path / "killed", stalling, 5)
        begun = len(stalling.requests)
        collect(plan_of(source, tmp_path / "killed"))
        assert stalling.requests[begun].query["filter.advanced"].startswith("(AREA[StudyFirstPostDate]RANGE[")
    tables = [(tmp_path / name / "documents.parquet").read_bytes() for name in ("whole", "killed")]
    assert tables[0] == tables[1]


def test_two_workers_give_the_same_table(service: Replica, tmp_path: Path) -> None:
    source = _source(service, terms=["gout", "tea", "rest"])
    for workers in (1, 2):
        collect(plan_of(source, tmp_path / str(workers)), workers=workers)
    assert (tmp_path / "1" / "documents.parquet").read_bytes() == (tmp_path / "2" / "documents.parquet").read_bytes()


def test_faults_are_survived(registry: Registry, service: Replica, tmp_path: Path) -> None:
    collect(plan_of(_one_term(service), tmp_path / "whole"))
    faults = {
        0: Fault(),
        2: Fault(status=429, headers={"Retry-After": "0.05"}),
        3: Fault("drop"),
        5: Fault("cut"),
        6: Fault("status", 200, body=b"<html>busy</html>"),
        7: Fault("status", 200, body=b'{"error": "busy"}'),
        8: Fault("stall"),
    }
    with replica(registry.answer, faults) as faulty:
        collect(plan_of(_one_term(faulty), tmp_path / "faulty"))
    assert not faulty.faults
    assert rows_of(tmp_path / "faulty") == rows_of(tmp_path / "whole")


def test_pages_without_studies_and_studies_without_a_date(registry: Registry, tmp_path: Path) -> None:
    undated = list(registry.studies)[:9]
    for number in undated:
        del registry.studies[number]["protocolSection"]["statusModule"]["studyFirstPostDateStruct"]
    registry.hollow = 2
    with replica(registry.answer) as service:
        collect(plan_of(_source(service, terms=["ALL"]), tmp_path / "all"))
        assert _numbers(tmp_path / "all") == set(registry.studies)
        collect(plan_of(_one_term(service), tmp_path / "whole"))
        _broken_after(_one_term(service), tmp_path / "broken", 5)
        collect(plan_of(_one_term(service), tmp_path / "broken"))
    assert rows_of(tmp_path / "whole") == rows_of(tmp_path / "broken")


def test_the_rate_limit_is_kept(service: Replica, tmp_path: Path) -> None:
    collect(plan_of(_one_term(service, interval=0.05), tmp_path))
    assert len(service.moments) > 4
    assert service.moments[-1] - service.moments[0] > 0.05 * (len(service.moments) - 2)
    assert ClinicalTrialsSource().interval == pytest.approx(1.2)


def test_up_to_date(service: Replica, registry: Registry, tmp_path: Path) -> None:
    source = _source(service, terms=["ALL"])
    collect(plan_of(source, tmp_path))
    changed = list(registry.studies)[3]
    record = registry.studies[changed]["protocolSection"]
    record["statusModule"]["lastUpdatePostDateStruct"]["date"] = "2026-11-02"
    record["descriptionModule"]["briefSummary"] = "Tea helps after all."
    added = Registry.of(N + 1).studies[f"NCT{N + 1:08}"]
    added["protocolSection"]["statusModule"]["lastUpdatePostDateStruct"]["date"] = "2026-11-03"
    registry.studies[f"NCT{N + 1:08}"] = added
    begun = len(service.requests)
    collect(plan_of(source, tmp_path), since=date(2026, 11, 1))
    asked = [r.query["filter.advanced"] for r in service.requests[begun:] if "filter.advanced" in r.query]
    assert asked == ["AREA[LastUpdatePostDate]RANGE[2026-11-01,MAX]"]
    rows = {d.id: d for d in rows_of(tmp_path)}
    assert len(rows) == N + 1
    assert (rows[changed].revision, rows[changed].sections[0].text) == ("2026-11-02", "Tea helps after all.")


def test_a_lock_brings_the_same_studies_or_says_which_differ(service: Replica, registry: Registry, tmp_path: Path) -> None:
    source = _source(service, terms=["gout"])
    first = collect(plan_of(source, tmp_path / "first"))
    vanished, changed = (document.id for document in rows_of(tmp_path / "first")[:2])
    kept = copy.deepcopy(registry.studies)
    del registry.studies[vanished]
    registry.studies[changed]["protocolSection"]["statusModule"]["lastUpdatePostDateStruct"]["date"] = "2026-11-02"
    lock = tmp_path / "first" / "lock.jsonl.gz"
    result = collect(plan_of(source, tmp_path / "again", lock=lock))
    assert result.differences is not None
    assert (result.differences.changed, result.differences.vanished) == ([changed], [vanished])
    assert {d.categories for d in rows_of(tmp_path / "again")} == {("gout",)}
    assert len(service.asked(pageSize="1000")) == 1
    registry.studies = kept
    assert collect(plan_of(source, tmp_path / "same", lock=lock)).differences.are_none  # type: ignore[union-attr]
    assert first.documents == len(rows_of(tmp_path / "same"))


def test_bad_records_are_kept_apart(registry: Registry, service: Replica, tmp_path: Path) -> None:
    numbers = list(registry.studies)
    registry.studies[numbers[0]]["protocolSection"]["identificationModule"] = {"nctId": numbers[0]}
    registry.studies[numbers[1]]["protocolSection"]["outcomesModule"]["primaryOutcomes"] = ["secret"]
    result = collect(plan_of(_source(service, terms=["ALL"]), tmp_path))
    assert result.counts["rejected"] == 2
    assert _numbers(tmp_path) == set(numbers[2:])
    rejects = (tmp_path / "rejects.jsonl").read_text()
    assert "no text in the field 'officialTitle'" in rejects
    assert "primary outcomes must be text" in rejects


def test_progress_knows_the_total(service: Replica, tmp_path: Path) -> None:
    plan = plan_of(_source(service, terms=["ALL"]), tmp_path)
    with plan.client() as client:
        job = plan.job(client)
        assert job.prepare()
        job.work()
        assert (job.progress().total, job.progress().documents) == (N, N)


def test_a_page_of_something_else(tmp_path: Path) -> None:
    page = {"studies": ["secret", {"protocolSection": {"identificationModule": {"briefTitle": "Tea"}}}]}
    with replica(lambda _: Answer(json.dumps(page).encode())) as service:
        result = collect(plan_of(_one_term(service), tmp_path))
    assert (result.documents, result.counts["rejected"]) == (0, 2)
    problems = [json.loads(line)["problem"] for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
    assert problems == ["expected a JSON object of fields, found str", "it has no NCT number"]


def test_a_version_that_is_none_is_asked_for_again(registry: Registry, tmp_path: Path) -> None:
    with replica(registry.answer, {0: Fault("status", 200, body=b"[]")}) as service:
        assert collect(plan_of(_one_term(service), tmp_path)).rounds[0]["service"].startswith("2026-10-01")


def test_ids_of_a_lock_that_are_none_of_the_registry(service: Replica, tmp_path: Path) -> None:
    with Client() as client:
        (page,) = _one_term(service).locked_pages(client, [Locked("7", "", "")], None)
    assert (page.documents, page.cursor, service.requests) == ([], None, [])
