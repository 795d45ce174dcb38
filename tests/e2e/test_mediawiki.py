"""The Wikipedia source against a real MediaWiki with TextExtracts, which is also held against the replica of it."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.mediawiki import RunningWiki, mediawiki, why_not
from tests.replica import replica
from tests.sources.collecting import plan_of, rows_of
from tests.sources.replicas.wikipedia import API, Wiki, parts_of

from medloom.collect.client import Client
from medloom.collect.lock import content_digest
from medloom.collect.pool import collect
from medloom.records import Document
from medloom.sources.formats.wikipedia_text import extract_of
from medloom.sources.services.mediawiki import MediaWiki
from medloom.sources.wikipedia import WikipediaSource

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "it can be run")

_ILLNESS = """'''{title}''' is an [[illness]] of case {number}.<ref>A book.</ref>
{{| class="infobox"
| Kind || illness
|}}

== Signs ==
Pain at 40&nbsp;&lt;&nbsp;50 degrees &amp; more.

=== In ''children'' ===
* rare
* short

== References ==
<references />
[[Category:{category}]]"""
_RICH = """Rest is [[File:No.png|thumb|a caption]]all of H<sub>2</sub>O.
<blockquote>Quoted  words.</blockquote>
== Médecine ==
; term : definition
# one [https://example.org link]
# <span class="noprint">gone</span> two <nowiki>''three''</nowiki> x &lt;b&gt; &amp;amp;

 preformatted
<div class="hatnote">gone</div>
==== Deep ====
<code>a  b</code><br />next line
[[Category:Joints]]"""
_PAGES = {
    "Category:Joints": "[[Category:Feet]]",
    "Category:Knees": "[[Category:Joints]]",
    "Category:Menisci": "[[Category:Knees]]",
    "Category:Feet": "[[Category:Menisci]]",
    "Category:Articulations": "{{Category redirect|Joints}}",
    "Podagra": "#REDIRECT [[Illness 1]]\n[[Category:Joints]]",
    "Gout (name)": "It may be one or the other. __DISAMBIG__ [[Category:Joints]]",
    "List of joints": "Many. [[Category:Joints]]",
    "Rich": _RICH,
}
_N = 6


def _page(number: int, category: str) -> str:
    return _ILLNESS.format(title=f"Illness {number}", number=number, category=category)


@pytest.fixture(scope="module")
def wiki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWiki]:
    with mediawiki(tmp_path_factory.mktemp("mediawiki")) as running:
        levels = ("Joints", "Knees", "Menisci")
        illnesses = {f"Illness {n}": _page(n, levels[n * len(levels) // _N]) for n in range(_N)}
        running.fill(_PAGES | illnesses)
        yield running


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns of the tests are not those of the user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _source(wiki: RunningWiki, **settings: Any) -> WikipediaSource:
    return WikipediaSource(**{"api": wiki.api, "categories": ["Joints"], "depth": 2, "interval": 0, **settings})


def _rows(folder: Path) -> dict[str, Document]:
    return {document.title: document for document in rows_of(folder)}


def test_pages_of_a_category(wiki: RunningWiki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels, circles, lists in parts, what is left out, sections, revisions; a category that has moved."""
    monkeypatch.setattr("medloom.sources.services.wikipedia_walk._MEMBERS", "2")
    monkeypatch.setattr("medloom.sources.wikipedia.AT_ONCE", 3)
    result = collect(plan_of(_source(wiki, categories=["Articulations", "Knees"], depth={"Articulations": 2}), tmp_path))
    rows = _rows(tmp_path)
    assert set(rows) == {"Rich", *(f"Illness {n}" for n in range(_N))}
    assert rows["Illness 3"].categories == ("Articulations", "Knees")
    assert rows["Illness 1"].categories == ("Articulations",)
    assert {name: result.counts[name] for name in ("disambiguation", "redirect", "title not wanted")} == {
        "disambiguation": 1,
        "redirect": 1,
        "title not wanted": 1,
    }
    assert [(s.heading, s.text) for s in rows["Illness 1"].sections] == [
        ("", "Illness 1 is an illness of case 1."),
        ("Signs", "Pain at 40 < 50 degrees & more."),
        ("In children", "rare\nshort"),
    ]
    assert rows["Illness 1"].revision.isdigit()
    assert rows["Illness 1"].fact("updated") == "2024-03-01"
    assert rows["Illness 1"].fact("url") == f"{wiki.url}/index.php/Illness_1"
    assert result.rounds[0]["service"].startswith("Test, MediaWiki 1.")


def test_html_reads_as_extracts_do(wiki: RunningWiki) -> None:
    """To the letter: what the text of an old revision depends on."""
    with Client() as client:
        interface = MediaWiki(client, wiki.api, 0)
        asked = {"prop": "extracts|revisions", "rvprop": "ids", "explaintext": "1", "exsectionformat": "wiki"}
        pages = interface.pages({"titles": "|".join(["Rich", *(f"Illness {n}" for n in range(_N))]), **asked})
        assert len(pages) == _N + 1
        for page in pages:
            assert extract_of(interface.html(page["revisions"][0]["revid"]) or "") == page["extract"]


def test_the_dump_of_the_same_wiki(wiki: RunningWiki, tmp_path: Path) -> None:
    wiki.dump(tmp_path / "pages-articles.xml.bz2")
    collect(plan_of(_source(wiki), tmp_path / "fetched"))
    collect(plan_of(_source(wiki, path=tmp_path / "pages-articles.xml.bz2"), tmp_path / "read"))
    fetched, read = _rows(tmp_path / "fetched"), _rows(tmp_path / "read")
    assert set(fetched) == set(read)
    assert {d for d in read.values() if d.title != "Rich"} == {d for d in fetched.values() if d.title != "Rich"}
    assert [s.heading for s in read["Rich"].sections] == [s.heading for s in fetched["Rich"].sections]


def test_brought_up_to_date_and_locked(wiki: RunningWiki, tmp_path: Path) -> None:
    """A page changes, one goes, one comes; the lock of before still gives the old text of the changed one."""
    source = _source(wiki, depth=0, categories=["Feet of old"])
    wiki.fill({f"Old {n}": _page(n, "Feet of old") for n in range(4)})
    collect(plan_of(source, tmp_path / "first"))
    before, lock = _rows(tmp_path / "first"), tmp_path / "lock.jsonl.gz"
    lock.write_bytes((tmp_path / "first" / "lock.jsonl.gz").read_bytes())
    wiki.edit("Old 1", _page(1, "Feet of old").replace("Pain", "No pain"))
    wiki.edit("Old 9", _page(9, "Feet of old"))
    wiki.delete("Old 2")
    collect(plan_of(source, tmp_path / "first"), since=datetime.now(UTC).date() - timedelta(days=1))
    after = _rows(tmp_path / "first")
    assert set(after) == {"Old 0", "Old 1", "Old 3", "Old 9"}
    assert after["Old 1"].sections[1].text.startswith("No pain")
    assert after["Old 1"].revision > before["Old 1"].revision

    result = collect(plan_of(source.model_copy(update={"lock": lock}), tmp_path / "second"))
    again = _rows(tmp_path / "second")
    assert {title: content_digest(d) for title, d in again.items()} == {
        title: content_digest(d) for title, d in before.items() if title != "Old 2"
    }
    assert again["Old 1"] == before["Old 1"]
    assert result.differences is not None
    assert result.differences.vanished == [before["Old 2"].id]
    assert (result.differences.same, result.differences.changed) == (3, [])


def _keys(value: Any, path: str = "") -> set[str]:
    """Every path of keys of a JSON value."""
    if isinstance(value, dict):
        return {key for name, one in value.items() for key in _keys(one, f"{path}.{name}")} | {path}
    if isinstance(value, list):
        return {key for one in value for key in _keys(one, f"{path}[]")} | {path}
    return {path}


def _answer(api: str, **asked: Any) -> tuple[Any, dict[str, str]]:
    query = urllib.parse.urlencode({"format": "json", "formatversion": "2", **asked})
    with urllib.request.urlopen(f"{api}?{query}", timeout=30) as answer:
        return json.load(answer), {name.lower(): value for name, value in answer.headers.items()}


_INFO = {"prop": "info|pageprops|revisions", "inprop": "url", "ppprop": "disambiguation", "rvprop": "ids|timestamp"}
_EXTRACT = {"prop": "extracts|revisions", "explaintext": 1, "exsectionformat": "wiki", "rvprop": "ids|timestamp"}
_MEMBER = "ids|title|type|timestamp"
_ASKED: dict[str, dict[str, Any]] = {
    "members": {"list": "categorymembers", "cmtitle": "Category:{name}", "cmlimit": 500, "cmprop": _MEMBER},
    "members in parts": {"list": "categorymembers", "cmtitle": "Category:{name}", "cmlimit": 1, "cmprop": _MEMBER},
    "a bad token": {"list": "categorymembers", "cmtitle": "Category:{name}", "cmcontinue": "nonsense"},
    "pages": {"pageids": "{one}|{two}|{ambiguous}|{moved}|999999999", **_INFO},
    "redirects": {"pageids": "{moved}", "redirects": 1, **_INFO},
    "too many": {"pageids": "|".join(map(str, range(1, 52))), **_INFO},
    "categories": {"titles": "Category:{name}|Category:No such", "prop": "categoryinfo|revisions", "rvprop": "content"}
    | {"rvslots": "main"},
    "an extract": {"pageids": "{one}", **_EXTRACT, "exlimit": 1},
    "extracts": {"pageids": "{one}|{two}", **_EXTRACT},
    "the rest of extracts": {"pageids": "{one}|{two}", **_EXTRACT, "exlimit": 1, "excontinue": 1},
    "revisions": {"revids": "{revision}|999999999", "prop": "revisions", "rvprop": "ids|timestamp"},
    "a parsed revision": {"action": "parse", "oldid": "{revision}", "prop": "text|revid", "wrapoutputclass": ""},
    "a revision that is not": {"action": "parse", "oldid": "999999999", "prop": "text"},
    "deletions": {"list": "logevents", "leaction": "delete/delete", "leprop": "ids|title|timestamp|type"}
    | {"leend": "2020-01-01T00:00:00Z", "lenamespace": 0, "lelimit": 1},
    "an action that is not": {"action": "nonsense"},
}
_NOT_IN_REPLICA = {"pagelanguagehtmlcode", "pagelanguagedir", "length", "new", "editurl", "fromencoded", "limits"}
_ONLY_FOR_TOO_MANY = {"limit", "lowlimit", "highlimit"}


@pytest.fixture(scope="module")
def both(wiki: RunningWiki) -> Iterator[tuple[tuple[str, dict[str, Any]], tuple[str, dict[str, Any]]]]:
    """Addresses of the real interface and of the replica, each with what the questions name."""
    wiki.fill({f"Gone {n}": "soon" for n in range(2)})
    for number in range(2):
        wiki.delete(f"Gone {number}")
    titles = {"one": "Illness 0", "two": "Illness 1", "ambiguous": "Gout (name)", "moved": "Podagra"}
    found, _ = _answer(wiki.api, action="query", titles="|".join(titles.values()), prop="revisions", rvprop="ids")
    ids = {page["title"]: page for page in found["query"]["pages"]}
    real = {name: ids[title]["pageid"] for name, title in titles.items()}
    real |= {"name": "Joints", "revision": ids["Illness 0"]["revisions"][0]["revid"]}

    copy = Wiki(_N)
    made = {name: copy.write(title, parts_of("x", 1)) for name, title in titles.items()}
    made["ambiguous"].disambiguation, made["moved"].redirect = True, "Illness 0"
    for number in range(2):
        copy.delete(copy.write(f"Gone {number}", parts_of("x", 1)).id, f"{date.today()}T00:00:0{number}Z")
    for entry in made.values():
        copy.add("Joints", entry)
    ours: dict[str, int | str] = {name: entry.id for name, entry in made.items()}
    ours |= {"name": "Joints", "revision": made["one"].revisions[0].id}
    with replica(copy.answer) as running:
        yield (wiki.api, real), (running.url + API, ours)


@pytest.mark.parametrize("question", _ASKED)
def test_the_replica_answers_alike(question: str, both: tuple[tuple[str, dict[str, Any]], ...]) -> None:
    """The same keys at the same places, the same error, and the same way to go on."""
    answers = []
    for api, names in both:
        asked = {name: str(value).format(**names) for name, value in _ASKED[question].items()}
        answer, headers = _answer(api, **{"action": "query", **asked})
        without = _NOT_IN_REPLICA | _ONLY_FOR_TOO_MANY
        keys = {key for key in _keys(answer) if not without & set(key.replace("[]", "").split("."))}
        further = {name: str(value).count("|") for name, value in answer.get("continue", {}).items() if name != "continue"}
        error = (answer.get("error", {}).get("code"), headers.get("mediawiki-api-error"))
        answers.append((keys, further, error, sorted(answer.get("warnings", ()))))
    assert answers[0] == answers[1]
