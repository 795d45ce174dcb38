"""Paragraphs of plain text, headed sections of Markdown."""

import re

from medloom.records import Section

_BLANK_LINE = re.compile(r"\n[ \t]*\n")


def paragraphs(text: str) -> list[str]:
    """The parts of a text between blank lines, in order, none empty."""
    return [part for raw in _BLANK_LINE.split(text) if (part := raw.strip())]


def split_markdown(text: str) -> tuple[str, list[Section]]:
    """Title and headed sections of a Markdown text, by CommonMark's rules (markdown-it-py).

    The title is the first level-one heading; the text under it has no heading of its own.

    Returns:
        The title (empty if there is none) and the sections in order; a section without text is left out.
    """
    from markdown_it import MarkdownIt

    lines = text.split("\n")
    tokens = MarkdownIt("commonmark").parse(text)
    title, heading, start = "", "", 0
    sections: list[Section] = []

    def close(end: int) -> None:
        if body := "\n".join(lines[start:end]).strip():
            sections.append(Section(heading, body))

    for number, token in enumerate(tokens):
        if token.type != "heading_open" or token.level != 0 or token.map is None:
            continue
        close(token.map[0])
        start = token.map[1]
        heading = tokens[number + 1].content.strip()
        if token.tag == "h1" and not title:
            title, heading = heading, ""
    close(len(lines))
    return title, sections
