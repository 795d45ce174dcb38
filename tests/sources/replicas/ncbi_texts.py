"""Records of PubMed and articles of PMC with texts of our own, the same for a number in every run."""

import random
from xml.sax.saxutils import escape

_WORDS = [
    *("patients", "nurses", "walking", "sleep", "warmth", "linden", "tea", "evening", "morning", "rest", "breath", "pulse"),
    *("appetite", "mood", "stairs", "garden", "music", "diary", "strength", "balance", "winter", "summer", "village"),
    *("harbour", "meadow", "lantern", "comfort", "visit", "letter", "recovery", "week", "month", "ward", "bench", "window"),
]
_LICENCES = (
    '<license license-type="open-access"><ali:license_ref>https://creativecommons.org/licenses/by/4.0/</ali:license_ref>'
    "<license-p>Open access.</license-p></license>",
    '<license xlink:href="http://creativecommons.org/licenses/by-nc/4.0/"><license-p>Terms apply.</license-p></license>',
    "<license><license-p>Distributed under the Creative Commons Attribution-NonCommercial-NoDerivatives License.</license-p>"
    "</license>",
    "",
)
PUBMED_SET = (
    '<?xml version="1.0" ?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" '
    '"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">\n<PubmedArticleSet>\n%s\n</PubmedArticleSet>'
)
PMC_SET = (
    '<?xml version="1.0"  ?><!DOCTYPE pmc-articleset PUBLIC "-//NLM//DTD ARTICLE SET 2.0//EN" '
    '"https://dtd.nlm.nih.gov/ncbi/pmc/articleset/nlm-articleset-2.0.dtd"><pmc-articleset>%s</pmc-articleset>'
)
_BOOK = """<PubmedBookArticle><BookDocument><PMID Version="1">{uid}</PMID>{ids}<Book><Publisher>
<PublisherName>House Press</PublisherName></Publisher><BookTitle>Handbook of {topic}</BookTitle>
<PubDate><Year>2019</Year></PubDate></Book><ArticleTitle>{title}</ArticleTitle><Language>eng</Language>
<Abstract><AbstractText>{first} {rest}</AbstractText></Abstract></BookDocument></PubmedBookArticle>"""
_ARTICLE = """<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"><PMID Version="1">{uid}</PMID>
<DateRevised><Year>2026</Year><Month>05</Month><Day>17</Day></DateRevised><Article PubModel="Print"><Journal>
<JournalIssue><PubDate>{issued}</PubDate></JournalIssue><Title>Journal of Small Comforts</Title></Journal>
<ArticleTitle>{title}</ArticleTitle>{abstract}<Language>{language}</Language><PublicationTypeList>
<PublicationType UI="D016428">Journal Article</PublicationType>{retracted}</PublicationTypeList></Article>
<MeshHeadingList><MeshHeading><DescriptorName UI="D000001" MajorTopicYN="{major}">{mesh}</DescriptorName></MeshHeading>
</MeshHeadingList></MedlineCitation><PubmedData>{ids}</PubmedData></PubmedArticle>"""
_STRUCTURED = """<Abstract><AbstractText Label="BACKGROUND" NlmCategory="BACKGROUND">{first}</AbstractText>
<AbstractText Label="RESULTS" NlmCategory="RESULTS">{rest}</AbstractText></Abstract>"""
_PMC_ARTICLE = """<article xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML"
xmlns:ali="http://www.niso.org/schemas/ali/1.0/" article-type="research-article" xml:lang="en"><front><journal-meta>
<journal-title-group><journal-title>Archives of Warm Drinks</journal-title></journal-title-group></journal-meta>
<article-meta><article-id pub-id-type="pmcid">PMC{uid}</article-id><article-id pub-id-type="pmcaid">{uid}</article-id>
<article-id pub-id-type="doi">10.5555/pmc.{uid}</article-id><title-group><article-title>{title}</article-title></title-group>
<pub-date pub-type="epub"><day>3</day><month>2</month><year>2024</year></pub-date><permissions>{licence}</permissions>
<abstract><p>{first}</p><p>{second}</p></abstract></article-meta></front>{body}</article>"""
_PMC_BODY = """<body><sec><title>1. Introduction</title>
<p>{0} Others agree [<xref ref-type="bibr" rid="B1">1</xref>, <xref ref-type="bibr" rid="B2">2</xref>].</p></sec>
<sec><title>Methods</title><sec><title>Setting</title><p>{1}</p></sec><sec><title>Counting</title><p>{2}</p>
<table-wrap><label>Table 1</label><table><tr><td>4</td></tr></table></table-wrap></sec></sec>
<sec><title>Results</title><p>{3}</p></sec></body>"""
_NO_BODY = "<!--The publisher of this article does not allow downloading of the full text in XML form.-->"


def pubmed_record(uid: int, topic: str = "linden tea", note: str = "") -> str:
    """A record of PubMed. Of each twenty, some are structured, translated, retracted, without abstract, or of a book.

    Args:
        uid: PMID.
        topic: What it is about.
        note: A sentence more, for a changed record.
    """
    draw, kind = random.Random(uid), uid % 20
    topic = escape(topic)
    title = f"{topic.capitalize()} and {draw.choice(_WORDS)}: <i>observations</i> no. {uid}."
    first = f"We looked at {topic} in {uid % 977 + 20} households. {_sentence(draw, 12)} {note}"
    rest = f"{_sentence(draw, 14)} About 10<sup>{uid % 7 + 2}</sup> cups were counted. {_sentence(draw, 9)}"
    ids = (
        f'<ArticleIdList><ArticleId IdType="pubmed">{uid}</ArticleId><ArticleId IdType="doi">10.5555/ours.{uid}</ArticleId>'
        "</ArticleIdList>"
    )
    if kind == 19:
        return _BOOK.format(uid=uid, ids=ids, topic=topic, title=title, first=first, rest=rest)
    plain = "" if kind == 6 else f"<Abstract><AbstractText>{first} {rest}</AbstractText></Abstract>"
    return _ARTICLE.format(
        uid=uid,
        ids=ids,
        issued="<MedlineDate>2019 Nov-Dec</MedlineDate>"
        if kind == 4
        else f"<Year>{1990 + uid % 36}</Year><Month>Mar</Month>",
        title=f"[{title[:-1]}]." if kind == 3 else title,
        language="ger" if kind == 3 else "eng",
        abstract=plain if kind % 4 else _STRUCTURED.format(first=first, rest=rest),
        retracted='<PublicationType UI="D016441">Retracted Publication</PublicationType>' if kind == 5 else "",
        major="YN"[uid % 2],
        mesh=_WORDS[uid % 9].capitalize(),
    )


def pmc_record(uid: int, topic: str = "linden tea", note: str = "") -> str:
    """An article of PMC; of each ten, one is given without its body.

    Args:
        uid: Number in PMC.
        topic: What it is about.
        note: A sentence more, for a changed article.
    """
    draw = random.Random(uid)
    topic = escape(topic)
    body = _PMC_BODY.format(*(_sentence(draw, words) for words in (20, 30, 25, 40)))
    return _PMC_ARTICLE.format(
        uid=uid,
        title=f"{topic.capitalize()} at home: {draw.choice(_WORDS)}, no. {uid}",
        licence=_LICENCES[uid % 4],
        first=f"We asked {uid % 977 + 20} people about {topic}.",
        second=f"{_sentence(draw, 18)} {note}",
        body=_NO_BODY if uid % 10 == 7 else body,
    )


def _sentence(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(_WORDS, k=words)).capitalize() + "."
