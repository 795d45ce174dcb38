"""The Wikipedia source from dump files."""

import bz2
import gzip
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from tests.sources.collecting import plan_of, rows_of

from medloom.collect.client import Client
from medloom.collect.pool import collect
from medloom.errors import SourceError
from medloom.sources.wikipedia import WikipediaSource

_HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="de">
<siteinfo><base>https://wiki.example/wiki/Main_Page</base><namespaces><namespace key="0" />
<namespace key="6">Datei</namespace><namespace key="14">Kategorie</namespace></namespaces></siteinfo>
"""
_ILLNESS = "'''{0}''' is an illness.\n== Signs ==\nPain of {0}.\n[[Kategorie:{1}]]"


def _page(number: int, title: str, text: str, namespace: int = 0, more: str = "") -> str:
    return (
        f"<page><title>{escape(title)}</title><ns>{namespace}</ns><id>{number}</id>{more}<revision><id>{number + 500}</id>"
        f"<timestamp>2025-01-0{number % 9 + 1}T00:00:00Z</timestamp><text>{escape(text)}</text></revision></page>\n"
    )


_PAGES = [
    _page(1, "Gout", _ILLNESS.format("Gout", "joints") + "[[Category:Feet]]"),
    _page(2, "Kategorie:Knees", "[[Kategorie:Joints]]", 14),
    _page(3, "Old knee & co", _ILLNESS.format("Old knee", "Knees")),
    _page(4, "Kategorie:Menisci", "[[Kategorie:Knees]] [[Kategorie:Joints of the knee]]", 14),
    _page(5, "Torn meniscus", _ILLNESS.format("It", "Menisci")),
    _page(6, "Bread", _ILLNESS.format("Bread", "Food")),
    _page(7, "Podagra", "#REDIRECT [[Gout]] [[Category:Joints]]", more='<redirect title="Gout" />'),
    _page(8, "Knee (name)", "{{disambig}} [[Category:Joints]]"),
    _page(9, "List of joints", _ILLNESS.format("List", "Joints")),
    _page(10, "Nothing", "[[Category:Joints]]"),
    _page(11, "Talk:Gout", "[[Category:Joints]]", 1),
    _page(12, "Kategorie:Joints", "[[Kategorie:Menisci]]", 14),
]


def _dump(folder: Path, name: str = "pages-articles.xml.bz2", pages: list[str] | None = None) -> Path:
    text = f"{_HEAD}{''.join(_PAGES if pages is None else pages)}</mediawiki>".encode()
    packers: dict[str, Callable[[bytes], bytes]] = {".bz2": bz2.compress, ".gz": gzip.compress}
    pack = packers.get(Path(name).suffix, bytes)
    (folder / name).write_bytes(pack(text))
    return folder / name


def _source(path: Path, **settings: Any) -> WikipediaSource:
    return WikipediaSource(**{"path": path, "categories": ["Category:Joints"], **settings})


def test_articles_under_a_category(tmp_path: Path) -> None:
    result = collect(plan_of(_source(_dump(tmp_path), version="2025-02-01"), tmp_path / "out"))
    gout, knee = rows_of(tmp_path / "out")
    assert (gout.title, gout.id, gout.group, gout.revision) == ("Gout", "1", "1", "501")
    assert [(s.heading, s.text) for s in gout.sections] == [("", "Gout is an illness."), ("Signs", "Pain of Gout.")]
    assert gout.text == "Gout is an illness."
    assert gout.categories == knee.categories == ("Joints",)
    assert knee.fact("url") == "https://wiki.example/wiki/Old_knee_%26_co"
    assert (gout.fact("updated"), gout.fact("licence"), gout.fact("language")) == ("2025-01-02", "cc-by-sa-4.0", "de")
    counts = {"redirect": 1, "disambiguation": 1, "title not wanted": 1, "rejected": 1}
    assert {name: result.counts[name] for name in counts} == counts
    assert result.rounds[0]["service"] == "2025-02-01"


@pytest.mark.parametrize(("depth", "expected"), [(0, {"1"}), (1, {"1", "3"}), (2, {"1", "3", "5"}), (7, {"1", "3", "5"})])
def test_levels_and_circles(tmp_path: Path, depth: int, expected: set[str]) -> None:
    collect(plan_of(_source(_dump(tmp_path), depth=depth), tmp_path / "out"))
    assert {d.id for d in rows_of(tmp_path / "out")} == expected


def test_several_categories_and_files(tmp_path: Path) -> None:
    """What stands in which category is known over all files together; each file is a shard."""
    (tmp_path / "dump").mkdir()
    _dump(tmp_path / "dump", "p1.xml", _PAGES[:3])
    _dump(tmp_path / "dump", "p2.xml.gz", _PAGES[3:])
    source = _source(tmp_path / "dump", categories=["Joints", "Feet", "Menisci"], depth={"Joints": 2, "Menisci": 0})
    assert [shard.key for shard in source.shards(Client(), None)] == ["file p1.xml", "file p2.xml.gz"]
    collect(plan_of(source, tmp_path / "out"), workers=2)
    found = {d.title: d.categories for d in rows_of(tmp_path / "out")}
    assert found == {"Gout": ("Joints", "Feet"), "Old knee & co": ("Joints",), "Torn meniscus": ("Joints", "Menisci")}


def test_all_articles(tmp_path: Path) -> None:
    collect(plan_of(_source(_dump(tmp_path), categories=[]), tmp_path / "out"))
    assert {d.title for d in rows_of(tmp_path / "out")} == {"Gout", "Old knee & co", "Torn meniscus", "Bread"}


def test_a_cursor_goes_on_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medloom.sources.services.wikipedia_dump._PAGES", 2)
    source, client = _source(_dump(tmp_path), categories=[]), Client()
    (shard,) = source.shards(client, None)
    pages = list(source.pages(client, shard, None))
    assert [page.cursor for page in pages] == ["2", "4", "6", "8", "10", "12", None]
    for number, page in enumerate(pages[:-1]):
        assert list(source.pages(client, shard, page.cursor)) == pages[number + 1 :]


def test_a_lock_of_a_dump(tmp_path: Path) -> None:
    source = _source(_dump(tmp_path))
    collect(plan_of(source, tmp_path / "out"))
    locked = source.model_copy(update={"lock": tmp_path / "out" / "lock.jsonl.gz", "categories": ()})
    result = collect(plan_of(locked, tmp_path / "again"))
    assert result.differences is not None
    assert result.differences.same == 2
    assert rows_of(tmp_path / "again") == rows_of(tmp_path / "out")


def test_damaged_dumps(tmp_path: Path) -> None:
    path = _dump(tmp_path)
    whole = path.read_bytes()
    for broken in (whole[:-40], b"no bzip2"):
        path.write_bytes(broken)
        with pytest.raises(SourceError, match=r"pages-articles\.xml\.bz2"):
            collect(plan_of(_source(path), tmp_path / f"out {len(broken)}"))
    with pytest.raises(SourceError, match="cannot be asked for what is new"):
        _source(_dump(tmp_path)).shards(Client(), date(2025, 1, 1))
