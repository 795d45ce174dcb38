"""Plain text of wiki pages: from extracts, from HTML, from wikitext."""

import sys

import pytest

from medloom.errors import SourceError
from medloom.sources.formats.wikipedia_text import extract_of, sections_of
from medloom.sources.formats.wikipedia_wikitext import is_disambiguation, links_to, wikitext_sections


def _pairs(extract: str) -> list[tuple[str, str]]:
    return [(s.heading, s.text) for s in sections_of(extract)]


def test_an_extract_is_cut_at_its_headings() -> None:
    extract = (
        "Lead.\n\nMore.\n\n\n== Signs ==\nPain \n\n\n\nand  heat.\n\n\n=== In children ===\n\n\n== See also ==\na = b\n== c"
    )
    assert _pairs(extract) == [("", "Lead.\n\nMore."), ("Signs", "Pain\n\nand  heat."), ("See also", "a = b\n== c")]
    assert _pairs("\n\n== Only ==\ntext") == [("Only", "text")]
    assert _pairs("") == []


def test_brackets_in_which_nothing_is_left() -> None:
    assert _pairs("Gout ( ; ) is an illness (of joints); f() stays.") == [("", "Gout is an illness (of joints); f() stays.")]


def test_a_formula_stands_once() -> None:
    extract = (
        "Let \n  \n    \n      \n        x\n        =\n        5\n      \n    \n    {\\displaystyle x={\\frac {5}{1}}}"
        "\n  \n be it."
        "\n\nAnd {\\textstyle y} too, {\\displaystyle open"
    )
    assert _pairs(extract) == [("", "Let x = 5 be it.\n\nAnd too,")]


def test_html_reads_as_an_extract() -> None:
    page = (
        '<p><b>Gout</b> hurts<sup id="a" class="reference">[1]</sup> at 40&#160;&lt;&nbsp;50 <i>degrees</i> '
        "&amp;amp; more.\n</p>"
        '<table class="infobox"><tbody><tr><td>gone</td></tr></tbody></table>\n<div class="hatnote">gone</div>\n'
        '<div class="mw-heading mw-heading2"><h2 id="S">Signs <i>of it</i></h2><span class="mw-editsection">[edit]</span>'
        "</div>\n"
        '<ul><li>redness</li>\n<li>warmth</li></ul><ul class="gallery"><li>gone</li></ul>'
        '<h3><span class="mw-headline">Deep</span></h3>\n<p>A<span class="noprint x">gone</span> B<style>.g{}</style>.</p>'
        '<ol class="references"><li>gone</li></ol><!-- gone\n -->'
    )
    assert extract_of(page) == (
        "Gout hurts at 40 < 50 degrees &amp; more.\n\n\n== Signs of it ==\nredness\nwarmth\n\n\n=== Deep ===\nA B."
    )
    assert extract_of("") == ""


def test_wikitext() -> None:
    text = """'''Gout''' is an [[illness|ill''ness'']] of [[joint]]s.<ref>A book.</ref>{{citation needed}}
{{Infobox disease|name=Gout}}
[[File:Toe.png|thumb|A toe of [[Someone]]]]
{| class="wikitable"
| a || b
|}
Up to {{convert|5|mg}} or {{convert|5|-|7|mg|abbr=on}} of {{lang|la|podagra}} {{nowrap|a day}}.
5&nbsp;&lt; 6 [https://example.org here].
== Signs <!-- not shown --> ==
* redness
** ''warmth''<br>of it
<gallery>
File:A.png|gone
</gallery>
=== Empty ===
{{reflist}}
__NOTOC__
== Links ==
See [[:Category:Joints]] and https://example.org
[[Category:Joints|Gout]] [[Datei:X.png]]
"""
    assert [(s.heading, s.text) for s in wikitext_sections(text, ("Datei",))] == [
        (
            "",
            "Gout is an illness of joints.\n\nUp to 5 mg or 5 - 7 mg of podagra a day.\n5 < 6 here.",
        ),
        ("Signs", "redness\nwarmth\nof it"),
        ("Links", "See Category:Joints and"),
    ]


def test_links_to_categories() -> None:
    text = "[[category: old_age |x]] [[Kategorie:Alter]] <!-- [[Category:No]] --> [[:Category:Nor]] [[Category:{{PAGE}}]]"
    assert list(links_to(text, ("Category", "Kategorie"))) == ["old age", "Alter"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("may be:\n{{Disambiguation}}", True),
        ("{{medical disambig|x}}", True),
        ("{{hndis|name}}", True),
        ("__DISAMBIG__", True),
        ("A {{dabble}} of disambiguation", False),
    ],
)
def test_pages_that_tell_names_apart(text: str, expected: bool) -> None:
    assert is_disambiguation(text) is expected


def test_a_parser_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mwparserfromhell", None)
    with pytest.raises(SourceError, match=r"pip install 'medloom\[wikipedia\]'"):
        wikitext_sections("text")
