"""XML from elsewhere, element by element, so that no document can make the reader fetch, expand or hold what it should not.

Entities that a document declares are refused, no DTD and nothing else is fetched, nesting and the size of texts,
attributes and elements are limited. The parser is libxml2 through lxml.
"""

import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Protocol

from lxml import etree

from medloom.errors import SourceError

_CHUNK = 1 << 16
_PROLOG = 1 << 20
_MEGABYTE = 1 << 20
_WITHOUT_ELEMENT = 16 * _MEGABYTE
_ABBREVIATION = 200
_ENTITY_SIGNS = frozenset("&%<")
_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31
_RESOURCE_LIMIT = 114
_BROKEN_OFF = "it ends before its root element does: it was cut off, fetch it again"
_PROBLEMS = {
    etree.ErrorTypes.ERR_DOCUMENT_EMPTY: "it is empty, or does not begin as XML does: check what was saved under this name",
    etree.ErrorTypes.ERR_TAG_NOT_FINISHED: _BROKEN_OFF,
    etree.ErrorTypes.ERR_DOCUMENT_END: _BROKEN_OFF,
    etree.ErrorTypes.ERR_INVALID_ENCODING: "it is not in the encoding that it declares: fetch it again, or save it anew",
    etree.ErrorTypes.ERR_INVALID_CHAR: "it holds a character that XML does not allow: fetch it again, or save it anew",
    etree.ErrorTypes.ERR_UNSUPPORTED_ENCODING: "it declares an unknown encoding: save it as UTF-8",
    etree.ErrorTypes.ERR_UNKNOWN_ENCODING: "it declares an unknown encoding: save it as UTF-8",
    etree.ErrorTypes.ERR_ENTITY_LOOP: "its entities contain each other: it is refused",
    _RESOURCE_LIMIT: "it goes beyond what is read (in nesting, in expansion, or in the length of a text): it is refused",
}
_OPTIONS: dict[str, Any] = {
    "resolve_entities": False,
    "load_dtd": False,
    "dtd_validation": False,
    "attribute_defaults": False,
    "no_network": True,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


class Readable(Protocol):
    """Something that gives bytes."""

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes; none at the end."""


def iter_elements(
    source: Path | Readable, tags: Collection[str], where: str, max_element_mb: int = 64, abbreviations: bool = False
) -> Iterator[etree._Element]:
    """Yield the outermost elements of the given names, in order, holding none of them.

    Args:
        source: A file, or something with ``read(size)`` that gives bytes; gzip is recognised by its first bytes.
        tags: Local names, matched in any namespace. An element inside another one that matches is left in it.
        where: What the document is called in errors.
        max_element_mb: Largest element, in megabytes of the (unpacked) document.
        abbreviations: Whether the document may declare entities that stand for a short text without entities in it, as
            ontologies do for addresses.

    Yields:
        Whole elements. Each is emptied when the next one is asked for, and what lies between them is not kept.

    Raises:
        SourceError: The document is damaged, in another encoding than it says, or built to exhaust its reader.
    """
    if isinstance(source, Path):
        try:
            with source.open("rb") as file:
                yield from _Reader(file, tags, where, max_element_mb, abbreviations).elements()
        except OSError as error:
            raise SourceError(f"{where} cannot be read: check that it is there and may be read") from error
    else:
        yield from _Reader(source, tags, where, max_element_mb, abbreviations).elements()


def parse_bytes(data: bytes, where: str, max_bytes: int) -> etree._Element:
    """The root of a whole document.

    Args:
        data: The document.
        where: What it is called in errors.
        max_bytes: Largest document that is parsed.

    Raises:
        SourceError: As :func:`iter_elements`, or the document is over ``max_bytes``.
    """
    if len(data) > max_bytes:
        raise SourceError(f"{where}: over {max_bytes:,} bytes: such a document is not parsed as a whole")
    try:
        root = etree.fromstring(data, etree.XMLParser(**_OPTIONS))
    except etree.XMLSyntaxError as error:
        raise _damaged(where, error) from None
    _refuse_entities(root, where)
    return root


class _Reader:
    """One pass over one document."""

    def __init__(self, file: Readable, tags: Collection[str], where: str, max_element_mb: int, abbreviations: bool) -> None:
        self._chunks = _unpacked(file, where)
        self._tags = frozenset(tags)
        self._where = where
        self._abbreviations = abbreviations
        self._largest = max_element_mb * _MEGABYTE
        self._root: etree._Element | None = None
        self._open: etree._Element | None = None
        self._open_since = 0
        self._depth = 0
        self._fed = 0

    def elements(self) -> Iterator[etree._Element]:
        head, root = self._head()
        parser = etree.XMLPullParser(("start", "end"), tag=[f"{{*}}{tag}" for tag in {root, *self._tags}], **_OPTIONS)
        shape: tuple[int, ...] = ()
        moved = 0
        for chunk in _chained(head, self._chunks):
            self._feed(parser, chunk)
            for element in self._matched(parser):
                yield element
                element.clear()
                moved = self._fed
            now = self._prune()
            if now is None or now != shape:
                moved = self._fed
            shape = now or ()
            self._check_sizes(self._fed - moved)
        try:
            parser.close()
        except etree.XMLSyntaxError as error:
            raise _damaged(self._where, error) from None
        yield from self._matched(parser)

    def _feed(self, parser: etree.XMLPullParser, chunk: bytes) -> None:
        """What a chunk with an error in it gave is not used: its last element may be half of one."""
        self._fed += len(chunk)
        try:
            parser.feed(chunk)
        except etree.XMLSyntaxError as error:
            raise _damaged(self._where, error) from None

    def _head(self) -> tuple[bytes, str]:
        """The bytes up to the root's start tag, and its local name; what is declared there is checked."""
        probe = etree.XMLPullParser(("start",), **_OPTIONS)
        head = b""
        for chunk in self._chunks:
            head += chunk
            try:
                probe.feed(chunk)
            except etree.XMLSyntaxError as error:
                raise _damaged(self._where, error) from None
            for _, root in _events(probe):
                _refuse_entities(root, self._where, self._abbreviations)
                return head, etree.QName(root).localname
            if len(head) > _PROLOG:
                raise SourceError(f"{self._where}: no element in its first megabyte: this is no document that is read here")
        try:
            probe.close()
        except etree.XMLSyntaxError as error:
            raise _damaged(self._where, error) from None
        raise SourceError(f"{self._where}: {_BROKEN_OFF}")

    def _matched(self, parser: etree.XMLPullParser) -> Iterator[etree._Element]:
        for event, element in _events(parser):
            if self._root is None:
                self._root = element
            if etree.QName(element).localname not in self._tags:
                continue
            self._depth += 1 if event == "start" else -1
            if event == "start" and self._depth == 1:
                self._open, self._open_since = element, self._fed
            elif event == "end" and self._depth == 0:
                self._open = None
                yield element

    def _prune(self) -> tuple[int, ...] | None:
        """Drop what is complete and lies outside of an open match.

        Returns:
            The number of children on the way to the element that is being read, or None if anything was dropped.
        """
        shape: list[int] = []
        node, kept, dropped = self._root, False, False
        while node is not None:
            kept = kept or node is self._open
            if len(node) > 1 and not kept:
                del node[:-1]
                dropped = True
            shape.append(len(node))
            node = node[-1] if len(node) else None
        return None if dropped else tuple(shape)

    def _check_sizes(self, standing: int) -> None:
        if standing > _WITHOUT_ELEMENT:
            raise SourceError(
                f"{self._where}: over {_WITHOUT_ELEMENT // _MEGABYTE} MB without an element in them (a single attribute, "
                "name, comment or text): it is refused"
            )
        if self._open is not None and self._fed - self._open_since > self._largest:
            raise SourceError(
                f"{self._where}, line {self._open.sourceline}: one element of more than "
                f"{self._largest // _MEGABYTE} MB: it is refused"
            )


def _events(parser: etree.XMLPullParser) -> Iterator[tuple[str, etree._Element]]:
    events: Iterator[Any] = parser.read_events()
    return events


def _chained(head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from chunks


def _refuse_entities(element: etree._Element, where: str, abbreviations: bool = False) -> None:
    declared: Any = element.getroottree().docinfo.internalDTD
    if declared is not None and any(not (abbreviations and _is_short(entity)) for entity in declared.iterentities()):
        raise SourceError(
            f"{where}: it declares entities of its own, which can make a small document endless: it is refused; write the "
            "characters or addresses out"
        )


def _is_short(entity: Any) -> bool:  # noqa: ANN401
    text = entity.content
    return text is not None and len(text) <= _ABBREVIATION and not _ENTITY_SIGNS & set(text)


def _damaged(where: str, error: etree.XMLSyntaxError) -> SourceError:
    """The parser's error without its message, which may quote the document."""
    code = getattr(error, "code", None)
    name = next((n for n, number in vars(etree.ErrorTypes).items() if number == code and n.startswith("ERR_")), "")
    kind = f" ({name.removeprefix('ERR_').replace('_', ' ').lower()})" if name else ""
    problem = _PROBLEMS.get(code, f"it is not well-formed XML{kind}: fetch it again, or save it anew")
    return SourceError(f"{where}, line {error.lineno}: {problem}")


def _unpacked(file: Readable, where: str) -> Iterator[bytes]:
    """The file's bytes, in chunks of limited size."""
    chunks = iter(lambda: file.read(_CHUNK), b"")
    first = next(chunks, b"")
    if not first.startswith(_GZIP):
        yield from _chained(first, chunks)
        return
    try:
        yield from _gunzipped(_chained(first, chunks), where)
    except zlib.error as error:
        raise SourceError(f"{where} is a damaged gzip file: fetch it again") from error


def _gunzipped(chunks: Iterator[bytes], where: str) -> Iterator[bytes]:
    unpack = zlib.decompressobj(_GZIP_WINDOW)
    for chunk in chunks:
        packed, full = chunk, False
        while packed or full:
            if unpack.eof:
                packed = packed.lstrip(b"\0")
                if not packed:
                    break
                unpack = zlib.decompressobj(_GZIP_WINDOW)
            plain = unpack.decompress(packed, _CHUNK)
            packed, full = unpack.unconsumed_tail or unpack.unused_data, len(plain) == _CHUNK
            yield plain
    if not unpack.eof:
        raise SourceError(f"{where} is a cut-off gzip file: fetch it again")
