"""Text of XML elements with markup in it."""

import pytest
from lxml import etree

from medloom.text.inline import inline_text, name_of

MATHML = 'xmlns:m="http://www.w3.org/1998/Math/MathML"'


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<t>plain  text\n</t>", "plain text"),
        ("<t>the <i>E. coli</i> of H<sub>2</sub>O</t>", "the E. coli of H2O"),
        (
            "<t>10<sup>9</sup>/L, 10<sup><b>-3</b></sup> and m<sup>2</sup>, the 4<sup>th</sup></t>",
            "10^9/L, 10^-3 and m2, the 4th",
        ),
        ("<t>caf&#233; &lt;0.05 &amp; more</t>", "café <0.05 & more"),
        ("<t>one<break/>two<p>three</p>four</t>", "one two three four"),
        (f"<t>{{<m:math {MATHML}>\n <m:msup> <m:mi>x</m:mi>\n<m:mn>2</m:mn> </m:msup></m:math>}}</t>", "{x^2}"),
        (f"<t><m:math {MATHML}><m:mfrac><m:mi>a</m:mi><m:mi>b</m:mi></m:mfrac></m:math></t>", "a/b"),
        ("<t>left<tex-math>\\frac{a}{b}</tex-math> out</t>", "left out"),
        ("<t>a bell\x7f rings</t>", "a bell rings"),
        ("<t/>", ""),
    ],
)
def test_markup_goes_and_text_stays(markup: str, text: str) -> None:
    assert inline_text(etree.fromstring(markup)) == text


def test_elements_can_be_left_out_but_not_what_follows_them() -> None:
    element = etree.fromstring("<t>a<xref>1</xref>, <xref>2<b>3</b></xref>b</t>")
    assert inline_text(element, {"xref"}) == "a, b"


def test_names_have_no_namespace() -> None:
    assert name_of(etree.fromstring('<a:b xmlns:a="urn:x"/>')) == "b"
    assert name_of(etree.fromstring("<a><!-- c --></a>")[0]) == ""
