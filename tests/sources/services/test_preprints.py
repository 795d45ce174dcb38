"""The sources of preprints: records, files, and collecting from a replica of the interface."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.replica import Answer, Fault, Replica, replica
from tests.sources.collecting import kill_nine, plan_of, rows_of
from tests.sources.replicas.preprints import Preprints, preprint

from medloom.collect.client import Client, ServiceError
from medloom.collect.pages import Page, Shard
from medloom.collect.pool import collect
from medloom.errors import RowError, SourceError
from medloom.records import Document, Section
from medloom.sources import Rejects
from medloom.sources.biorxiv import BiorxivSource
from medloom.sources.formats.preprints_record import document_of, licence_of
from medloom.sources.medrxiv import MedrxivSource

FEBRUARY = {"posted_from": date(2018, 2, 1), "posted_to": date(2018, 2, 28)}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns of the tests are not those of the user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def server() -> Preprints:
    """Three months, 220 preprints of 9 a day at first."""
    return Preprints.of(220, start=date(2018, 1, 20), per_day=9)


@pytest.fixture
def service(server: Preprints) -> Iterator[Replica]:
    with replica(server.answer) as running:
        yield running


def _source(service: Replica, **settings: Any) -> BiorxivSource:
    days = {"posted_from": date(2018, 1, 1), "posted_to": date(2018, 4, 30)}
    return BiorxivSource(**{"api": service.url, "interval": 0, **days, **settings})


def _latest(server: Preprints, last: str = "9") -> dict[str, str]:
    """Of each preprint the latest version until a day."""
    found: dict[str, str] = {}
    for record in server.records:
        if record["date"] <= last:
            found[record["doi"]] = max(found.get(record["doi"], ""), record["version"])
    return found


def _versions(folder: Path) -> dict[str, str]:
    return {document.id: document.revision for document in rows_of(folder)}


def test_every_field_of_a_record() -> None:
    record = preprint(3, "medrxiv", 2, date(2020, 5, 6)) | {
        "title": "Tea, CO<sub>2</sub> &amp; <i>sleep</i>",
        "abstract": "<jats:p>BACKGROUND Tea helps. METHODS We asked. RESULTS It did (p<0.05).</jats:p>",
        "license": "cc_by_nc_nd",
        "category": "Sleep_Medicine",
    }
    assert document_of(record, "medrxiv", "medrxiv", "here") == Document(
        "10.1101/2021.01.04.000003",
        "medrxiv",
        "Tea, CO2 & sleep",
        "Background: Tea helps.\n\nMethods: We asked.\n\nResults: It did (p<0.05).",
        sections=(
            Section("Background", "Tea helps."),
            Section("Methods", "We asked."),
            Section("Results", "It did (p<0.05)."),
        ),
        categories=("sleep medicine",),
        revision="2",
        metadata=(
            ("date", "2020-05-06"),
            ("licence", "cc-by-nc-nd"),
            ("kind", "publishaheadofprint"),
            ("doi", "10.1101/2021.01.04.000003"),
            ("published", "10.5555/journal.3"),
            ("url", "https://www.medrxiv.org/content/10.1101/2021.01.04.000003v2"),
        ),
    )
    bare = {name: record[name] for name in ("doi", "title", "date")} | {"version": 1, "abstract": None, "published": "NA"}
    document = document_of(bare, "medrxiv", "medrxiv", "here")
    assert (document.text, document.revision, document.categories, document.fact("published")) == ("", "1", (), "")


@pytest.mark.parametrize(
    ("change", "is_withdrawn"),
    [
        ({"title": "WITHDRAWN: Tea and sleep"}, True),
        ({"title": "[Withdrawn] Tea"}, True),
        ({"type": "withdrawn"}, True),
        ({"abstract": "This article has been withdrawn by the authors."}, True),
        ({"abstract": "The authors have withdrawn their manuscript owing to an error."}, True),
        ({"abstract": "bioRxiv has temporarily withdrawn this article."}, True),
        ({"abstract": "WITHDRAWN"}, True),
        ({"abstract": "In this study tea was withdrawn in nine people."}, False),
        ({"title": "Withdrawal of tea"}, False),
        ({}, False),
    ],
)
def test_withdrawn_preprints_are_marked(change: dict[str, str], is_withdrawn: bool) -> None:
    document = document_of(preprint(1) | change, "biorxiv", "biorxiv", "here")
    assert document.fact("retracted") == ("yes" if is_withdrawn else "")


@pytest.mark.parametrize(
    ("word", "name"),
    [("cc_by", "cc-by"), ("CC_BY_NC_ND", "cc-by-nc-nd"), ("cc0_ng", "cc0"), ("cc_no", "no-reuse"), ("cc by-nc", "cc-by-nc")],
)
def test_licences(word: str, name: str) -> None:
    assert licence_of(word) == name


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"doi": "secret"}, "holds no DOI"),
        ({"version": "secret"}, "holds no whole number"),
        ({"date": "secret"}, "holds no day"),
        ({"title": " "}, "no text in the field 'title'"),
        ({"abstract": ["secret"]}, "'abstract' holds list"),
        ({"abstract": "secret " * 20_000}, "which no abstract has"),
    ],
)
def test_bad_records(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(RowError, match=problem) as caught:
        document_of(preprint(1) | change, "biorxiv", "biorxiv", "here")
    assert "secret" not in str(caught.value)


def test_the_latest_version_of_each_is_kept(server: Preprints, service: Replica, tmp_path: Path) -> None:
    result = collect(plan_of(_source(service), tmp_path))
    assert _versions(tmp_path) == _latest(server)
    assert set(_versions(tmp_path).values()) == {"1", "2", "3"}
    rows = rows_of(tmp_path)
    assert [(d.fact("date"), d.id) for d in rows] == sorted((d.fact("date"), d.id) for d in rows)
    assert result.counts["again"] == len(server.records) - 220 - _within_a_window(server)
    assert result.rounds[0]["service"] == ""


def _within_a_window(server: Preprints) -> int:
    """Versions that are followed by another in the same month, and so never leave it."""
    months = {(r["doi"], r["date"][:7]) for r in server.records}
    return len(server.records) - len(months)


def test_versions_after_the_last_day_are_not_seen(server: Preprints, service: Replica, tmp_path: Path) -> None:
    collect(plan_of(_source(service, posted_to=date(2018, 2, 10)), tmp_path))
    assert _versions(tmp_path) == _latest(server, "2018-02-10")


def test_long_months_are_read_in_short_windows(tmp_path: Path) -> None:
    server = Preprints.of(900, start=date(2018, 2, 1), per_day=40)
    with replica(server.answer) as service:
        collect(plan_of(_source(service, **FEBRUARY), tmp_path))
    assert _versions(tmp_path) == _latest(server, "2018-02-28")
    windows = {tuple(r.path.split("/")[3:5]) for r in service.requests}
    assert len(windows) > 4
    assert all(first <= last for first, last in windows)
    assert len(service.requests) < 1.6 * sum(r["date"] <= "2018-02-28" for r in server.records) / server.page


def test_an_empty_month_is_one_request(service: Replica, tmp_path: Path) -> None:
    collect(plan_of(_source(service, posted_from=date(2019, 1, 1), posted_to=date(2019, 3, 31)), tmp_path))
    assert [r.path for r in service.requests] == [
        f"/details/biorxiv/2019-{month}/2019-{last}/0/json"
        for month, last in (("01-01", "01-31"), ("02-01", "02-28"), ("03-01", "03-31"))
    ]


def test_pages_that_shift_while_they_are_read_lose_nothing(server: Preprints, service: Replica, tmp_path: Path) -> None:
    source = _source(service, **FEBRUARY)
    collect(plan_of(source, tmp_path / "still"))
    begun = server.asked
    first = collect(plan_of(source, tmp_path / "still")).documents
    removed = [d.id for d in rows_of(tmp_path / "still")][:3]

    def remove() -> None:
        server.records = [r for r in server.records if r["doi"] not in removed]

    server.before[begun + 2] = remove
    collect(plan_of(source, tmp_path / "shifting"))
    assert set(_versions(tmp_path / "still")) - set(removed) <= set(_versions(tmp_path / "shifting"))
    assert first == len(_versions(tmp_path / "still"))
    added = [preprint(number, posted=date(2018, 2, 9)) for number in range(5_000, 5_040)]
    server.before[server.asked + 3] = lambda: server.records.extend(added)
    collect(plan_of(source, tmp_path / "growing"))
    assert {record["doi"] for record in added} <= set(_versions(tmp_path / "growing"))


def test_a_total_that_promises_too_much(server: Preprints, service: Replica, tmp_path: Path) -> None:
    server.inflated = 32
    result = collect(plan_of(_source(service, **FEBRUARY), tmp_path))
    assert result.counts["announced but not given"] == 32
    expected = {r["doi"] for r in server.records if "2018-02-01" <= r["date"] <= "2018-02-28"}
    assert set(_versions(tmp_path)) == expected


def test_pages_of_another_size(server: Preprints, service: Replica, tmp_path: Path) -> None:
    server.page = 100
    collect(plan_of(_source(service), tmp_path))
    assert _versions(tmp_path) == _latest(server)


def test_categories_are_asked_for(server: Preprints, service: Replica, tmp_path: Path) -> None:
    source = _source(service, categories=["Infectious_Diseases", "cell biology"], **FEBRUARY)
    collect(plan_of(source, tmp_path))
    assert {d.categories for d in rows_of(tmp_path)} == {("infectious diseases",), ("cell biology",)}
    assert service.asked(category="infectious_diseases")
    assert len(service.requests) == len(service.asked(category="infectious_diseases")) + len(
        service.asked(category="cell_biology")
    )


def test_a_service_that_does_not_filter_is_filtered_here(server: Preprints, tmp_path: Path) -> None:
    with replica(lambda request: server.answer(replace(request, query={}))) as service:
        result = collect(plan_of(_source(service, categories=["cell biology"], **FEBRUARY), tmp_path))
    assert {d.categories for d in rows_of(tmp_path)} == {("cell biology",)}
    assert result.counts["another category"] > result.documents


def test_what_is_under_another_licence_is_passed_over(server: Preprints, service: Replica, tmp_path: Path) -> None:
    doi = next(r["doi"] for r in server.records if r["version"] == "3")
    for record in server.records:
        record["license"] = "cc_by"
        if (record["doi"], record["version"]) == (doi, "3"):
            record["license"] = "cc_no"
    result = collect(plan_of(_source(service, licences=["cc_by", "cc0"]), tmp_path))
    assert set(_latest(server)) - set(_versions(tmp_path)) == {doi}
    assert (result.counts["another licence"], result.counts["withdrawn"]) == (1, 1)


def _broken_after(source: BiorxivSource, folder: Path, pages: int) -> None:
    """Collect until so many pages of a shard are on the disk, then break off."""

    class Broken(BiorxivSource):
        def pages(self, client: Client, shard: Shard, cursor: str | None) -> Iterator[Page]:
            for number, page in enumerate(super().pages(client, shard, cursor)):
                if number == pages:
                    raise SourceError("broken off")
                yield page

    with pytest.raises(SourceError, match="broken off"):
        collect(replace(plan_of(source, folder), source=Broken.model_validate(source.model_dump())))


@pytest.fixture
def busy() -> Preprints:
    """A month that is read in several windows."""
    return Preprints.of(500, start=date(2018, 2, 1), per_day=40)


def test_broken_off_and_gone_on_with(busy: Preprints, tmp_path: Path) -> None:
    with replica(busy.answer) as service:
        source = _source(service, **FEBRUARY)
        collect(plan_of(source, tmp_path / "whole"))
        _broken_after(source, tmp_path / "broken", 2)
        begun = len(service.requests)
        collect(plan_of(source, tmp_path / "broken"))
    tables = [(tmp_path / name / "documents.parquet").read_bytes() for name in ("whole", "broken")]
    assert tables[0] == tables[1]
    assert "/2018-02-01/" not in service.requests[begun].path


def test_kill_nine_and_go_on(busy: Preprints, tmp_path: Path) -> None:
    with replica(busy.answer) as service:
        collect(plan_of(_source(service, **FEBRUARY), tmp_path / "whole"))
    with replica(busy.answer, {14: Fault("stall")}) as stalling:
        source = _source(stalling, **FEBRUARY)
        kill_nine(source, tmp_path / "killed", stalling, 15)
        begun = len(stalling.requests)
        collect(plan_of(source, tmp_path / "killed"))
    assert "/2018-02-01/" not in stalling.requests[begun].path
    tables = [(tmp_path / name / "documents.parquet").read_bytes() for name in ("whole", "killed")]
    assert tables[0] == tables[1]


def test_two_workers_give_the_same_table(service: Replica, tmp_path: Path) -> None:
    source = _source(service, posted_to=date(2018, 2, 28))
    for workers in (1, 2):
        collect(plan_of(source, tmp_path / str(workers)), workers=workers)
    assert (tmp_path / "1" / "documents.parquet").read_bytes() == (tmp_path / "2" / "documents.parquet").read_bytes()


def test_faults_are_survived(server: Preprints, service: Replica, tmp_path: Path) -> None:
    collect(plan_of(_source(service), tmp_path / "whole"))
    faults = {
        0: Fault(status=429, headers={"Retry-After": "0.05"}),
        1: Fault(status=503),
        3: Fault("drop"),
        4: Fault("status", 200, body=b"Error : (2002) Connection refused"),
        6: Fault("status", 200, body=b'{"messages": [{"status": "too many connections"}], "collection": []}'),
        7: Fault("status", 200, body=b'{"messages": []}'),
        8: Fault("cut"),
        9: Fault("stall"),
    }
    with replica(server.answer, faults) as faulty:
        collect(plan_of(_source(faulty), tmp_path / "faulty"))
    assert not faulty.faults
    assert rows_of(tmp_path / "faulty") == rows_of(tmp_path / "whole")


def test_a_refusal_says_so(server: Preprints, tmp_path: Path) -> None:
    with replica(server.answer, {0: Fault(status=403)}) as service, pytest.raises(ServiceError, match=r"refuses .*403"):
        collect(plan_of(_source(service), tmp_path))


def test_the_rate_limit_is_kept(service: Replica, tmp_path: Path) -> None:
    collect(plan_of(_source(service, interval=0.05, **FEBRUARY), tmp_path))
    assert len(service.moments) > 4
    assert service.moments[-1] - service.moments[0] > 0.05 * (len(service.moments) - 2)
    assert BiorxivSource().interval == 1.0


def test_up_to_date(server: Preprints, service: Replica, tmp_path: Path) -> None:
    source = _source(service, posted_to=None, posted_from=date(2018, 3, 1))
    open_ended = source.shards(Client(), None)
    assert open_ended[0].key == "2018-03"
    assert open_ended[-1].key == f"{date.today():%Y-%m}"
    source = _source(service, posted_to=date(2018, 5, 31))
    collect(plan_of(source, tmp_path))
    server.records += [preprint(7, version=4, posted=date(2018, 5, 20)), preprint(9_000, posted=date(2018, 5, 21))]
    begun = len(service.requests)
    collect(plan_of(source, tmp_path), since=date(2018, 5, 15))
    assert [r.path for r in service.requests[begun:]] == ["/details/biorxiv/2018-05-15/2018-05-31/0/json"]
    assert _versions(tmp_path) == _latest(server)
    with pytest.raises(SourceError, match="ends on 2018-05-31: nothing is newer"):
        collect(plan_of(source, tmp_path), since=date(2018, 6, 1))


def test_a_lock_brings_the_versions_of_its_time(server: Preprints, service: Replica, tmp_path: Path) -> None:
    source = _source(service, posted_from=date(2018, 2, 1), posted_to=date(2018, 2, 2))
    collect(plan_of(source, tmp_path / "first"))
    twice = [d.id for d in rows_of(tmp_path / "first") if d.revision == "1"][:3]
    vanished, changed, revised = twice
    server.records = [r for r in server.records if r["doi"] != vanished]
    for record in server.records:
        if record["doi"] == changed:
            record["abstract"] = "Something else."
    server.records.append(next(r for r in server.records if r["doi"] == revised) | {"version": "9", "date": "2018-06-01"})
    lock = tmp_path / "first" / "lock.jsonl.gz"
    result = collect(plan_of(source, tmp_path / "again", lock=lock))
    assert result.differences is not None
    assert (result.differences.changed, result.differences.vanished) == ([changed], [vanished])
    assert _versions(tmp_path / "again")[revised] == "1"
    for record in server.records:
        if record["doi"] == revised:
            record["version"] = "9"
    later = collect(plan_of(source, tmp_path / "later", lock=lock)).differences
    assert later is not None
    assert set(later.changed) == {changed, revised}


def test_bad_records_are_kept_apart(server: Preprints, service: Replica, tmp_path: Path) -> None:
    bad = [r for r in server.records if r["date"][:7] == "2018-02"][:3]
    bad[0]["doi"], bad[1]["title"], bad[2]["version"] = "none", "", None
    server.records.append(preprint(1, posted=date(2018, 2, 3)) | {"doi": 3})
    server.records.append(preprint(2, posted=date(2018, 2, 3)) | {"abstract": "x" * 100_001})
    result = collect(plan_of(_source(service, **FEBRUARY), tmp_path))
    assert result.counts["rejected"] == 5
    rejects = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
    assert all("all categories, 2018-02-01 to 2018-02-28, record " in r["where"] for r in rejects)


def test_saved_pages_give_the_same_documents(server: Preprints, service: Replica, tmp_path: Path) -> None:
    collect(plan_of(_source(service), tmp_path / "fetched"))
    ordered = sorted(server.records, key=lambda r: (r["version"], r["doi"]), reverse=True)
    half = len(ordered) // 2
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "1.json").write_text(json.dumps({"messages": [{"status": "ok"}], "collection": ordered[:half]}))
    pages = [{"messages": [], "collection": ordered[half:-5]}, *ordered[-5:], ordered[0]]
    (folder / "2.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages))
    source = BiorxivSource(path=folder)
    read = {d.id: d for d in source.documents(Rejects(None))}
    assert read == {d.id: replace(d, contains_phi=None) for d in rows_of(tmp_path / "fetched")}
    collect(plan_of(source, tmp_path / "collected"))
    assert [d.id for d in rows_of(tmp_path / "collected")] == list(read)
    early = BiorxivSource(path=folder, posted_to=date(2018, 2, 10))
    assert {d.id: d.revision for d in early.documents(Rejects(None))} == _latest(server, "2018-02-10")
    followed = collect(plan_of(source, tmp_path / "followed", lock=tmp_path / "fetched" / "lock.jsonl.gz"))
    assert followed.differences is not None
    assert followed.differences.are_none
    assert set(source.inputs()) == {"request", "1-1.json", "2-2.jsonl"}


def test_bad_records_of_files(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"collection": [preprint(1), preprint(2) | {"doi": "secret"}, 3]}))
    with pytest.raises(RowError, match=r"a\.json, value 1, record 2: field 'doi' holds no DOI \(or set on_error"):
        list(BiorxivSource(path=tmp_path).documents(Rejects(None)))
    rejects = Rejects(tmp_path / "rejects.jsonl")
    assert len(list(BiorxivSource(path=tmp_path, on_error="skip").documents(rejects))) == 1
    assert rejects.counts == {"rejected": 2}


def test_a_page_of_something_else(tmp_path: Path) -> None:
    page = {"messages": [{"status": "ok", "total": "many"}], "collection": ["secret", preprint(1)]}
    with replica(lambda _: Answer(json.dumps(page).encode())) as service:
        result = collect(plan_of(_source(service, **FEBRUARY), tmp_path))
    assert (result.documents, result.counts["rejected"]) == (1, 1)
    assert "secret" not in json.loads((tmp_path / "rejects.jsonl").read_text())["problem"]


def test_medrxiv_is_the_same_on_another_server(tmp_path: Path) -> None:
    server = Preprints.of(40, "medrxiv", start=date(2020, 3, 1))
    with replica(server.answer) as service:
        days = {"posted_from": date(2020, 3, 1), "posted_to": date(2020, 5, 31)}
        source = MedrxivSource(api=service.url, interval=0, **days)
        collect(plan_of(source, tmp_path))
    assert _versions(tmp_path) == _latest(server)
    assert rows_of(tmp_path)[0].fact("url").startswith("https://www.medrxiv.org/content/10.1101/")
    assert (source.name, source.release().name, BiorxivSource().release().name) == ("medrxiv", "medRxiv", "bioRxiv")
    for days in ({}, {"posted_from": date(2018, 1, 1)}):
        assert MedrxivSource(**days).shards(Client(), None)[0].key == "2019-06"


def test_settings_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="posted_to lies before the first day"):
        MedrxivSource(posted_to=date(2018, 1, 1))
