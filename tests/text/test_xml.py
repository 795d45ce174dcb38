"""The XML reader: what it gives, what it refuses, and that it holds little meanwhile."""

import gzip
import io
import tracemalloc
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import psutil
import pytest

from medloom.errors import SourceError
from medloom.text.xml import iter_elements, parse_bytes

MEGABYTE = 1 << 20
BOMB = (
    '<!DOCTYPE set [<!ENTITY l0 "secret">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10)) + "]>"
)


class Stream:
    """A file of parts that are made as they are read; it watches the memory of its reader."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._process = psutil.Process()
        self._start = self._process.memory_info().rss
        self.given = 0
        self.growth = 0

    def read(self, size: int, /) -> bytes:
        part = next(self._parts, b"")
        self.given += len(part)
        self.growth = max(self.growth, self._process.memory_info().rss - self._start)
        return part


def _texts(document: bytes | str, *tags: str) -> list[str | None]:
    raw = document.encode() if isinstance(document, str) else document
    return [element.text for element in iter_elements(io.BytesIO(raw), tags or ("record",), "own.xml")]


def test_elements_by_local_name_in_any_namespace() -> None:
    document = (
        '<set xmlns="https://own.example/a" xmlns:b="https://own.example/b"><record>one</record><b:record>two</b:record>'
        "<other>x</other><date>three</date></set>"
    )
    assert _texts(document, "record", "date") == ["one", "two", "three"]


def test_comments_and_instructions_do_not_tear_text_apart() -> None:
    assert _texts("<set><record>on<!-- no -->e<?no no?></record><record>&#233;&amp;<![CDATA[<i>]]></record></set>") == [
        "one",
        "é&<i>",
    ]


def test_an_element_inside_one_of_its_kind_stays_in_it() -> None:
    document = b"<set><record><record>inner</record></record><record/></set>"
    found = [len(element) for element in iter_elements(io.BytesIO(document), {"record"}, "own.xml")]
    assert found == [1, 0]


def test_the_root_can_be_asked_for() -> None:
    (root,) = iter_elements(io.BytesIO(b"<record><a>x</a></record>"), {"record"}, "own.xml")
    assert root.tag == "record"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "utf-8-sig"])
def test_encodings_that_are_declared(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    assert _texts(f'<?xml version="1.0" encoding="{declared}"?><set><record>é</record></set>'.encode(encoding)) == ["é"]


def test_a_path_plain_or_packed(tmp_path: Path) -> None:
    document = b"<set><record>one</record>" + b"\n" * 200_000 + b"<record>two</record></set>"
    (tmp_path / "plain.xml").write_bytes(document)
    (tmp_path / "packed.xml.gz").write_bytes(gzip.compress(document))
    (tmp_path / "members.xml.gz").write_bytes(gzip.compress(document[:30]) + gzip.compress(document[30:]) + b"\0" * 9)
    for path in tmp_path.iterdir():
        assert [e.text for e in iter_elements(path, {"record"}, path.name)] == ["one", "two"]


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"own\.xml cannot be read"):
        list(iter_elements(tmp_path / "own.xml", {"record"}, "own.xml"))


def test_an_external_dtd_is_named_but_not_fetched() -> None:
    assert _texts('<!DOCTYPE set SYSTEM "http://127.0.0.1:9/own.dtd"><set><record>one</record></set>') == ["one"]


@pytest.mark.parametrize(
    "document",
    [
        BOMB + "<set><record>&l9;</record></set>",
        BOMB + '<set><record a="&l9;"/></set>',
        BOMB + "<set><record>harmless</record></set>",
        '<!DOCTYPE set [<!ENTITY f SYSTEM "file:///etc/hostname">]><set><record>&f;</record></set>',
        '<!DOCTYPE set [<!ENTITY f SYSTEM "http://127.0.0.1:9/">]><set><record>&f;</record></set>',
        '<!DOCTYPE set [<!ENTITY % f SYSTEM "file:///etc/hostname"> %f;]><set><record/></set>',
        '<!DOCTYPE set [<!ENTITY a "&b;"><!ENTITY b "&a;">]><set><record>&a;</record></set>',
    ],
)
def test_declared_entities_are_refused(document: str) -> None:
    for read in (_texts, lambda d: parse_bytes(d.encode(), "own.xml", MEGABYTE)):
        with pytest.raises(SourceError, match=r"own\.xml.*refused") as caught:
            read(document)
        assert "secret" not in str(caught.value)


def test_abbreviations_for_addresses_can_be_allowed() -> None:
    document = (
        '<!DOCTYPE set [<!ENTITY own "https://own.example/#">]>'
        '<set><record about="&own;a">one</record><record about="b">two</record></set>'
    )
    found = [e.get("about") for e in iter_elements(io.BytesIO(document.encode()), {"record"}, "own.xml", abbreviations=True)]
    assert found == ["https://own.example/#a", "b"]
    for worse in ('"&amp;b;"', f'"{"x" * 201}"', 'SYSTEM "file:///etc/hostname"', '"&#60;record/>"', '"&#37;b;"'):
        refused = document.replace('"https://own.example/#"', worse).encode()
        with pytest.raises(SourceError, match=r"own\.xml"):
            list(iter_elements(io.BytesIO(refused), {"record"}, "own.xml", abbreviations=True))
    with pytest.raises(SourceError, match="declares entities of its own"):
        _texts(document)


def test_repeating_an_abbreviation_ends_at_a_limit() -> None:
    document = f'<!DOCTYPE set [<!ENTITY a "{"y" * 200}">]><set><record a="{"&a;" * 60_000}"/></set>'
    with pytest.raises(SourceError, match="it goes beyond what is read"):
        list(iter_elements(io.BytesIO(document.encode()), {"record"}, "own.xml", abbreviations=True))


@pytest.mark.parametrize(
    ("before", "filling"),
    [
        (b'<set><record a="', b"y"),
        (b'<set><record a="', b"> "),
        (b"<set><record>", b"y"),
        (b"<set><", b"y"),
        (b"<set><!--", b"y"),
        (b"<set><record/><!--", b"<a/>"),
        (b"<set><?own ", b"y"),
        (b"<set><record><![CDATA[", b"y"),
        (b'<set a="', b"y"),
        (b"<!--", b"y"),
        (b"", b" "),
        (b"<set><record>", b"<a/>"),
    ],
)
def test_a_gigabyte_is_not_waited_for(before: bytes, filling: bytes) -> None:
    part = filling * (MEGABYTE // len(filling))
    stream = Stream(chain([before], repeat(part, 1_000)))
    with pytest.raises(SourceError, match=r"own\.xml"):
        list(iter_elements(stream, {"record"}, "own.xml", max_element_mb=4))
    assert stream.given <= 20 * MEGABYTE
    assert stream.growth < 150 * MEGABYTE


def test_a_packed_gigabyte_is_unpacked_in_small_parts() -> None:
    packed = gzip.compress(b"<set><record>" + b" " * (200 * MEGABYTE), compresslevel=1)
    tracemalloc.start()
    with pytest.raises(SourceError, match="refused"):
        list(iter_elements(io.BytesIO(packed), {"record"}, "own.xml"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * MEGABYTE


@pytest.mark.parametrize("other", [b"<record><a>text</a></record>", b"<skip><a>text</a></skip>", b"<skip><b/><c/></skip>"])
def test_memory_is_flat(other: bytes) -> None:
    part = other * 4_000
    stream = Stream(chain([b"<set><list><record/>"], repeat(part, 60), [b"</list></set>"]))
    found = sum(1 for _ in iter_elements(stream, {"record"}, "own.xml"))
    assert found == 1 + part.count(b"<record>") * 60
    assert stream.growth < 25 * MEGABYTE


def test_nesting_is_limited() -> None:
    with pytest.raises(SourceError, match="line 1: it goes beyond what is read"):
        _texts("<record>" * 100_000)
    with pytest.raises(SourceError, match="line 1: it goes beyond what is read"):
        parse_bytes(b"<a>" * 100_000, "own.xml", MEGABYTE)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"<set>\n<record>secret", "line 2: it ends before its root"),
        (b"<set>\n<record>secret</record>", "line 2: it ends before its root"),
        (b'<?xml version="1.0"?>', "own.xml"),
        (b"<set", "own.xml"),
        (b"", "it is empty"),
        (b'{"secret": 1}', "does not begin as XML"),
        (b"<set>\n\n<record>secret</set>", "line 3: it is not well-formed XML .tag name mismatch"),
        (b"<set><record/></set><set/>", "it ends before|not well-formed"),
        ('<?xml version="1.0" encoding="UTF-8"?><set>\n<record>sécret</record></set>'.encode("latin-1"), "line 2.*encoding"),
        (b'<?xml version="1.0" encoding="secret-8"?><set/>', "unknown encoding"),
        (b"<set>\n<record>\x01secret</record></set>", "line 2: it holds a character"),
    ],
)
def test_damage_is_told_with_its_line_and_without_the_text(document: bytes, problem: str) -> None:
    with pytest.raises(SourceError, match=problem) as caught:
        _texts(document)
    assert str(caught.value).startswith("own.xml") and "secret" not in str(caught.value)
    with pytest.raises(SourceError, match=r"own\.xml") as caught:
        parse_bytes(document, "own.xml", MEGABYTE)
    assert "secret" not in str(caught.value)


def test_what_came_before_a_cut_is_given() -> None:
    elements = iter_elements(io.BytesIO(b"<set><record>one</record><record>tw"), {"record"}, "own.xml")
    assert next(elements).text == "one"
    with pytest.raises(SourceError, match="cut off"):
        next(elements)


def test_a_damaged_or_cut_off_gzip() -> None:
    packed = gzip.compress(b"<set>" + b"".join(b"<record>%d</record>" % n for n in range(9_000)) + b"</set>")
    with pytest.raises(SourceError, match=r"own\.xml is a cut-off gzip file"):
        _texts(packed[:-20])
    with pytest.raises(SourceError, match=r"own\.xml is a damaged gzip file"):
        _texts(packed[:-6] + b"xxxxxx")
    with pytest.raises(SourceError, match=r"own\.xml is a damaged gzip file"):
        _texts(packed + b"trailing")


def test_a_whole_document() -> None:
    root = parse_bytes(b"<a><b>x</b></a>", "own.xml", 100)
    assert root.findtext("b") == "x"
    with pytest.raises(SourceError, match="over 10 bytes"):
        parse_bytes(b"<a><b>x</b></a>", "own.xml", 10)
