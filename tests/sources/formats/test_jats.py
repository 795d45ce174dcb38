"""JATS: every field of an article, and what is odd in it."""

import pytest
from lxml import etree

from medloom.errors import RowError
from medloom.records import Document, Section
from medloom.sources.formats.jats import jats_document, pmc_number

SPACES = (
    'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML" '
    'xmlns:ali="http://www.niso.org/schemas/ali/1.0/"'
)
WHOLE = f"""<article {SPACES} article-type="research-article" xml:lang="en-GB">
<front><journal-meta><journal-title-group><journal-title>Archives of Tea</journal-title></journal-title-group></journal-meta>
<article-meta><article-id pub-id-type="pmcid">PMC123</article-id><article-id pub-id-type="pmcid-ver">PMC123.2</article-id>
<article-id pub-id-type="pmcaid">123</article-id><article-id pub-id-type="pmid">77</article-id>
<article-id pub-id-type="doi">10.1/a</article-id>
<title-group><article-title>Tea of <italic>Tilia</italic><xref ref-type="fn" rid="f1">*</xref></article-title></title-group>
<pub-date pub-type="pmc-release"><year>2026</year></pub-date><pub-date pub-type="ppub"><year>2020</year></pub-date>
<pub-date pub-type="epub"><day>4</day><month>12</month><year>2019</year></pub-date>
<pub-history><event event-type="pmc-last-change"><date iso-8601-date="2024-02-02 11:22:33.456"><year>2024</year>
<month>2</month><day>2</day></date></event></pub-history>
<permissions><license><ali:license_ref>https://creativecommons.org/licenses/by/4.0/</ali:license_ref></license></permissions>
<abstract abstract-type="graphical"><p>A picture.</p></abstract>
<abstract><title>Abstract</title><sec><title>Background</title><p>Tea is old.</p></sec><sec><title>Results</title>
<p>It was 10<sup>2</sup> times warmer (<italic>p</italic> &lt; 0.05).</p></sec></abstract>
<abstract abstract-type="plain-language-summary"><p>Tea helps.</p></abstract>
<trans-abstract xml:lang="es"><p>El te.</p></trans-abstract>
<kwd-group><kwd>warm <bold>drinks</bold></kwd></kwd-group></article-meta></front>
<body><p>Before all sections.</p>
<sec sec-type="intro"><label>1.</label><title>1. Introduction</title>
<p>Tea is old [<xref ref-type="bibr" rid="B1">1</xref>, <xref ref-type="bibr" rid="B2">2</xref>–<xref ref-type="bibr"
rid="B4">4</xref>] and warm<sup><xref ref-type="bibr" rid="B5">5</xref>,<xref ref-type="bibr" rid="B6">6</xref></sup>. As
<xref ref-type="bibr" rid="B7">Nobody et al. (2001)</xref> say, see <xref ref-type="fig" rid="F1">Figure 1</xref>.</p>
<fig id="F1"><label>Figure 1</label><caption><p>A cup.</p></caption></fig></sec>
<sec><title>Methods:</title><p>We drank<disp-formula><mml:math><mml:mi>x</mml:mi></mml:math></disp-formula> at home:
<list list-type="bullet"><list-item><label>a</label><p>in the <bold>morning</bold></p></list-item><list-item><p>at night</p>
</list-item></list></p>
<sec><title>Setting</title><p>A village.</p><sec><title>House</title><p>With stairs.</p></sec></sec>
<sec><title>Only a table</title><table-wrap><table><tr><td>1</td></tr></table></table-wrap></sec></sec>
<sec><title>Tables</title><table-wrap><caption><p>Cups</p></caption></table-wrap></sec>
<sec><title>Case</title><boxed-text><p>Key: tea.</p></boxed-text><def-list><def-item>
<term>Tea</term><def><p>a drink</p></def></def-item></def-list><disp-quote><p>Warm!</p></disp-quote></sec></body>
<back><ref-list><ref id="B1"><mixed-citation>Someone</mixed-citation></ref></ref-list></back>
<sub-article><front-stub/><body><p>A reply.</p></body></sub-article></article>"""


def _document(xml: str) -> Document:
    return jats_document(etree.fromstring(xml), "pmc", "here")


def _article(
    meta: str = "", body: str = "", kind: str = "research-article", title: str = "A title", ids: str = "PMC5"
) -> Document:
    return _document(
        f'<article {SPACES} article-type="{kind}"><front><article-meta><article-id pub-id-type="pmc">{ids}</article-id>'
        f"<title-group><article-title>{title}</article-title></title-group>{meta}</article-meta></front>"
        f"{f'<body>{body}</body>' if body else ''}</article>"
    )


def test_every_field() -> None:
    introduction = "Tea is old and warm. As Nobody et al. (2001) say, see Figure 1."
    assert _document(WHOLE) == Document(
        id="PMC123",
        source="pmc",
        title="Tea of Tilia",
        text="Tea is old.\n\nIt was 10^2 times warmer (p < 0.05).",
        sections=(
            Section("", "Before all sections."),
            Section("1. Introduction", introduction),
            Section(
                "Methods", "We drank at home:\n\n- in the morning\n- at night\n\nSetting\nA village.\n\nHouse\nWith stairs."
            ),
            Section("Case", "Key: tea.\n\n- Tea a drink\n\nWarm!"),
            Section("Plain language summary", "Tea helps."),
        ),
        revision="2",
        metadata=(
            ("date", "2019-12-04"),
            ("updated", "2024-02-02"),
            ("url", "https://pmc.ncbi.nlm.nih.gov/articles/PMC123/"),
            ("pmcid", "PMC123"),
            ("pmid", "77"),
            ("doi", "10.1/a"),
            ("journal", "Archives of Tea"),
            ("language", "en"),
            ("licence", "cc-by"),
            ("kind", "research-article"),
            ("keyword", "warm drinks"),
        ),
    )


def test_without_abstract_the_text_is_the_body() -> None:
    document = _article(body="<sec><title>One</title><p>A.</p></sec><sec><title>Two</title><p>B.</p></sec><p>C.</p>")
    assert document.text == "A.\n\nB.\n\nC."
    assert [s.heading for s in document.sections] == ["One", "Two", ""]


def test_without_body_there_is_the_abstract_alone() -> None:
    document = _article("<abstract><p>All there is.</p></abstract>")
    assert (document.text, document.sections, document.fact("full_text")) == ("All there is.", (), "no")


@pytest.mark.parametrize(
    ("paragraph", "text"),
    [
        ("Seen before (<xref ref-type='bibr'>3</xref>).", "Seen before."),
        ("Seen (see <xref ref-type='bibr'>3</xref> and <xref ref-type='bibr'>4</xref>) often.", "Seen often."),
        (
            "Seen (<xref ref-type='bibr'>Who 2001</xref>; <xref ref-type='bibr'>She 2002</xref>).",
            "Seen (Who 2001; She 2002).",
        ),
        ("Warm <sup>[<xref ref-type='bibr'>3</xref>]</sup> tea.", "Warm tea."),
        ("<sup>14</sup>C and m<sup>2</sup>", "14C and m2"),
        ("f(x) is a function() of [3H] tea", "f(x) is a function() of [3H] tea"),
        (
            "Mean <inline-formula><mml:math><mml:msup><mml:mi>r</mml:mi><mml:mn>2</mml:mn></mml:msup></mml:math>"
            "</inline-formula>.",
            "Mean r^2.",
        ),
        (
            "Mean <inline-formula><alternatives><mml:math><mml:mi>r</mml:mi></mml:math><tex-math>$r$</tex-math>"
            "</alternatives></inline-formula> is",
            "Mean r is",
        ),
        ("Note<xref ref-type='fn'>a</xref> and <ext-link xlink:href='https://x.example'>link</ext-link>", "Note and link"),
        ("<fig><caption><p>No.</p></caption></fig>", ""),
    ],
)
def test_running_text(paragraph: str, text: str) -> None:
    document = _article(body=f"<sec><title>T</title><p>{paragraph}</p></sec>")
    assert "".join(s.text for s in document.sections) == text


@pytest.mark.parametrize(
    ("dates", "date"),
    [
        (
            "<pub-date pub-type='collection'><year>2018</year></pub-date>"
            "<pub-date pub-type='epub'><year>2017</year></pub-date>",
            "2017",
        ),
        (
            "<pub-date date-type='pub' publication-format='electronic' iso-8601-date='2020-03-04'><year>2020</year>"
            "<month>03</month><day>04</day></pub-date><pub-date date-type='collection'><year>2021</year></pub-date>",
            "2020-03-04",
        ),
        (
            "<pub-date pub-type='nihms-submitted'><year>2019</year></pub-date>"
            "<pub-date pub-type='ppub'><month>Jan-Feb</month><year>2016</year></pub-date>",
            "2016-01",
        ),
        ("<pub-date iso-8601-date='2015-06'/>", "2015-06"),
        ("<pub-date pub-type='pmc-release'><year>2019</year></pub-date>", ""),
    ],
)
def test_the_date_is_that_of_the_article_not_of_the_archive(dates: str, date: str) -> None:
    assert _article(dates).fact("date") == date


@pytest.mark.parametrize(
    ("meta", "kind", "title", "retracted"),
    [
        ("<related-article related-article-type='retraction-forward'/>", "research-article", "Tea", True),
        ("<related-article related-article-type='correction-forward'/>", "research-article", "Tea", False),
        ("", "retracted-article", "Tea", True),
        ("", "research-article", "RETRACTED: Tea", True),
        ("", "research-article", "[Retracted] Tea", True),
        ("", "research-article", "Retracted articles: a count", False),
        ("<related-article related-article-type='retracted-article'/>", "retraction", "Retracted: Tea", False),
    ],
)
def test_retracted_articles_are_marked_and_notices_are_not(meta: str, kind: str, title: str, retracted: bool) -> None:
    assert (_article(meta, kind=kind, title=title).fact("retracted") == "yes") is retracted


@pytest.mark.parametrize("ids", ["5", "PMC5", "PMC5.1"])
def test_numbers_come_with_and_without_letters(ids: str) -> None:
    assert _article(ids=ids).id == "PMC5"


def test_articles_that_are_none() -> None:
    with pytest.raises(RowError, match="without number"):
        _document("<article><front><article-meta/></front></article>")
    with pytest.raises(RowError, match="without number"):
        _document("<article/>")
    with pytest.raises(RowError, match="neither title nor text"):
        _article(title="")
    assert pmc_number(etree.fromstring("<article/>")) == ""
