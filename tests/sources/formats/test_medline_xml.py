"""PubMed's XML: every field, and what is odd in it."""

from typing import Any

import pytest
from lxml import etree

from medloom.errors import RowError
from medloom.records import Document, Section
from medloom.sources.formats.medline_xml import deleted_pmids, pubmed_document

WHOLE = """<PubmedArticle><MedlineCitation><PMID Version="2">77</PMID>
<DateCompleted><Year>2020</Year><Month>01</Month><Day>02</Day></DateCompleted>
<DateRevised><Year>2021</Year><Month>12</Month><Day>31</Day></DateRevised>
<Article><Journal><ISSN>1</ISSN><JournalIssue><PubDate><Year>2019</Year><Month>Nov</Month><Day>5</Day></PubDate></JournalIssue>
<Title>The Journal of Tea</Title><ISOAbbreviation>J Tea</ISOAbbreviation></Journal>
<ArticleTitle>Effects of <i>Tilia</i> at 10<sup>3</sup> &#956;g: a trial.</ArticleTitle>
<ELocationID EIdType="doi" ValidYN="Y">10.1/located</ELocationID>
<Abstract>
<AbstractText Label="BACKGROUND AND AIMS" NlmCategory="OBJECTIVE">Tea is <b>old</b>.</AbstractText>
<AbstractText Label="UNLABELLED" NlmCategory="METHODS">We drank (p&lt;0.05).</AbstractText>
<AbstractText NlmCategory="UNASSIGNED">It was warm.</AbstractText>
<AbstractText Label="What it means"></AbstractText>
<CopyrightInformation>Copyright 2019</CopyrightInformation></Abstract>
<AuthorList><Author><LastName>Nobody</LastName></Author></AuthorList>
<Language>eng</Language><Language>ger</Language><PublicationTypeList>
<PublicationType UI="D016428">Journal Article</PublicationType><PublicationType UI="D016449">Randomized Controlled Trial
</PublicationType></PublicationTypeList><ArticleDate DateType="Electronic"><Year>2019</Year><Month>10</Month><Day>01</Day>
</ArticleDate></Article>
<MedlineJournalInfo><MedlineTA>J Tea</MedlineTA></MedlineJournalInfo>
<MeshHeadingList><MeshHeading><DescriptorName MajorTopicYN="N">Tea</DescriptorName>
<QualifierName MajorTopicYN="Y">therapeutic use</QualifierName></MeshHeading>
<MeshHeading><DescriptorName MajorTopicYN="N">Humans</DescriptorName></MeshHeading></MeshHeadingList>
<OtherAbstract Type="plain-language-summary" Language="eng"><AbstractText>Tea helped.</AbstractText></OtherAbstract>
<OtherAbstract Type="Publisher" Language="spa"><AbstractText>El t&#233;.</AbstractText></OtherAbstract>
<KeywordList><Keyword MajorTopicYN="N">warm <i>drinks</i></Keyword></KeywordList>
<CommentsCorrectionsList><CommentsCorrections RefType="RetractionIn"><RefSource>x</RefSource></CommentsCorrections>
</CommentsCorrectionsList></MedlineCitation>
<PubmedData><History>
<PubMedPubDate PubStatus="pubmed"><Year>2019</Year><Month>10</Month><Day>3</Day></PubMedPubDate></History>
<ArticleIdList><ArticleId IdType="pubmed">77</ArticleId><ArticleId IdType="pmc">PMC55</ArticleId>
<ArticleId IdType="doi">10.1/listed</ArticleId></ArticleIdList>
<ReferenceList><Reference><ArticleIdList><ArticleId IdType="doi">10.1/cited</ArticleId></ArticleIdList></Reference>
</ReferenceList></PubmedData></PubmedArticle>"""


def _document(xml: str) -> Document:
    return pubmed_document(etree.fromstring(xml), "pubmed", "here")


def _article(inner: str = "", citation: str = "", data: str = "", title: str = "A title.") -> Document:
    return _document(
        f"<PubmedArticle><MedlineCitation><PMID>5</PMID><Article><ArticleTitle>{title}</ArticleTitle>{inner}</Article>{citation}"
        f"</MedlineCitation><PubmedData>{data}</PubmedData></PubmedArticle>"
    )


def test_every_field() -> None:
    parts = [("Background and aims", "Tea is old."), ("METHODS", "We drank (p<0.05)."), ("", "It was warm.")]
    assert _document(WHOLE) == Document(
        id="77",
        source="pubmed",
        title="Effects of Tilia at 10^3 μg: a trial.",
        text="Tea is old.\n\nWe drank (p<0.05).\n\nIt was warm.",
        sections=(
            *(Section(heading.capitalize(), text) for heading, text in parts[:1]),
            Section("Methods", parts[1][1]),
            Section("", parts[2][1]),
            Section("Plain language summary", "Tea helped."),
        ),
        revision="2",
        metadata=(
            ("date", "2019-11-05"),
            ("updated", "2021-12-31"),
            ("url", "https://pubmed.ncbi.nlm.nih.gov/77/"),
            ("pmid", "77"),
            ("doi", "10.1/listed"),
            ("pmcid", "PMC55"),
            ("journal", "The Journal of Tea"),
            ("language", "en"),
            ("language", "de"),
            ("kind", "Journal Article"),
            ("kind", "Randomized Controlled Trial"),
            ("mesh", "Tea"),
            ("mesh_major", "Tea"),
            ("mesh", "Humans"),
            ("keyword", "warm drinks"),
            ("retracted", "yes"),
        ),
    )


@pytest.mark.parametrize(
    ("title", "vernacular", "found", "kept"),
    [
        ("[Tea and sleep].", "Tee und Schlaf.", "Tea and sleep.", "Tee und Schlaf."),
        ("[Is tea warm?]", "", "Is tea warm?", ""),
        ("[Tea.].", "", "Tea.", ""),
        ("[Not Available].", "Tee und Schlaf.", "Tee und Schlaf.", ""),
        ("", "Tee und Schlaf.", "Tee und Schlaf.", ""),
        ("[11C]methionine in tea [and] milk.", "", "[11C]methionine in tea [and] milk.", ""),
        ("[11C]methionine and [3H]tea", "", "[11C]methionine and [3H]tea", ""),
    ],
)
def test_titles_in_brackets_are_translations(title: str, vernacular: str, found: str, kept: str) -> None:
    document = _article(f"<VernacularTitle>{vernacular}</VernacularTitle>", title=title)
    assert (document.title, document.fact("vernacular_title")) == (found, kept)


def test_an_abstract_without_labels_has_no_sections() -> None:
    document = _article("<Abstract><AbstractText>One.</AbstractText><AbstractText>Two.</AbstractText></Abstract>")
    assert (document.text, document.sections) == ("One.\n\nTwo.", ())


def test_without_abstract_there_is_no_text() -> None:
    assert _article().text == ""


@pytest.mark.parametrize(("language", "text"), [("eng", "From the publisher."), ("spa", "")])
def test_an_english_abstract_from_elsewhere_stands_in(language: str, text: str) -> None:
    part = "<AbstractText>From the publisher.</AbstractText>"
    other = f'<OtherAbstract Type="Publisher" Language="{language}">{part}</OtherAbstract>'
    assert _article(citation=other).text == text


@pytest.mark.parametrize(
    ("issue", "electronic", "date"),
    [
        ("<MedlineDate>2019 Nov-Dec</MedlineDate>", "<Year>2018</Year>", "2019-11"),
        ("", "<Year>2018</Year><Month>07</Month><Day>01</Day>", "2018-07-01"),
        ("", "", "2017-03-04"),
    ],
)
def test_the_date_is_the_best_there_is(issue: str, electronic: str, date: str) -> None:
    entered = '<PubMedPubDate PubStatus="pubmed"><Year>2017</Year><Month>3</Month><Day>4</Day></PubMedPubDate>'
    journal = f"<Journal><JournalIssue><PubDate>{issue}</PubDate></JournalIssue></Journal>"
    published = f'<ArticleDate DateType="Electronic">{electronic}</ArticleDate>'
    assert _article(journal + published, data=f"<History>{entered}</History>").fact("date") == date


@pytest.mark.parametrize(
    ("inner", "citation", "retracted"),
    [
        (
            '<PublicationTypeList><PublicationType UI="D016441">Any</PublicationType></PublicationTypeList>',
            "",
            True,
        ),
        ("", "<CommentsCorrectionsList><CommentsCorrections RefType='RetractionIn'/></CommentsCorrectionsList>", True),
        ("", "<CommentsCorrectionsList><CommentsCorrections RefType='RetractionOf'/></CommentsCorrectionsList>", False),
        (
            "<PublicationTypeList><PublicationType>Retraction of Publication</PublicationType></PublicationTypeList>",
            "",
            False,
        ),
    ],
)
def test_retracted_articles_are_marked_and_notices_are_not(inner: str, citation: str, retracted: bool) -> None:
    assert (_article(inner, citation).fact("retracted") == "yes") is retracted


def test_a_doi_may_stand_in_the_article_alone() -> None:
    wrong = '<ELocationID EIdType="doi" ValidYN="N">10.1/wrong</ELocationID><ELocationID EIdType="pii">S1</ELocationID>'
    assert _article(f'{wrong}<ELocationID EIdType="doi" ValidYN="Y">10.1/a</ELocationID>').fact("doi") == "10.1/a"


def test_chapters_of_books() -> None:
    document = _document(
        """<PubmedBookArticle><BookDocument><PMID Version="1">9</PMID><ArticleIdList><ArticleId IdType="bookaccession">NBK1
        </ArticleId></ArticleIdList><Book><BookTitle>Handbook</BookTitle><PubDate><Year>1993</Year></PubDate></Book>
        <ArticleTitle>[Warm drinks]</ArticleTitle><Language>eng</Language>
        <PublicationType UI="D016454">Review</PublicationType>
        <Abstract><AbstractText Label="Summary">Warm.</AbstractText></Abstract>
        <ContributionDate><Year>2006</Year><Month>4</Month><Day>5</Day></ContributionDate></BookDocument></PubmedBookArticle>"""
    )
    assert (document.id, document.title, document.text) == ("9", "Warm drinks", "Warm.")
    assert document.sections == (Section("Summary", "Warm."),)
    assert document.metadata[:1] == (("date", "2006-04-05"),)
    assert [value for name, value in document.metadata if name in ("kind", "journal")] == ["Handbook", "Book", "Review"]


@pytest.mark.parametrize(
    ("xml", "problem"),
    [
        ("<PubmedArticle/>", "without citation"),
        ("<PubmedArticle><MedlineCitation><PMID>1</PMID></MedlineCitation></PubmedArticle>", "without citation"),
        ("<PubmedArticle><MedlineCitation><Article/></MedlineCitation></PubmedArticle>", "without PMID"),
        ("<PubmedArticle><MedlineCitation><PMID>x</PMID><Article/></MedlineCitation></PubmedArticle>", "without PMID"),
        ("<PubmedArticle><MedlineCitation><PMID>1</PMID><Article/></MedlineCitation></PubmedArticle>", "neither title nor"),
        ("<PubmedBookArticle/>", "without its document"),
    ],
)
def test_records_that_are_none(xml: str, problem: str) -> None:
    with pytest.raises(RowError, match=problem):
        _document(xml)


def test_deleted_pmids() -> None:
    element: Any = etree.fromstring('<DeleteCitation><PMID Version="1"> 4 </PMID><PMID>5</PMID><PMID/></DeleteCitation>')
    assert deleted_pmids(element) == ["4", "5"]
