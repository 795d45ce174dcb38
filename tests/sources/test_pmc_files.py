"""PMC's files: single articles, packages of one, and bulk packages."""

import io
import json
import tarfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.sources.collecting import plan_of, rows_of
from tests.sources.replicas.ncbi_texts import PMC_SET, pmc_record

from medloom.collect.client import Client
from medloom.collect.lock import LOCK
from medloom.collect.pool import collect
from medloom.errors import SourceError
from medloom.sources import pmc
from medloom.sources.pmc import PmcSource

DOCTYPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) Journal '
    'Archiving DTD 1.3//EN" "JATS-archivearticle1-3.dtd">\n'
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _article(number: int, note: str = "") -> bytes:
    return (DOCTYPE + pmc_record(number, note=note)).encode()


def _package(path: Path, members: Mapping[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as package:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            package.addfile(info, io.BytesIO(data))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Single files in nested folders, a bulk package, and a package of one article."""
    for number in range(1, 6):
        path = tmp_path / "files" / f"PMC00{number % 2}" / f"PMC{number}.{'n' if number % 2 else ''}xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_article(number))
    (tmp_path / "files" / "notes.txt").write_text("no article")
    (tmp_path / "files" / "set.xml").write_text(PMC_SET % (pmc_record(6) + pmc_record(8)))
    bulk = {f"PMC000xxxxxx/PMC{number}.xml": _article(number) for number in range(10, 16)}
    bulk |= {"../../etc/evil.xml": _article(16), "PMC000xxxxxx/PMC12.txt": b"text", "PMC1/damaged.xml": b"<article><front>"}
    _package(tmp_path / "files" / "oa_comm_xml.PMC000xxxxxx.baseline.2026-01-01.tar.gz", bulk)
    _package(
        tmp_path / "files" / "PMC3.tar.gz", {"PMC3/a.jpg": b"\xff\xd8", "PMC3/a.nxml": _article(3, "This sentence is new.")}
    )
    return tmp_path


def _source(folder: Path, **settings: Any) -> PmcSource:
    return PmcSource(**{"path": "files", **settings}).relative_to(folder)


def _numbers(folder: Path) -> set[int]:
    return {int(d.id.removeprefix("PMC")) for d in rows_of(folder)}


def test_everything_below_a_folder_is_read(folder: Path, tmp_path: Path) -> None:
    result = collect(plan_of(_source(folder), tmp_path / "out"))
    assert _numbers(tmp_path / "out") == {1, 2, 3, 4, 5, 6, 8, *range(10, 17)}
    assert result.counts == {"rejected": 1, "again": 1}
    (problem,) = [json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()]
    assert problem["where"].endswith("tar.gz, PMC1/damaged.xml")
    assert "cut off" in problem["problem"]
    assert not (tmp_path / "etc").exists()
    assert {path.name for path in folder.iterdir()} <= {"files", "out", "cache"}


def test_licences_of_files(folder: Path, tmp_path: Path) -> None:
    result = collect(plan_of(_source(folder, licences=("cc-by-nc",)), tmp_path / "out"))
    assert _numbers(tmp_path / "out") == {1, 5, 13}
    assert result.counts["licence_cc-by"] == 4


def test_pages_go_on_within_files_and_packages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pmc, "_FILE_PAGE", 1)
    monkeypatch.setattr(pmc, "_FILES_PER_SHARD", 2)
    source = _source(folder)
    with Client() as client:
        shards = source.shards(client, None)
        assert len({shard.key for shard in shards}) == len(shards) == 6
        for shard in shards:
            pages = list(source.pages(client, shard, None))
            assert pages[-1].cursor is None
            for number, page in enumerate(pages[:-1], start=1):
                rest = [d for later in source.pages(client, shard, page.cursor) for d in later.documents]
                assert rest == [d for later in pages[number:] for d in later.documents]


def test_two_workers_and_a_lock_give_the_same(folder: Path, tmp_path: Path) -> None:
    collect(plan_of(_source(folder), tmp_path / "one"))
    collect(plan_of(_source(folder), tmp_path / "two"), workers=2)
    result = collect(plan_of(_source(folder), tmp_path / "locked", lock=tmp_path / "one" / LOCK))
    assert rows_of(tmp_path / "two") == rows_of(tmp_path / "one")
    assert rows_of(tmp_path / "locked") == rows_of(tmp_path / "one")
    assert result.differences is not None
    assert result.differences.are_none


def test_members_that_are_too_large_are_not_read(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pmc, "_LARGEST", 100)
    result = collect(plan_of(_source(folder, path="files/PMC3.tar.gz"), tmp_path / "out"))
    assert (result.documents, result.counts) == (0, {"rejected": 1})
    assert "over 100 bytes" in (tmp_path / "out" / "rejects.jsonl").read_text()


@pytest.mark.parametrize("keep", [-200, 5])
def test_a_damaged_package_is_named(keep: int, folder: Path, tmp_path: Path) -> None:
    path = next((folder / "files").glob("oa_comm*"))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(SourceError, match=r"oa_comm.*damaged or cut-off package"):
        collect(plan_of(_source(folder), tmp_path / "out"))


def test_entities_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE article [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><article><front>&b;</front></article>'
    (tmp_path / "bomb.xml").write_text(bomb)
    result = collect(plan_of(_source(tmp_path, path="bomb.xml"), tmp_path / "out"))
    assert (result.documents, result.counts) == (0, {"rejected": 1})
    assert "declares entities" in (tmp_path / "out" / "rejects.jsonl").read_text()


@pytest.mark.parametrize(("path", "problem"), [("nowhere", "no file"), ((), "path is empty"), ("empty", "no file")])
def test_paths_that_are_none(path: Any, problem: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=problem):
        _source(tmp_path, path=path).inputs()


def test_local_files_have_no_since(folder: Path) -> None:
    with Client() as client, pytest.raises(SourceError, match="into another folder"):
        _source(folder).shards(client, date(2026, 1, 1))
