"""Plain text of XML elements that hold text with markup in it: titles, paragraphs, table cells, formulae in a line."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from medloom.text.normalise import clean, one_line
from medloom.text.wordlist import word_set

if TYPE_CHECKING:
    from lxml import etree

_BETWEEN = {"msup": "^", "mfrac": "/", "msubsup": "^", "mroot": "^"}
"""What stands between the last two parts of a formula's element."""
_FORMULAE = word_set(
    "math mrow msup msub msubsup mfrac msqrt mroot mover munder munderover mstyle mfenced mtable mtr mtd semantics mpadded "
    "mphantom menclose"
)
"""Elements in which only the elements count, not the white space between them."""
_NO_TEXT = frozenset({"tex-math", "annotation", "annotation-xml", "inline-graphic", "graphic", "private-char", "object-id"})
_POWERS = frozenset("0123456789-−–+")
_BREAKS = word_set("break br p title label list-item def term td th tr caption")


def name_of(element: "etree._Element") -> str:
    """The name of an element, whatever its namespace; empty for what is no element."""
    tag: Any = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def inline_text(element: "etree._Element", without: Collection[str] = ()) -> str:
    """The text of an element on one line.

    Markup goes, its text stays. A number that is raised after a digit is marked as such (``10^9``), since without that it
    is another number. Formulae in MathML become a line (``x^2``, ``a/b``); those in TeX are left out.

    Args:
        element: With any markup in it.
        without: Names of elements to leave out with all that is in them.
    """
    if not len(element):
        return one_line(clean(element.text or ""))
    pieces: list[str] = []
    _collect(element, frozenset(without) | _NO_TEXT, pieces)
    return one_line(clean("".join(pieces)))


def _collect(element: "etree._Element", without: frozenset[str], pieces: list[str]) -> None:
    name = name_of(element)
    breaks, formula = name in _BREAKS, name in _FORMULAE
    if breaks:
        pieces.append(" ")
    if name == "sup" and _is_power(element, pieces):
        pieces.append("^")
    if element.text and not formula:
        pieces.append(element.text)
    last = len(element) - 1
    for number, child in enumerate(element):
        if number == last and number and name in _BETWEEN:
            pieces.append(_BETWEEN[name])
        if name_of(child) not in without:
            _collect(child, without, pieces)
        if child.tail and not formula:
            pieces.append(child.tail)
    if breaks:
        pieces.append(" ")


def _is_power(raised: "etree._Element", pieces: list[str]) -> bool:
    before = next((piece for piece in reversed(pieces) if piece), "")
    first = next((part.text.strip() for part in raised.iter() if part.text and part.text.strip()), "")
    return before[-1:].isdigit() and first[:1] in _POWERS
