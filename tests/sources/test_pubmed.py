"""PubMed by search terms, against a replica of the E-utilities."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.replica import Answer, Fault, Replica, replica
from tests.sources.collecting import PATIENCE, kill_nine, plan_of, rows_of
from tests.sources.replicas.ncbi import API, BACKEND, EXPIRED, HISTORY_GONE, RATE_LIMIT, Ncbi
from tests.sources.replicas.ncbi_texts import PUBMED_SET, pubmed_record

from medloom.collect.client import Client, Patience, ServiceError
from medloom.collect.lock import LOCK
from medloom.collect.pool import collect
from medloom.errors import SourceError
from medloom.records import Document
from medloom.sources.pubmed import PubmedSource
from medloom.sources.services import ncbi, ncbi_source

TERMS = ("linden tea", "sleep & rest's")


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns of the tests are not those of the user, nor is the key."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(ncbi.KEY, raising=False)


@pytest.fixture
def there() -> Ncbi:
    return Ncbi(default=30)


@pytest.fixture
def service(there: Ncbi) -> Iterator[Replica]:
    with replica(there.answer) as running:
        yield running


def _source(service: Replica, **settings: Any) -> PubmedSource:
    return PubmedSource(**{"terms": TERMS, "api": service.url + API, "interval": 0, "page_size": 8, **settings})


def _ids(folder: Path) -> list[str]:
    return [document.id for document in rows_of(folder)]


def _whole(source: PubmedSource, folder: Path) -> list[Document]:
    collect(plan_of(source, folder))
    return rows_of(folder)


def _problems(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "rejects.jsonl").read_text().splitlines()]


def test_terms_become_categories_in_the_order_of_the_search(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    result = collect(plan_of(_source(service), tmp_path))
    rows = rows_of(tmp_path)
    assert [d.id for d in rows] == there.ids(TERMS[0]) + there.ids(TERMS[1])
    assert [d.categories for d in rows] == [(TERMS[0],)] * 30 + [(TERMS[1],)] * 30
    assert result.counts == {}
    assert result.rounds[0]["service"] == "Build-pubmed-7, 2026/11/01 03:00"
    assert {d.fact("kind") for d in rows} == {"Journal Article", "Book"}
    fetched = [r.query for r in service.requests if r.path.endswith("efetch.fcgi")]
    assert all(q["WebEnv"] and q["query_key"] == "1" and "id" not in q for q in fetched)
    assert {(q["tool"], q["db"], q["retmode"]) for q in fetched} == {("medloom", "pubmed", "xml")}


def test_a_document_of_two_terms_is_one(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    there.own["pubmed"] = {"5": pubmed_record(5)}
    collect(plan_of(_source(service, terms=("own", "linden tea")), tmp_path / "a"))
    there.own["pubmed"] |= {one: pubmed_record(int(one)) for one in there.ids("linden tea")[:2]}
    collect(plan_of(_source(service, terms=("linden tea", "own")), tmp_path / "b"))
    found = {d.id: d.categories for d in rows_of(tmp_path / "b")}
    assert len(_ids(tmp_path / "a")) == len(found) == 31
    assert sum(categories == ("linden tea", "own") for categories in found.values()) == 2
    with pytest.raises(SourceError, match="named twice"):
        collect(plan_of(_source(service, terms=("tea", "tea")), tmp_path / "c"))


def test_only_the_first_of_each_term_are_taken(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    rows = _whole(_source(service, most=11, sort="relevance"), tmp_path)
    assert [d.id for d in rows] == there.ids(TERMS[0])[:11] + there.ids(TERMS[1])[:11]
    searches = [r.query for r in service.requests if r.path.endswith("esearch.fcgi")]
    assert [q["sort"] for q in searches] == ["relevance", "relevance"]


def test_each_term_may_say_how_many_it_wants(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    rows = _whole(_source(service, terms={TERMS[0]: 3, TERMS[1]: 999}, most=5), tmp_path)
    assert [d.id for d in rows] == there.ids(TERMS[0])[:3] + there.ids(TERMS[1])
    with pytest.raises(ValidationError):
        _source(service, terms={TERMS[0]: 0})


@pytest.mark.parametrize("most", [None, 120])
def test_more_than_a_search_gives_is_cut_by_date(
    most: int | None, there: Ncbi, service: Replica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (ncbi, ncbi_source):
        monkeypatch.setattr(module, "LISTED", 50)
    there.found["linden tea"] = 200
    rows = _whole(_source(service, terms=("linden tea",), most=most, page_size=25), tmp_path)
    expected = there.ids("linden tea")[:most]
    assert [d.id for d in rows] == expected
    asked = [r.query["term"] for r in service.requests if r.query.get("usehistory")]
    assert len(asked) >= len(expected) // 50
    assert all('"[edat] : "' in term for term in asked)


def test_a_day_on_which_too_many_entered_gives_what_it_can(
    there: Ncbi, service: Replica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (ncbi, ncbi_source):
        monkeypatch.setattr(module, "LISTED", 20)
    there.per_day = 30
    result = collect(plan_of(_source(service, terms=("linden tea",)), tmp_path))
    assert (result.documents, result.counts) == (20, {"beyond_the_limit_of_a_search": 10})


@pytest.mark.parametrize("expired", [EXPIRED, HISTORY_GONE])
def test_an_expired_session_is_gone_on_with_by_ids(expired: Answer, there: Ncbi, service: Replica, tmp_path: Path) -> None:
    there.session_fetches, there.expired = 2, expired
    rows = _whole(_source(service), tmp_path)
    assert [d.id for d in rows] == there.ids(TERMS[0]) + there.ids(TERMS[1])
    assert len([r for r in service.requests if "id" in r.query]) == 2 * 2


def test_what_a_session_leaves_out_is_asked_for_by_id(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    first = there.ids(TERMS[0])
    there.left_out, there.gone = {first[1], first[9]}, {first[2], first[29]}
    result = collect(plan_of(_source(service), tmp_path))
    assert _ids(tmp_path)[:28] == [one for one in first if one not in there.gone]
    assert result.counts == {"found_but_not_given": 2}


def test_what_is_asked_for_by_id_is_sifted_too(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    there.left_out = set(there.ids(TERMS[0])[:10])
    result = collect(plan_of(_source(service, terms=TERMS[:1], mesh=("Tea",)), tmp_path))
    assert {d.fact("mesh") for d in rows_of(tmp_path)} == {"Tea"}
    assert result.counts == {"without_the_headings": 30 - result.documents}


def test_a_record_that_cannot_be_read_is_found_and_kept_apart(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    own = {str(n): pubmed_record(n) for n in range(1, 9)}
    own["3"] = "<PubmedArticle><MedlineCitation><PMID>3</PMID><Article></MedlineCitation></PubmedArticle>"
    own["6"] = "<PubmedArticle><MedlineCitation><PMID>6</PMID><Article/></MedlineCitation></PubmedArticle>"
    there.own["pubmed"] = own
    result = collect(plan_of(_source(service, terms=("own",)), tmp_path))
    assert _ids(tmp_path) == ["1", "2", "4", "5", "7", "8"]
    assert result.counts == {"rejected": 2}
    damaged, empty = sorted(_problems(tmp_path), key=lambda row: row["where"])
    assert damaged["where"].endswith("efetch.fcgi, id 3")
    assert "not well-formed" in damaged["problem"]
    assert damaged["row"].startswith("<?xml")
    assert (empty["where"][-4:], empty["problem"]) == ("id 6", "a record with neither title nor abstract")


def test_a_session_with_other_records_is_not_believed(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    there.own["pubmed"] = {"5": pubmed_record(6)}
    result = collect(plan_of(_source(service, terms=("own",)), tmp_path))
    assert (result.documents, result.counts) == (0, {"found_but_not_given": 1})


@pytest.mark.parametrize("at", [1, 2])
def test_faults_are_survived(at: int, there: Ncbi, service: Replica, tmp_path: Path) -> None:
    whole = _whole(_source(service), tmp_path / "whole")
    cut = (PUBMED_SET % pubmed_record(5)).encode()[:900]
    faults = [
        Fault(status=200, body=RATE_LIMIT),
        Fault(status=429, headers={"Retry-After": "0"}),
        Fault(status=200, body=BACKEND),
        Fault(status=503),
        Fault("drop"),
        Fault("cut"),
        Fault(status=200, body=b"<html>be back soon</html>"),
        Fault(status=200, body=cut),
        Fault(status=200, body=(PUBMED_SET % "").encode()),
        Fault(status=200, body=b"<eFetchResult><ERROR>Cannot get document summary</ERROR></eFetchResult>"),
    ]
    with replica(there.answer, {at + 2 * n: fault for n, fault in enumerate(faults)}) as broken:
        assert _whole(_source(broken, page_size=4), tmp_path / "broken") == whole
        assert not broken.faults


def test_silence_is_survived(there: Ncbi, tmp_path: Path) -> None:
    with replica(there.answer, {2: Fault("stall")}) as slow:
        assert len(_whole(_source(slow, terms=("linden tea",)), tmp_path)) == 30


@pytest.mark.parametrize("at", [1, 2, 3, 5, 7])
def test_whatever_the_moment_of_the_break_the_result_is_the_same(
    at: int, there: Ncbi, service: Replica, tmp_path: Path
) -> None:
    whole = _whole(_source(service), tmp_path / "whole")
    with replica(there.answer, {at: Fault(status=404)}) as broken:
        source = _source(broken)
        with pytest.raises(ServiceError, match="status 404"):
            collect(plan_of(source, tmp_path / "broken"))
        assert _whole(source, tmp_path / "broken") == whole
        pages = [r.query.get("retstart") for r in broken.requests if r.path.endswith("efetch.fcgi")]
        assert len(pages) <= 8 + 1


def test_it_goes_on_behind_the_last_record_though_new_ones_came(there: Ncbi, service: Replica) -> None:
    source = _source(service, terms=("own",), page_size=4, most=8)
    there.own["pubmed"] = {str(n): pubmed_record(n) for n in range(20, 8, -1)}
    with Client(patience=PATIENCE) as client:
        (shard,) = source.shards(client, None)
        first = next(source.pages(client, shard, None))
        there.own["pubmed"] = {"22": pubmed_record(22), "21": pubmed_record(21)} | there.own["pubmed"]
        assert [d.id for page in source.pages(client, shard, first.cursor) for d in page.documents] == [
            "16",
            "15",
            "14",
            "13",
        ]
        del there.own["pubmed"]["17"]
        later = [d.id for page in source.pages(client, shard, first.cursor) for d in page.documents]
    assert first.cursor == "4 17"
    assert len(later) == 4


def test_killed_with_nine_it_goes_on(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    whole = _whole(_source(service, page_size=2), tmp_path / "whole")
    with replica(there.answer) as other:
        source = _source(other, page_size=2)
        kill_nine(source, tmp_path / "killed", other, after=12)
        asked = len(other.requests)
        assert not (tmp_path / "killed" / "documents.parquet").exists()
        assert _whole(source, tmp_path / "killed") == whole
        assert len(other.requests) - asked < 30


def test_two_workers_give_the_same(service: Replica, tmp_path: Path) -> None:
    whole = _whole(_source(service), tmp_path / "one")
    collect(plan_of(_source(service), tmp_path / "two"), workers=2)
    assert rows_of(tmp_path / "two") == whole


@pytest.mark.parametrize(("key", "interval"), [("", 0.34), ("known", 0.1)])
def test_requests_keep_their_distance(
    key: str, interval: float, service: Replica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ncbi.KEY, key)
    monkeypatch.setenv("MEDLOOM_CONTACT", "who@house.example")
    collect(plan_of(_source(service, terms=("linden tea",), most=4, interval=None), tmp_path))
    assert len(service.moments) == 3
    assert min(b - a for a, b in pairwise(service.moments)) >= interval - 0.05
    assert {(r.query.get("api_key", ""), r.query["email"]) for r in service.requests} == {(key, "who@house.example")}


def test_the_key_is_told_to_the_service_alone(
    there: Ncbi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ncbi.KEY, "s3cret")
    caplog.set_level(logging.DEBUG)
    there.keys = {"s3cret"}
    with replica(there.answer, {2: Fault(status=503)}) as service:
        collect(plan_of(_source(service), tmp_path / "a"))
        there.keys = set()
        with pytest.raises(ServiceError, match="status 400") as error:
            collect(plan_of(_source(service), tmp_path / "b"))
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert "s3cret" not in caplog.text + str(error.value)
    assert b"s3cret" not in kept


def test_what_has_changed_since(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    source = _source(service, terms=("linden tea",))
    before = _whole(source, tmp_path)
    there.changed = {there.ids("linden tea")[3]: "This sentence is new."}
    there.gone = {there.ids("linden tea")[5]}
    result = collect(plan_of(source, tmp_path), since=date(2026, 11, 20))
    changed = {d.id for d in rows_of(tmp_path)} - {d.id for d in before if d in rows_of(tmp_path)}
    assert changed == set(there.changed)
    assert result.documents == 30
    (asked,) = service.asked(datetype="mdat", usehistory="y")
    assert (asked.query["mindate"], asked.query["maxdate"]) == ("2026/11/20", "3000")


def test_a_lock_makes_the_same_again_and_says_what_differs(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    before = _whole(_source(service), tmp_path / "first")
    again = collect(plan_of(_source(service), tmp_path / "same", lock=tmp_path / "first" / LOCK))
    assert again.differences is not None
    assert again.differences.are_none
    assert rows_of(tmp_path / "same") == before
    ids = there.ids(TERMS[0])
    there.gone, there.changed = set(ids[:9]), {ids[20]: "This sentence is new."}
    other = collect(plan_of(_source(service), tmp_path / "other", lock=tmp_path / "first" / LOCK))
    assert other.differences is not None
    assert (sorted(other.differences.vanished), other.differences.changed) == (sorted(ids[:9]), [ids[20]])
    assert rows_of(tmp_path / "other")[0].categories == (TERMS[0],)


def test_a_wrong_key_is_not_taken_for_vanished_documents(
    there: Ncbi, service: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(patience=PATIENCE) as client:
        entrez = ncbi.Entrez(client, service.url + API, "pubmed", 0)
        there.gone = {"1", "2"}
        assert entrez.fetch_ids(["1", "2"], lambda _: ("read", 1)) is None
        monkeypatch.setenv(ncbi.KEY, "wrong")
        with pytest.raises(ServiceError, match="status 400"):
            entrez.fetch_ids(["1", "2"], lambda _: ("read", 1))


def test_abstracts_and_headings_can_be_demanded(service: Replica, tmp_path: Path) -> None:
    result = collect(plan_of(_source(service, titles_only=False), tmp_path / "a"))
    assert all(d.text for d in rows_of(tmp_path / "a"))
    assert result.counts["without_abstract"] == 60 - result.documents > 0
    result = collect(plan_of(_source(service, mesh=("SLEEP", "Tea")), tmp_path / "b"))
    rows = rows_of(tmp_path / "b")
    assert {d.fact("mesh") for d in rows} == {"Sleep", "Tea"}
    assert {d.categories for d in rows} <= {(term,) for term in TERMS}
    assert result.counts["without_the_headings"] == 60 - result.documents


def test_a_search_that_makes_no_sense_ends_at_once(service: Replica, tmp_path: Path) -> None:
    body = b'{"esearchresult":{"ERROR":"Empty term and query_key - nothing todo"}}'
    service.faults[1] = Fault(status=200, body=body)
    with pytest.raises(ServiceError, match="cannot make sense of the search"):
        collect(plan_of(_source(service), tmp_path))


def test_answers_that_never_come_end_with_an_error(there: Ncbi, tmp_path: Path) -> None:
    little = Patience(seconds=0.3, first_pause=0.01, timeout=0.5)
    with replica(there.answer, {n: Fault(status=200, body=b"{}") for n in range(99)}) as service:
        plan = replace(plan_of(_source(service), tmp_path / "version"), patience=little)
        with pytest.raises(ServiceError, match="no word of the database"):
            collect(plan)
    for number, body in enumerate((BACKEND, b"[]", b"{}", b'{"esearchresult":{}}', b"not JSON")):
        faults = {n: Fault(status=200, body=body) for n in range(1, 99)}
        with replica(there.answer, faults) as service, pytest.raises(ServiceError, match="gave no usable answer"):
            collect(replace(plan_of(_source(service), tmp_path / str(number)), patience=little))


def test_without_terms_or_files_there_is_nothing_to_fetch(service: Replica, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="set terms"):
        collect(plan_of(_source(service, terms=()), tmp_path))
    with pytest.raises(ValidationError, match="exclude each other"):
        _source(service, path="x.xml")
    with pytest.raises(ValidationError, match="a term is empty"):
        _source(service, terms=("tea", " "))


def test_the_release_says_whose_it_is(service: Replica) -> None:
    assert "National Library of Medicine" in _source(service).release().licence


def test_a_term_that_finds_nothing_is_no_error(there: Ncbi, service: Replica, tmp_path: Path) -> None:
    there.found["linden tea"] = 0
    assert len(_whole(_source(service), tmp_path)) == 30
