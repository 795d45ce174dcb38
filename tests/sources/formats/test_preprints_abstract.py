"""Abstracts of preprints: traces of markup go, headings are found."""

import time

import pytest

from medloom.records import Section
from medloom.sources.formats.preprints_abstract import abstract_of, line_of


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Plain, p<0.05 and n > 3.", "Plain, p<0.05 and n > 3."),
        ("a &lt; b &amp; c&nbsp;d", "a < b & c d"),
        ("<p>One  line\nmore.</p><p>Two.</p>", "One line more.\n\nTwo."),
        ("H<sub>2</sub>O, <jats:italic>E. coli</jats:italic>, x<sup>2</sup>", "H2O, E. coli, x2"),
        ("&lt;i&gt;E. coli&lt;/i&gt; grew", "E. coli grew"),
        ("x <mml:math><mml:mi>y</mml:mi></mml:math> z", "x y z"),
        ('<a href="x">here</a> if a<b and b>c', "here if a<b and b>c"),
        ("O_SCPLOWDC_SCPLOW-glucose", "D-glucose"),
        ("Tea. O_FIG O_LINKSMALLFIG WIDTH=200 org.x C_FIG More.", "Tea. More."),
        ("O_LIFirst.C_LIO_LISecond.C_LI", "First.\n\nSecond."),
        ("Abstract\nTea helps.", "Tea helps."),
        ("AbstractTea helps.", "Tea helps."),
        ("ABSTRACT: Tea helps.", "Tea helps."),
        ("<jats:title>Abstract</jats:title><jats:p>Tea helps.</jats:p>", "Tea helps."),
        ("Abstract rules are learned.", "Abstract rules are learned."),
        (
            "Results from three wards are given. Methods of old were kept.",
            "Results from three wards are given. Methods of old were kept.",
        ),
        ("", ""),
    ],
)
def test_text(raw: str, text: str) -> None:
    assert abstract_of(raw) == (text, [])


@pytest.mark.parametrize(
    "raw",
    [
        "BackgroundTea is old.\n\nMethodsWe drank.\n\nConclusionsIt helps.",
        "Background: Tea is old. Methods: We drank. Conclusions: It helps.",
        "BACKGROUND Tea is old. METHODS We drank. CONCLUSIONS It helps.",
        "BACKGROUND: Tea is old.\nMETHODS: We drank.\nCONCLUSIONS: It helps.",
        "Background\nTea is old.\nMethods\nWe drank.\nConclusions\nIt helps.",
        "O_ST_ABSBackgroundC_ST_ABSTea is old.O_ST_ABSMethodsC_ST_ABSWe drank.O_ST_ABSConclusionsC_ST_ABSIt helps.",
        "<title>Background</title><p>Tea is old.</p><title>Methods</title><p>We drank.</p><title>Conclusions:</title>"
        "It helps.",
        "AbstractO_ST_ABSBackgroundC_ST_ABSTea is old.\n\nMethodsWe drank.\n\nConclusionsIt helps.",
    ],
)
def test_headings(raw: str) -> None:
    text, sections = abstract_of(raw)
    assert text == "Background: Tea is old.\n\nMethods: We drank.\n\nConclusions: It helps."
    assert sections == [
        Section("Background", "Tea is old."),
        Section("Methods", "We drank."),
        Section("Conclusions", "It helps."),
    ]


def test_one_heading_makes_no_sections() -> None:
    assert abstract_of("Tea is old.\n\nFunding: none.") == ("Tea is old.\n\nFunding: none.", [])


def test_what_stands_before_the_first_heading_has_none() -> None:
    _, sections = abstract_of("Tea.\n\nAim: to see.\n\nResults: seen.")
    assert sections[0] == Section("", "Tea.")


def test_titles_are_one_line() -> None:
    assert line_of("Tea\n in <i>CO</i><sub>2</sub> &amp; O_SCPLOWxC_SCPLOW") == "Tea in CO2 & x"


def test_long_and_odd_text_takes_no_time() -> None:
    begun = time.process_time()
    for raw in ("<" * 100_000, "O_FIG" * 20_000, "Results " * 12_000, "O_ST_ABS" * 12_000, "<title>" * 14_000):
        abstract_of(raw)
    assert time.process_time() - begun < 5
