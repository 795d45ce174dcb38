"""Plain text of HTML."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.text.markup import html_text


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>One  <b>two</b>,\n three</p><p>Four</p>", "One two, three\n\nFour"),
        ("<h2>Findings</h2>Clear<br/>lungs", "## Findings\n\nClear\nlungs"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("<table><tr><td>Na</td><td>140</td></tr><tr><td>K</td><td>4</td></tr></table>", "Na 140\nK 4"),
        ("<pre>a  b\n  c</pre> d  e", "a  b\n  c\n\nd e"),
        ("a<!-- secret --> b<script>secret()</script> c<style>x{}</style>", "a b c"),
        (
            '<div xmlns="http://www.w3.org/1999/xhtml">5 &lt; 6&nbsp;&amp; &eacute;</div>',
            "5 < 6 & é",
        ),
        ('<?xml version="1.0" encoding="latin-1"?><div>é</div>', "é"),
        ("a<br><br/><br>b<div>c<div><div>d</div></div></div>e", "a\n\nb\nc\nd\ne"),
        ("<h1> </h1><b>a</b> <i>b</i> <h3>c <b>d</b></h3>e", "a b\n\n## c d\n\ne"),
        ("no tags & none", "no tags & none"),
        ("<p>never closed <b>bold", "never closed bold"),
        ("", ""),
        ("<!-- only -->", ""),
    ],
)
def test_text_of_html(html: str, expected: str) -> None:
    assert html_text(html) == expected


def test_nothing_is_fetched_or_expanded() -> None:
    laughs = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 9))
    html = f'<!DOCTYPE d [<!ENTITY e0 "ha"><!ENTITY x SYSTEM "file:///etc/hostname">{laughs}]><div>&e8;&x; end</div>'
    assert len(html_text(html)) < len(html)
    assert html_text(html).endswith("end")


def test_deep_nesting_is_survived() -> None:
    assert len(html_text("<div>" * 100_000 + "deep")) < 10


@given(st.text("<>/abp h2&;=\"'\n!-", max_size=80))
def test_any_text_is_read(html: str) -> None:
    assert "\n\n\n" not in html_text(html)
