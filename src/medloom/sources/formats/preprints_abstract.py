"""Abstracts of preprints as bioRxiv and medRxiv give them: plain text in which traces of markup are left.

Three kinds occur: tags of HTML or JATS; marks of the publishing system (``O_ST_ABS`` and ``C_ST_ABS`` around a heading,
``O_LI`` for an item, whole figures between ``O_FIG`` and ``C_FIG``); and headings that run into the text that follows
("ConclusionsThis case", "BACKGROUND Tea is").
"""

import html
import re
from collections.abc import Callable

from medloom.records import Section
from medloom.text import clean
from medloom.text.normalise import one_line

_MARK = "\x00"
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_FIGURES = re.compile(r"O_(FIG|TBL|INLINEFIG).{0,2000}?C_\1", re.DOTALL)
_HEADING_MARKS = re.compile(r"O_ST_ABS(.{0,200}?)C_ST_ABS", re.DOTALL)
_ITEM_MARKS = re.compile(r"[OC]_LI|[OC]_QD")
_OTHER_MARKS = re.compile(r"[OC]_(?:ST_ABS|SCPLOW|SCPCAP|INLINEFIG|FIG|TBL)")
_ATTRIBUTES = r"(?:\s+[\w:-]+\s*=[^<>]*)?\s*"
_HEADING_TAGS = re.compile(
    rf"<(?:jats:)?(title|st|h[1-6]){_ATTRIBUTES}>(.{{0,200}}?)</(?:jats:)?\1\s*>", re.DOTALL | re.IGNORECASE
)
_BLOCK_TAGS = re.compile(
    r"</?(?:jats:)?(?:p|sec|abstract|title|st|h[1-6]|div|br|ul|ol|li|list|list-item|disp-formula)"
    rf"{_ATTRIBUTES}/?>",
    re.IGNORECASE,
)
_INLINE_TAGS = re.compile(
    r"</?(?:(?:jats:)?(?:sub|sup|i|b|u|em|strong|italic|bold|underline|sc|small|span|a|ext-link|xref|styled-content|label|"
    rf"inline-formula|inline-graphic|monospace|named-content)|(?:mml:)?math|mml:[a-z]+){_ATTRIBUTES}/?>",
    re.IGNORECASE,
)
_ABSTRACT = re.compile(
    r"\A\s*(?:\x00\s*(?i:structured )?(?i:abstract)\s*\x00|(?:Structured )?Abstract(?:\s*[:.]\s*|\s*\n\s*|(?=[A-Z]))|"
    r"(?:STRUCTURED )?ABSTRACT\b[\s:.]*)"
)
_NAMES = (
    "Availability and implementation",
    "Main outcomes and measures",
    "Main outcome measures",
    "Clinical trial registration",
    "Supplementary information",
    "Materials and methods",
    "Methods and materials",
    "Methods and findings",
    "Aims and objectives",
    "Patients and methods",
    "Results and discussion",
    "Results and conclusions",
    "Conclusions and relevance",
    "Conclusion and relevance",
    "Background and aims",
    "Background and objectives",
    "Research in context",
    "Author summary",
    "Significance statement",
    "Lay summary",
    "Trial registration",
    "Interpretation",
    "Introduction",
    "Participants",
    "Intervention",
    "Significance",
    "Conclusions",
    "Conclusion",
    "Background",
    "Discussion",
    "Objectives",
    "Motivation",
    "Importance",
    "Highlights",
    "Objective",
    "Rationale",
    "Findings",
    "Purpose",
    "Methods",
    "Results",
    "Setting",
    "Funding",
    "Context",
    "Summary",
    "Design",
    "Method",
    "Result",
    "Aims",
    "Aim",
)
_ANY = "|".join(_NAMES)
_UPPER = _ANY.upper()
_AT_LINE = re.compile(rf"^[ \t]*((?=[A-Z])(?i:{_ANY}))(?:[ \t]*[:.–—][ \t]*|[ \t]*$|(?=[A-Z][a-z' ]))", re.MULTILINE)
_IN_LINE = re.compile(rf"(?<=[.!?)] )((?=[A-Z])(?i:{_ANY})):[ \t]*")
_IN_CAPITALS = re.compile(rf"(?:^|(?<=[.!?)] ))({_UPPER})[ \t]+(?=[A-Z0-9])", re.MULTILINE)


def abstract_of(raw: str) -> tuple[str, list[Section]]:
    """An abstract without markup, and its headed parts if it has two or more.

    In the text each heading stands before its part, with a colon.
    """
    text = _without_markup(clean(raw))
    text = _ABSTRACT.sub("", text)
    for pattern in (_AT_LINE, _IN_LINE, _IN_CAPITALS):
        text = pattern.sub(_marked, text)
    leading, *rest = text.split(_MARK)
    parts = [("", _paragraphs(leading))]
    parts += [(_heading(name), _paragraphs(body)) for name, body in zip(rest[::2], rest[1::2], strict=True)]
    parts = [(heading, body) for heading, body in parts if body]
    headed = sum(1 for heading, _ in parts if heading)
    sections = [Section(heading, body) for heading, body in parts] if headed > 1 else []
    return "\n\n".join(f"{heading}: {body}" if heading else body for heading, body in parts), sections


def line_of(raw: str) -> str:
    """A title without markup."""
    return one_line(_without_markup(clean(raw)).replace(_MARK, " "))


def _without_markup(text: str) -> str:
    """The text with headings between marks, and no other trace of markup."""
    text = _FIGURES.sub(" ", text)
    text = _HEADING_MARKS.sub(_marked, text)
    text = _OTHER_MARKS.sub("", _ITEM_MARKS.sub("\n\n", text))
    return _without_tags(html.unescape(_without_tags(text))).replace("\xa0", " ")


def _without_tags(text: str) -> str:
    if "<" not in text:
        return text
    text = _HEADING_TAGS.sub(lambda found: _mark(found[2]), text)
    return _INLINE_TAGS.sub("", _BLOCK_TAGS.sub("\n\n", text))


def _marked(found: re.Match[str]) -> str:
    return _mark(found[1])


def _mark(heading: str) -> str:
    return f"\n\n{_MARK}{heading}{_MARK}\n\n" if heading.strip() else "\n\n"


def _heading(name: str) -> str:
    name = one_line(name).rstrip(":.– ")
    change: Callable[[str], str] = str.capitalize if name.isupper() else str
    return change(name)


def _paragraphs(text: str) -> str:
    parts = (one_line(part) for part in _BLANK_LINE.split(text))
    return "\n\n".join(part for part in parts if part)
