"""Paragraphs of plain text, headed sections of Markdown."""

import re

from medloom.records import Section

_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_FENCE = ("```", "~~~")


def paragraphs(text: str) -> list[str]:
    """The parts of a text between blank lines, in order, none empty."""
    return [part for raw in _BLANK_LINE.split(text) if (part := raw.strip())]


def split_markdown(text: str) -> tuple[str, list[Section]]:
    """Title and headed sections of a Markdown text.

    The title is the first level-one heading. Hash signs inside fenced code are not headings.

    Returns:
        The title (empty if there is none) and the sections in order; a section without text is left out.
    """
    title = ""
    sections: list[Section] = []
    lines: list[str] = []
    heading, fenced = "", False

    def close() -> None:
        if body := "\n".join(lines).strip():
            sections.append(Section(heading, body))

    for line in text.split("\n"):
        if line.lstrip().startswith(_FENCE):
            fenced = not fenced
        level = len(line) - len(line.lstrip("#"))
        if fenced or not 1 <= level <= 6 or not line[level:].startswith((" ", "\t")):
            lines.append(line)
            continue
        close()
        heading, lines = line[level:].strip().rstrip("#").strip(), []
        if level == 1 and not title:
            title, heading = heading, ""
    close()
    return title, sections
