"""Ages over 89."""

import re
from collections.abc import Iterator

from medloom.deid.page import Page
from medloom.deid.rules.hits import FORM, Hit

_OLD = r"(?:9\d|1[0-2]\d)"
_UNIT = r"(?:years?|yrs?|y)"
_TENS = r"ninet(?:y|ies)(?:[ -](?:one|two|three|four|five|six|seven|eight|nine))?"
_HUNDRED = r"(?:one |a )?hundred(?:[ -]and)?(?:[ -](?:one|two|three|four|five|six|seven|eight|nine|ten))?"
_FAMILY = r"(?:mother|father|grandmother|grandfather|aunt|uncle|brother|sister|husband|wife|parents?|patient|pt|he|she)"
_FORMS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<![\w.,/-])({_OLD})[ -]?{_UNIT}\.?[ -]{{0,2}}(?:/ ?)?o(?:ld|f age|\.|\b)",
        rf"(?<![\w.,/-])({_OLD}) ?(?:yo|y/o|y\.o)\b",
        rf"(?<![\w.,/-])({_OLD}) ?y(?:o|/o)?[mf]\b",
        rf"(?<![\w.,/-])({_OLD})[ -]{_UNIT}[ -](?:male|female|man|woman|lady|gentleman|[mf]\b)",
        rf"\bag(?:e|ed|es)(?:/sex)?(?: is| was| of| at)?[ :=]{{1,3}}({_OLD})(?![\w%]|\.\d)",
        rf"\bage (?:of|at death|at onset|at diagnosis)[ :]{{1,3}}({_OLD})\b",
        rf"(?<![\w.,/-])({_OLD})[ -](?:male|female|woman|man|lady|gentleman)\b",
        rf"\b{_FAMILY},? (?:who )?(?:is|was|turned|died at|passed away at|deceased at|lived to|alive at|living at|"
        rf"at)(?: now| only)? ({_OLD})(?![\w%/:-]|\.\d| (?:kg|lbs?|pounds|bpm|percent|mm|cm|mg|minutes|days|hours))",
        rf"\b(?:died|passed away|deceased|expired|living|alive)(?: of [\w ]{{1,30}})? (?:at|@)(?: the age of| "
        rf"age)? ({_OLD})(?![\w%/:-]|\.\d)",
        rf"\b({_TENS})[ -]{_UNIT}[ -]{{1,2}}old\b",
        rf"\b({_HUNDRED})[ -]{_UNIT}[ -]{{1,2}}old\b",
        rf"\b(?:age|aged|age of) ({_TENS})\b",
    )
]
_CASED = re.compile(
    rf"(?:\b(?:[Aa]n?|[Pp]t|PT|[Pp]atient|is|was|[Aa]ge|AGE)[ :]{{1,2}})({_OLD}) ?/?[MF](?=[ ,.;/)\n]|$)|"
    rf"^({_OLD}) ?/?[MF](?= (?:with|w/|who|presents|presented|admitted|brought|found|hx|h/o|s/p|p/w)\b)",
    re.MULTILINE,
)


def ages(page: Page) -> Iterator[Hit]:
    """The numbers of ages of 90 years and more; the words around them stay."""
    for form in _FORMS:
        for match in form.finditer(page.text):
            yield Hit(match.start(1), match.end(1), "AGE", FORM)
    for match in _CASED.finditer(page.text):
        yield Hit(*match.span(match.lastindex or 0), "AGE", FORM)
