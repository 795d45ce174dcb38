"""Plain text of wiki pages: from the extracts of MediaWiki's extension TextExtracts, or from HTML in the same form."""

import html
import re
from typing import TYPE_CHECKING

from medloom.records import Section
from medloom.text.normalise import clean, one_line
from medloom.text.wordlist import word_set

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_HEADING = re.compile(r"^(={1,6}) (.*?) \1[ \t]*$", re.MULTILINE)
_TEX = re.compile(r"\{\\(?:displaystyle|textstyle)\b")
_BEFORE_TEX = re.compile(r"(?:[ \t]*\n)*(?: {2,}[^\n]*\n[ \t\n]*)*[ \t]*\Z")
_AFTER_TEX = re.compile(r"(?:(?:\n {2,})+\n?)? *")
_EMPTY_BRACKETS = re.compile(r"[ \t]\([\s;,]*\)")
_LINE_ENDS = re.compile(r"[ \t]+\n")
_MANY_BREAKS = re.compile(r"\n{3,}")
_REMOVED_TAGS = word_set("table div script input style img audio video")
_REMOVED_CLASSES = word_set("mw-editsection error nomobile noprint noexcerpt sortkey")
_REMOVED_TAG_CLASSES = (("ul", "gallery"), ("sup", "reference"), ("ol", "references"))
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING_TAG = re.compile(r"(?i)\s*(<h([1-6])\b)")
_TAG = re.compile(r"(?i)</?[?!]?[a-z0-9]+\b[^>]*>")
_MARKED = re.compile(r"\x01\x02(\d)\x02\x01(.*)")
_BODY = re.compile(r"(?s)^.*?<body>|</body>.*$")


def sections_of(extract: str) -> tuple[Section, ...]:
    """The sections of an extract in the order of the page; the lead has no heading, and sections without text are left out.

    Args:
        extract: Plain text with headings as in wikitext (``== Signs ==``).
    """
    pieces = _HEADING.split(_without_formulae(extract))
    headed = zip(["", *pieces[2::3]], pieces[::3], strict=True)
    return tuple(Section(one_line(clean(heading)), text) for heading, raw in headed if (text := tidy(raw)))


def extract_of(page: str) -> str:
    """HTML of a page as TextExtracts makes plain text of it, so that an old revision reads as the present one did.

    Tables, boxes, notes and media go with all that is in them, other markup goes and its text stays. After MediaWiki's
    ``TextExtracts`` (``ExtractsRemoveClasses``) and ``HtmlFormatter``, which work on the same parser (libxml2).

    Args:
        page: What ``action=parse`` gives, without its wrapper.
    """
    from lxml import etree
    from lxml.html import HtmlElement, HTMLParser, document_fromstring

    # A blank before a tag is written as an entity, as HtmlFormatter does it, so that no parser takes it for layout.
    whole = f"<!doctype html><html><head><meta charset='UTF-8'/></head><body>{clean(page)}</body></html>"
    parser = HTMLParser(encoding="utf-8", no_network=True, huge_tree=False)
    root = document_fromstring(whole.replace(" <", "&#32;<").encode("utf-8", "replace"), parser=parser)
    elements: list[HtmlElement] = [e for e in root.iter() if isinstance(e, HtmlElement)]
    for element in elements:
        if "mw-heading" in element.get("class", "").split():
            element.drop_tag()
        elif _is_removed(element):
            element.drop_tree()
    text = _BODY.sub("", etree.tostring(root, encoding="unicode", method="html"))
    text = _HEADING_TAG.sub("\n\n\x01\x02\\2\x02\x01\\1", text)
    text = html.unescape(_TAG.sub("", _COMMENT.sub("", text)))
    text = _MANY_BREAKS.sub("\n\n", text.replace("\xa0", " ").replace("\r", "\n")).strip(" \t\n\r\0\x0b")
    return _MARKED.sub(_as_heading, text)


def tidy(text: str) -> str:
    """Plain text without blanks at ends of lines, empty lines in a row, and brackets in which nothing is left."""
    return _MANY_BREAKS.sub("\n\n", _LINE_ENDS.sub("\n", clean(_EMPTY_BRACKETS.sub("", text))))


def _is_removed(element: "HtmlElement") -> bool:
    classes = element.get("class", "")
    return (
        element.tag in _REMOVED_TAGS
        or not _REMOVED_CLASSES.isdisjoint(classes.split())
        or (element.tag, classes) in _REMOVED_TAG_CLASSES
    )


def _as_heading(match: re.Match[str]) -> str:
    bars = "=" * int(match[1])
    return f"\n{bars} {match[2].strip()} {bars}"


def _without_formulae(text: str) -> str:
    """Each formula once and on its line: an extract holds it as indented lines of signs, and again as TeX."""
    pieces, done = [], 0
    for start in _TEX.finditer(text):
        if start.start() < done:
            continue
        end = _closing(text, start.start())
        before = text[done : start.start()]
        lines = _BEFORE_TEX.search(before)
        at = lines.start() if lines else len(before)
        signs = one_line(before[at:])
        pieces += [before[:at].rstrip(" "), f" {signs} " if signs else " "]
        after = _AFTER_TEX.match(text, end)
        done = after.end() if after else end
    return "".join([*pieces, text[done:]]) if pieces else text


def _closing(text: str, start: int) -> int:
    """Where a bracket that opens at ``start`` is closed."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            return place + 1
    return len(text)
