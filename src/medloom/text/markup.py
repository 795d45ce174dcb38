"""Plain text of HTML."""

import re
from typing import Any

from medloom.text.normalise import clean
from medloom.text.wordlist import word_set

_LEFT_OUT = ("script", "style", "head", "template", "noscript", "object", "svg")
_LINES = word_set("address article aside br caption dd div dl dt footer header hr li main nav section tr")
_PARAGRAPHS = word_set("blockquote ol p pre table ul")
_HEADINGS = word_set("h1 h2 h3 h4 h5 h6")
_CELLS = word_set("td th")
_SPACE = re.compile(r"\s+")
_LINE_ENDS = re.compile(r"[ \t]+\n")
_MANY_BREAKS = re.compile(r"\n{3,}")


def html_text(html: str) -> str:
    """The text of HTML or XHTML as a reader sees it: a line for each row and item, an empty line between paragraphs.

    Headings become lines of Markdown (``## Findings``). Scripts, styles and comments are left out. Nothing is fetched and
    nothing that the text itself declares is expanded. The parser is libxml2 through lxml, which mends what is broken.

    Args:
        html: A document or a part of one, without half surrogate pairs.
    """
    from lxml import etree
    from lxml.html import HTMLParser, document_fromstring

    parser = HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=False)
    try:
        root = document_fromstring(clean(html).encode(), parser=parser)
    except etree.ParserError:
        return ""
    etree.strip_elements(root, *_LEFT_OUT, with_tail=False)
    written = _Written()
    for event, element in etree.iterwalk(root, events=("start", "end")):
        starts = event == "start"
        written.pass_tag(element.tag, starts)
        written.add((element.text if starts else element.tail) or "")
    return _MANY_BREAKS.sub("\n\n", _LINE_ENDS.sub("\n", "".join(written.pieces))).strip()


class _Written:
    """Text as it is written down; line ends wait for the next word."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._breaks, self._mark, self._kept = 0, "", 0

    def pass_tag(self, tag: Any, starts: bool) -> None:  # noqa: ANN401
        """Take note of where an element begins or ends."""
        if tag == "br":
            self._breaks = min(2, self._breaks + starts)
        elif tag in _PARAGRAPHS or tag in _HEADINGS:
            self._breaks = 2
        elif tag in _LINES:
            self._breaks = max(1, self._breaks)
        elif tag in _CELLS and not starts and not self._breaks:
            self.pieces.append(" ")
        if tag in _HEADINGS:
            self._mark = "## " if starts else ""
        if tag == "pre":
            self._kept += 1 if starts else -1

    def add(self, text: str) -> None:
        """Write text that stands between two tags."""
        if not self._kept:
            text = _SPACE.sub(" ", text)
            if self._breaks or not self.pieces:
                text = text.lstrip()
        if text:
            self.pieces += ["\n" * self._breaks, self._mark, text]
            self._breaks, self._mark = 0, ""
