"""The Wikipedia source against a replica of MediaWiki's interface."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.replica import Fault, Replica, replica
from tests.sources.collecting import kill_nine, plan_of, rows_of
from tests.sources.replicas.wikipedia import API, Wiki, parts_of, refused

from medloom.collect.client import Client, ServiceError
from medloom.collect.job import Result
from medloom.collect.pages import Page, Shard
from medloom.collect.pool import collect
from medloom.errors import SourceError
from medloom.records import Document
from medloom.sources.services.wikipedia_walk import Category, Walk, packed, unpacked
from medloom.sources.wikipedia import WikipediaSource

N = 8
LATER = "2025-06-02T08:00:00Z"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns of the tests are not those of the user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def wiki() -> Wiki:
    return Wiki(N)


@pytest.fixture
def service(wiki: Wiki) -> Iterator[Replica]:
    with replica(wiki.answer) as running:
        yield running


def _source(service: Replica, **settings: Any) -> WikipediaSource:
    return WikipediaSource(**{"api": service.url + API, "categories": ["Gout"], "interval": 0, **settings})


def _collected(service: Replica, folder: Path, **settings: Any) -> tuple[dict[str, Document], Result]:
    result = collect(plan_of(_source(service, **settings), folder))
    return {document.title: document for document in rows_of(folder)}, result


def test_a_document_on_every_field(service: Replica, wiki: Wiki, tmp_path: Path) -> None:
    rows, result = _collected(service, tmp_path, depth=0)
    assert list(rows) == [f"Gout {number}" for number in range(N)]
    document, parts = rows["Gout 3"], parts_of("Gout", 3)
    entry = wiki.pages[int(document.id)]
    assert [(s.heading, s.text) for s in document.sections] == [(heading, text) for _, heading, text in parts if text]
    assert document.sections[0].heading == ""
    assert document.text == document.sections[0].text
    assert (document.group, document.revision) == (document.id, str(entry.revisions[0].id))
    assert document.categories == ("Gout",)
    assert document.fact("url") == "https://replica.example/wiki/Gout_3"
    assert document.fact("updated") == "2024-03-01"
    assert document.fact("licence") == "cc-by-sa-4.0"
    assert document.fact("language") == "en"
    assert result.rounds[0]["service"] == "Replica, MediaWiki 1.39.17"
    assert all(r.query["maxlag"] == "5" for r in service.requests)


def test_levels_and_circles(service: Replica, tmp_path: Path) -> None:
    """Breadth first, each category once, and no more levels than asked for."""
    rows, _ = _collected(service, tmp_path / "1")
    assert {title[:-2] for title in rows} == {"Gout", "Gout (level 1)"}
    assert [title[:-2] for title in rows] == ["Gout"] * N + ["Gout (level 1)"] * N
    deep, _ = _collected(service, tmp_path / "5", depth=5)
    assert {title[:-2] for title in deep} == {"Gout", "Gout (level 1)", "Gout (level 2)"}
    asked = [r.query["cmtitle"] for r in service.asked(list="categorymembers")]
    assert asked[2:] == ["Category:Gout", "Category:Gout (level 1)", "Category:Gout (level 2)"]
    assert [r.query["cmtype"] for r in service.asked(list="categorymembers")][:2] == ["page|subcat", "page"]


def test_a_depth_and_a_cap_for_each_category(service: Replica, tmp_path: Path) -> None:
    settings = {"categories": ["Category:Old_age", "Gout"], "depth": {"Old age": 0}, "most": {"Category:Gout": N + 2}}
    rows, _ = _collected(service, tmp_path, **settings)
    assert [title[:-2] for title in rows] == ["Old age"] * N + ["Gout"] * N + ["Gout (level 1)"] * 2
    assert {d.categories for d in rows.values()} == {("Old age",), ("Gout",)}


def test_a_page_in_two_categories(service: Replica, wiki: Wiki, tmp_path: Path) -> None:
    wiki.add("Gout", wiki.write("Both", parts_of("Both", 1)))
    wiki.add("Salt", wiki.write("Both", parts_of("Both", 1)))
    rows, result = _collected(service, tmp_path, categories=["Salt", "Gout"])
    assert rows["Both"].categories == ("Salt", "Gout")
    assert result.counts["again"] == 1


def test_long_lists_are_continued(service: Replica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medloom.sources.services.wikipedia_walk._MEMBERS", "3")
    rows, _ = _collected(service, tmp_path)
    assert len(rows) == 2 * N
    assert len(service.asked(list="categorymembers")) == 3 + 3


def test_what_is_left_out(service: Replica, wiki: Wiki, tmp_path: Path) -> None:
    wiki.add("Gout", wiki.write("Podagra", parts_of("x", 1), redirect="Gout 1"))
    wiki.add("Gout", wiki.write("Gout (name)", parts_of("x", 2), disambiguation=True))
    wiki.add("Gout", wiki.write("List of gouts", parts_of("x", 3)))
    wiki.add("Gout", wiki.write("Nothing", ((0, "", ""),)))
    gone = wiki.write("Gone", parts_of("x", 5))
    wiki.add("Gout", gone)
    wiki.pages[gone.id].gone = LATER
    rows, result = _collected(service, tmp_path, depth=0)
    assert list(rows) == [f"Gout {number}" for number in range(N)]
    left_out = {"deleted": 1, "disambiguation": 1, "redirect": 1, "rejected": 1, "title not wanted": 1}
    assert {name: result.counts[name] for name in left_out} == left_out
    reject = json.loads((tmp_path / "rejects.jsonl").read_text())
    assert reject["problem"] == "the wiki gives no text of this page"
    everything, _ = _collected(service, tmp_path / "other", depth=0, without_titles=[])
    assert set(everything) - set(rows) == {"List of gouts"}


def test_a_redirect_may_stand_for_its_page(service: Replica, wiki: Wiki, tmp_path: Path) -> None:
    wiki.category("Salt")
    wiki.add("Gout", wiki.write("Salty", parts_of("x", 1), redirect="Salt 1"))
    rows, result = _collected(service, tmp_path, depth=0, redirects=True)
    assert rows["Salt 1"].categories == ("Gout",)
    assert "redirect" not in result.counts


@pytest.mark.parametrize(
    "text", ["#REDIRECT [[:Category:Salt]]", "{{Category redirect|Salt}}", "{{cat redirect | 1 = :Category:Salt}}"]
)
def test_a_category_that_has_moved(service: Replica, wiki: Wiki, tmp_path: Path, text: str) -> None:
    wiki.texts["Category:Gout"] = text
    wiki.categories["Gout"] = []
    rows, _ = _collected(service, tmp_path, depth=0)
    assert {(d.title[:-2], d.categories) for d in rows.values()} == {("Salt", ("Gout",))}


def test_a_category_that_is_not_there(service: Replica, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such category, or nothing in it: No such: check"):
        _collected(service, tmp_path / "1", categories=["Gout", "No such"])
    rows, result = _collected(service, tmp_path / "2", categories=["Gout", "No such"], depth=0, on_error="skip")
    assert len(rows) == N
    assert result.counts["rejected"] == 1
    assert "category No such" in (tmp_path / "2" / "rejects.jsonl").read_text()


def test_settings_that_contradict() -> None:
    with pytest.raises(ValidationError, match="categories are missing"):
        WikipediaSource()
    with pytest.raises(ValidationError, match="a category is empty"):
        WikipediaSource(categories=("Category: ",))
    with pytest.raises(ValidationError, match="Salt: name only what stands in categories"):
        WikipediaSource(categories=("Gout",), depth={"Salt": 2})


def test_a_wiki_without_extracts(tmp_path: Path) -> None:
    """The text comes from HTML then, and is the same."""
    with replica(Wiki(N).answer) as with_them, replica(Wiki(N, extracts=False).answer) as without:
        one, _ = _collected(with_them, tmp_path / "1", depth=0)
        other, _ = _collected(without, tmp_path / "2", depth=0)
    assert one == other


def test_a_page_that_the_wiki_cannot_give(wiki: Wiki, tmp_path: Path) -> None:
    def answer(request: Any) -> Any:
        if "extracts" in request.query.get("prop", "") and request.query["pageids"] == bad:
            return wiki.answer(replace(request, query={**request.query, "action": "none"}))
        return wiki.answer(request)

    bad = str(wiki.category("Gout")[2][0])
    with replica(answer) as service:
        rows, result = _collected(service, tmp_path, depth=0)
    assert (len(rows), result.counts["rejected"]) == (N - 1, 1)


def test_errors_and_faults_are_survived(tmp_path: Path) -> None:
    faults = {
        0: refused("maxlag", "0.05"),
        2: refused("ratelimited"),
        4: refused("readonly"),
        6: refused("internal_api_error_DBQueryError"),
        8: Fault(status=429, headers={"Retry-After": "0"}),
        10: Fault(),
        12: Fault("drop"),
        14: Fault("cut"),
        16: Fault("stall"),
        18: Fault(status=200, body=b"<html>"),
    }
    with replica(Wiki(N).answer) as unbroken:
        expected, _ = _collected(unbroken, tmp_path / "unbroken")
    with replica(Wiki(N).answer, faults) as service:
        rows, _ = _collected(service, tmp_path / "broken")
        assert not service.faults
    assert rows == expected


def test_an_error_that_will_not_pass(wiki: Wiki, tmp_path: Path) -> None:
    with (
        replica(wiki.answer, {1: refused("invalidtitle")}) as service,
        pytest.raises(ServiceError, match=r"refuses a request \(error invalidtitle\)"),
    ):
        _collected(service, tmp_path)


def test_broken_off_anywhere_and_gone_on_with(wiki: Wiki, service: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cursor leads to what comes after it: in the middle of the walk, of a list, and of the pages."""
    monkeypatch.setattr("medloom.sources.services.wikipedia_walk._MEMBERS", "3")
    monkeypatch.setattr("medloom.sources.wikipedia.AT_ONCE", 5)
    source, client = _source(service), Client()
    (shard,) = source.shards(client, None)
    pages = list(source.pages(client, shard, None))
    ids = [d.id for page in pages for d in page.documents]
    assert len(ids) == len(set(ids)) == 2 * N
    assert pages[-1].cursor is None
    for number, page in enumerate(pages[:-1]):
        after = [d.id for later in source.pages(client, shard, page.cursor) for d in later.documents]
        assert after == [d.id for later in pages[number + 1 :] for d in later.documents]


def test_a_token_that_the_wiki_no_longer_takes(service: Replica, wiki: Wiki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medloom.sources.services.wikipedia_walk._MEMBERS", "3")
    source, client = _source(service, depth=0), Client()
    (shard,) = source.shards(client, None)
    first: Page = next(iter(source.pages(client, shard, None)))
    wiki.categories["Gout"] = [one for one in wiki.categories["Gout"] if not one[2].endswith(("3", "4"))]
    titles = [d.title for page in source.pages(client, shard, first.cursor) for d in page.documents]
    assert titles == [f"Gout {number}" for number in range(N) if number not in (3, 4)]


def test_killed_and_gone_on_with(tmp_path: Path) -> None:
    with replica(Wiki(45).answer) as service:
        source = _source(service)
        kill_nine(source, tmp_path / "killed", service, after=4 + 60)
        asked = len(service.requests)
        collect(plan_of(source, tmp_path / "killed"))
        assert len(service.asked(explaintext="1")) < 90 + 45
        assert len(service.requests) - asked < 60
        collect(plan_of(source, tmp_path / "whole"))
    assert rows_of(tmp_path / "killed") == rows_of(tmp_path / "whole")


def test_two_workers(service: Replica, tmp_path: Path) -> None:
    source = _source(service, categories=["Gout", "Salt", "Bread"], depth=0)
    collect(plan_of(source, tmp_path / "one"))
    collect(plan_of(source, tmp_path / "two"), workers=2)
    assert rows_of(tmp_path / "two") == rows_of(tmp_path / "one")


def test_the_rate_is_kept(service: Replica, tmp_path: Path) -> None:
    _collected(service, tmp_path, depth=0, most=4, interval=0.03)
    moments = service.moments
    assert len(moments) == 8
    assert all(one - moments[0] >= 0.03 * number - 0.02 for number, one in enumerate(moments))


def test_brought_up_to_date(service: Replica, wiki: Wiki, tmp_path: Path) -> None:
    """Changed pages, pages new to the category, and pages that are gone; the rest is looked up, not fetched."""
    source = _source(service, depth=0)
    before = {d.title: d for d in rows_of_after(source, tmp_path)}
    wiki.write("Gout 1", parts_of("changed", 1), LATER)
    wiki.delete(int(before["Gout 2"].id), LATER)
    back = wiki.pages[int(before["Gout 4"].id)]
    wiki.pages[int(before["Gout 5"].id)].redirect = "Gout 1"
    wiki.add("Gout", wiki.write("Old page, new here", parts_of("x", 1)), LATER)
    asked = len(service.requests)
    result = collect(plan_of(source, tmp_path), since=date(2025, 6, 1))
    after = {d.title: d for d in rows_of(tmp_path)}
    assert set(after) == (set(before) - {"Gout 2", "Gout 5"}) | {"Old page, new here"}
    assert {title for title in before if title in after and after[title] != before[title]} == {"Gout 1"}
    assert after["Gout 1"].revision == str(wiki.pages[int(after["Gout 1"].id)].revisions[1].id)
    assert after["Gout 4"].revision == str(back.revisions[0].id)
    assert len([r for r in service.requests[asked:] if "explaintext" in r.query]) == 2
    assert result.counts["unchanged"] == N - 3
    assert result.counts["withdrawn"] == 2


def rows_of_after(source: WikipediaSource, folder: Path) -> list[Document]:
    """What a first collection gives."""
    collect(plan_of(source, folder))
    return rows_of(folder)


def test_a_log_of_deletions_in_parts(service: Replica, wiki: Wiki, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(60):
        wiki.pages[wiki.write(f"Gone {number}", parts_of("x", 1)).id].gone = f"2025-06-02T08:00:{number:02}Z"
    monkeypatch.setattr("tests.sources.replicas.wikipedia._MEMBERS", 25)
    source, client = _source(service), Client()
    shard = Shard("deleted pages", json.dumps({"name": "", "starts": [], "depth": 1, "most": 1, "since": "2025-06-01"}))
    pages = list(source.pages(client, shard, None))
    assert [len(page.gone) for page in pages] == [25, 25, 10]
    assert [page.gone for page in source.pages(client, shard, pages[0].cursor)] == [page.gone for page in pages[1:]]


def test_a_lock_is_followed_to_old_revisions(service: Replica, wiki: Wiki, tmp_path: Path) -> None:
    source = _source(service, depth=0, redirects=True)
    before = {d.title: d for d in rows_of_after(source, tmp_path / "first")}
    wiki.write("Gout 1", parts_of("changed", 1), LATER)
    wiki.delete(int(before["Gout 2"].id), LATER)
    suppressed = wiki.write("Gout 3", parts_of("changed", 3), LATER)
    del suppressed.revisions[0]
    locked = source.model_copy(update={"lock": tmp_path / "first" / "lock.jsonl.gz"})
    result = collect(plan_of(locked, tmp_path / "second"))
    after = {d.title: d for d in rows_of(tmp_path / "second")}
    assert set(after) == set(before) - {"Gout 2"}
    assert {title for title in after if after[title] != before[title]} == {"Gout 3"}
    assert result.differences is not None
    assert result.differences.vanished == [before["Gout 2"].id]
    assert result.differences.changed == [before["Gout 3"].id]
    assert result.differences.same == N - 2


def test_cursors_are_short() -> None:
    """Sixteen thousand pages, the most that the benchmark wants of a category, in about a hundred kilobytes."""
    numbers = [int.from_bytes(f"{number}".encode(), "big") % 80_000_000 for number in range(16_384)]
    assert unpacked(packed(numbers)) == numbers
    assert len(packed(numbers)) < 110_000
    walk = Walk.begun(Category("Gout", ("Category:Gout",)), None)
    assert Walk.begun(Category("Gout"), walk.cursor()) == walk
    with pytest.raises(SourceError, match="damaged list of pages"):
        unpacked("none")


def test_the_same_settings_are_the_same_request(service: Replica) -> None:
    source = _source(service)
    assert source.inputs() == _source(service).inputs()
    assert source.inputs() != _source(service, depth=2).inputs()
    assert source.release().licence.startswith("CC BY-SA 4.0")
    assert not source.contains_phi
