"""Paragraphs, and headed sections of Markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.records import Section
from medloom.text import paragraphs, split_markdown


def test_paragraphs() -> None:
    assert paragraphs("One\nline.\n\nTwo.\n \t\n\n\n  Three.\n") == ["One\nline.", "Two.", "Three."]
    assert paragraphs("") == paragraphs(" \n\n \n") == []


@given(st.lists(st.text("ab \n", min_size=1)))
def test_paragraphs_are_never_empty_and_lose_no_letters(parts: list[str]) -> None:
    text = "\n\n".join(parts)
    found = paragraphs(text)
    assert all(p.strip() == p and p for p in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_title_and_sections() -> None:
    title, sections = split_markdown("# Fever\n\nIntro.\n\n## Dose\n\nOne.\nTwo.\n\n### Deep\nThree.\n\n# Second\n\nFour.\n")
    assert title == "Fever"
    assert sections == [
        Section("", "Intro."),
        Section("Dose", "One.\nTwo."),
        Section("Deep", "Three."),
        Section("Second", "Four."),
    ]


def test_a_text_without_headings() -> None:
    assert split_markdown("One.\n\nTwo.") == ("", [Section("", "One.\n\nTwo.")])
    assert split_markdown("") == ("", [])


def test_sections_without_text_are_left_out() -> None:
    assert split_markdown("## A\n\n## B\n\ntext\n\n## C\n") == ("", [Section("B", "text")])


def test_the_title_is_the_first_of_level_one() -> None:
    assert split_markdown("## Before\n\na\n\n# Title\n\nb\n") == ("Title", [Section("Before", "a"), Section("", "b")])


@pytest.mark.parametrize(
    ("line", "heading"),
    [
        ("## Dose ##", "Dose"),
        ("## Dose ####  ", "Dose"),
        ("##   Dose", "Dose"),
        ("##\tDose", "Dose"),
        ("## The #1 cause", "The #1 cause"),
        ("## Vitamin C#", "Vitamin C#"),
    ],
)
def test_closing_hashes(line: str, heading: str) -> None:
    assert split_markdown(f"{line}\n\ntext") == ("", [Section(heading, "text")])


@pytest.mark.parametrize("line", ["#hashtag", "####### seven", "no # heading", "\\# escaped"])
def test_what_is_no_heading(line: str) -> None:
    assert split_markdown(f"## Real\n\n{line}\n\ntext") == ("", [Section("Real", f"{line}\n\ntext")])


@pytest.mark.parametrize("fence", ["```", "~~~", "```python", "  ```"])
def test_hashes_in_fenced_code(fence: str) -> None:
    close = fence.strip()[:3]
    text = f"## Real\n\n{fence}\n# comment\n{close}\n\n## After\n\ntext"
    assert split_markdown(text) == ("", [Section("Real", f"{fence}\n# comment\n{close}".strip()), Section("After", "text")])


@pytest.mark.parametrize(
    ("opening", "inside", "closing"), [("```", "~~~", "```"), ("~~~", "```", "~~~"), ("````", "```", "````")]
)
def test_a_fence_is_closed_by_its_own_kind(opening: str, inside: str, closing: str) -> None:
    block = f"{opening}\n{inside}\n# comment\n{closing}"
    text = f"## Real\n\n{block}\n\n## After\n\ntext"
    assert split_markdown(text) == ("", [Section("Real", block), Section("After", "text")])


def test_code_in_a_line_opens_no_fence() -> None:
    assert split_markdown("```code```\n\n## After\n\ntext") == ("", [Section("", "```code```"), Section("After", "text")])
