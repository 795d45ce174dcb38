"""Dates more exact than a year.

A bare year, a weekday, "last week" and durations stay. A fraction (pain 7/10, strength 4/5) is no date: two numbers without
a year count only where the words around say when something happened.
"""

import re
from collections.abc import Iterator

from medloom.deid.page import Page
from medloom.deid.rules.hits import CUE, FORM, Hit

_FULL = "january|february|march|april|may|june|july|august|september|october|november|december"
_MONTH = (
    "(?:january|february|april|june|july|august|september|october|november|december|(?-i:May|MAY|March|MARCH)|jan|febr?|"
    "mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
)
_WEEKDAY = r"(?:(?:mon|tues?|wed|wednes|thurs?|fri|sat|satur|sun)(?:day)?\.?,? (?:the )?)?"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_NTH = rf"{_DAY}(?: ?(?:st|nd|rd|th))?"
_MM = r"(?:0?[1-9]|1[0-2])"
_YEAR = r"(?:(?:1[89]|20)\d\d|['’]\d\d)"
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:\.\d{1,6})?)?(?: ?[ap]\.?m\b\.?)?"
_TIME = (
    rf"(?:(?:T| |, | at |, at | @ ?|-){_CLOCK}(?:Z|[+-]\d\d:?\d\d)?|(?:,? at|,)? \d{{1,2}} ?[ap]\.?m\b|"
    r"[ T]\d{4} ?(?:hrs?|hours)\b|T\d{6}Z?)?"
)
_TO = r" ?(?:-|–|to|through|thru) ?"
_END = r"(?![\w]|[/.-]\d)"
_START = r"(?<![\w])(?<![A-Za-z]-)(?<!\d[/.,-])(?<!\d)"
_AFTER_MONTH = rf"(?:,? ?(?:of )?{_YEAR}|-\d\d(?:\d\d)?)?"
_AFTER_DAY = rf"(?:(?:,? ?|[./-]){_YEAR}|[./-]\d\d(?!\d))?"

_FORMS = [
    re.compile(_START + form, re.IGNORECASE)
    for form in (
        rf"{_WEEKDAY}{_MONTH}\.?[ -]{_NTH}(?:{_TO}(?:{_MONTH}\.? )?{_NTH})?{_AFTER_MONTH}{_TIME}{_END}",
        rf"{_WEEKDAY}(?:the )?{_NTH}(?:{_TO}(?:the )?{_NTH})?(?: of |[ ./-]){_MONTH}\b\.?{_AFTER_DAY}{_TIME}{_END}",
        rf"(?:may|march) {_NTH},? {_YEAR}{_END}",
        rf"{_DAY}{_MONTH}(?:\d\d|{_YEAR}){_TIME}{_END}",
        rf"{_MONTH}\.?(?:,? (?:of )?|[-/.]){_YEAR}{_END}",
        rf"{_MONTH}[/-]\d\d{_END}",
        rf"{_YEAR},? ?{_MONTH}\.?(?: {_NTH})?{_END}",
        rf"(?:1[89]|20)\d\d([-/.]){_MM}\1{_DAY}{_TIME}(?![\d/])",
        rf"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]){_TIME}{_END}",
        rf"{_WEEKDAY}(?:{_MM}([/.-]){_DAY}|{_DAY}([/.-]){_MM})(?:\1|\2)(?:1[89]|20)\d\d{_TIME}(?![\d/])",
        rf"{_WEEKDAY}(?:{_MM}/{_DAY}|{_DAY}/{_MM})/['’]?\d\d{_TIME}{_END}",
        rf"(?:(?:0[1-9]|1[0-2])([-.]){_DAY}|{_DAY}([-.])(?:0[1-9]|1[0-2])|{_MM}(-)(?:1[3-9]|2\d|3[01]))(?:\1|\2|"
        rf"\3)\d\d{_TIME}{_END}",
        rf"{_MM}/{_DAY} ?[-–] ?{_MM}/{_DAY}/\d\d(?:\d\d)?{_END}",
        rf"(?:(?<=in )|(?<=on )|(?<=since )|(?<=from )|(?<=until )|(?<=: ))(?:19|20)\d\d-1[0-2]{_END}",
        rf"{_MM}/(?:19|20)\d\d{_END}",
        rf"(?:0[1-9]|1[0-2])[-.](?:19|20)\d\d{_END}",
        rf"(?:19|20)\d\d[-/]0[1-9]{_END}",
        rf"(?:spring|summer|fall|autumn|winter)(?: of|,)? (?:19|20)\d\d{_END}",
        rf"(?:early |mid-?|late )?(?:{_FULL})(?: of)? (?:this|last|next|that|the same|the following|the previous) year\b",
    )
]
_TWO_NUMBERS = re.compile(
    rf"{_START}(?:(?:0?[1-9]|1[0-2])/{_DAY}|(?:1[3-9]|2\d|3[01])/(?:0?[1-9]|1[0-2])){_TIME}(?![\w]|[/.,]\d|%)"
)
_WHEN = re.compile(
    r"\b(?:on|since|until|til|till|dated?|clinic|visit|seen|scheduled|scan|xray|x-ray|echo|labs?|admit(?:ted)?|"
    r"admission|discharged?|d/c|dc|dos|dob|starting|started|ending|stopped|beginning|begun|from|due|done|performed|"
    r"placed|removed|last|next|between|through|thru|before|after|by|as of|effective|given|received|surgery|procedure|"
    r"appt|appointment|follow-?up|f/u|colonoscopy|mammogram|psa|mri|ct|cxr|ekg|ecg|eeg|egd|biopsy|vaccine|booster|dose|"
    r"updated|signed|collected|drawn|reported|called|arrived|returned|transferred|extubated|intubated|expired|died|"
    r"deceased|born|today|yesterday|tomorrow|this morning|tonight|week)(?: (?:on|of|the|was|at|about|around|done|"
    r"from))?[ :(,]{1,3}$",
    re.IGNORECASE,
)
_FRACTION_BEFORE = re.compile(
    r"\b(?:pain|strength|motor|power|scale|score[ds]?|rated?|rating|reflex(?:es)?|dtrs?|pulses?|bp|blood pressure|"
    r"pressure|apgars?|gcs|mmse|moca|vision|acuity|od|os|ou|va|murmur|grade|graded|sys(?:tolic)?|ratio|recall(?:ed)?|"
    r"orientation|oriented|by|stage|level|severity|muscle|grip|strengths|currently|worst|best|average|intensity|"
    r"improved to|equal to|less than|more than|greater than|over|under|rotation to|flexion|extension|abduction|"
    r"adduction|down to|decreased to|increased to|class|tid|qid|x|nodes?|cores?|lymph|tablets?|take)(?: (?:is|was|are|"
    r"were|of|at|to|a|about|as|be|score|scale|rated|bilaterally|today|now|level|currently|being))*[ :=(,~]{1,3}$",
    re.IGNORECASE,
)
_FRACTION_AFTER = re.compile(
    r" ?(?:mg|mcg|ml|g|od|os|ou|units?|%|strength|murmur|systolic|diastolic|pain|weakness|muscle|in (?:the )?(?:left|"
    r"right|bilateral|all|upper|lower|severity|intensity|strength)|bilaterally|throughout|tabs?|tablets?|cups?|inch|"
    r"inches|of (?:a|the|an)|nodes?|lymph|cores?|positive|negative|on (?:the )?(?:left|right|pain|scale)|reflex|pulses?|"
    r"power|motor|edema|sem|holosystolic|ejection|points?|score|days|weeks|months|criteria|patients|cases|times|ratio|"
    r"visits|recall|objects|words|items|and \d/\d)",
    re.IGNORECASE,
)
_MONTH_ALONE = re.compile(rf"(?<![\w-])(?:{_FULL})(?![\w-])", re.IGNORECASE)
_MONTH_SHORT = re.compile(
    r"(?<![\w-])(?:in|since|last|next|this|early|late|mid|until|by|till|during|from|between)[ -](?:jan|feb|mar|apr|jun|"
    r"jul|aug|sept?|oct|nov|dec)\b\.?(?! \w+ \w*scan)",
    re.IGNORECASE,
)
_MONTH_BEFORE = re.compile(
    r"(?:\b(?:in|since|last|next|this|early|late|mid|until|til|till|by|during|from|between|of|through|before|after|"
    r"every|each|around|to|past|previous|coming|and|or|for|clinic|psa|mammogram|colonoscopy|visit|seen|dated|due|again|"
    r"mri|ct|echo|labs)[ -]|[(])$",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"\b(?:last|this|next) $", re.IGNORECASE)
_WORD_OR_NAME = frozenset(("may", "march", "august"))
_NAMES_TOO = frozenset(("may", "april", "june", "august"))
_AFTER_NAME = re.compile(r"(?:\b(?:dr|mr|mrs|ms|miss|prof|name|patient|pt)\.?:? |[A-Z]\. |, )$", re.IGNORECASE)
_DAY_ALONE = re.compile(
    r"\b(?:on|since|until|by|from) the (?:[12]?\d|3[01])(?:st|nd|rd|th)(?=[.,;)]|$| at | and | of this| for )", re.IGNORECASE
)
_HOLIDAY = re.compile(
    r"\b(?:on|since|around|before|after|until|by|over|during|this|last|at) (?:the )?((?:christmas(?: day| eve)?|xmas|"
    r"thanksgiving(?: day)?|new year['’]?s(?: day| eve)?|easter(?: sunday| monday)?|halloween|labor day|memorial day|"
    r"independence day|the fourth of july|valentine['’]?s day|mother['’]?s day|father['’]?s day|hanukkah|passover|"
    r"ramadan|diwali|boxing day|presidents['’]? day|columbus day|veterans['’]? day|mlk day|"
    r"juneteenth)(?:,? (?:of )?(?:19|20)\d\d)?)\b",
    re.IGNORECASE,
)
_OLD_BIRTH = re.compile(
    r"\b(?:born(?:[^.\n]{0,30} in)?|dob:?|year of birth:?|birth year:?) ((?:18\d\d|19[0-2]\d))\b", re.IGNORECASE
)
_DATES_FOLLOW = re.compile(
    r"(?:(?:,|,? and| &| or) ?\d{1,2}/\d{1,2}(?!/)){0,6}(?:,|,? and| &| or) ?\d{1,2}/\d{1,2}/\d\d(?:\d\d)?(?![\d/])"
)
_LOOK = 40


def dates(page: Page) -> Iterator[Hit]:
    """Dates in every common form."""
    text = page.text
    for form in _FORMS:
        for match in form.finditer(text):
            yield Hit(match.start(), _without_dot(text, match.end()), "DATE", FORM)
    for match in _TWO_NUMBERS.finditer(text):
        if _is_day(text, match):
            yield Hit(match.start(), match.end(), "DATE", CUE)
    yield from _months(text)
    for cue in _DAY_ALONE.finditer(text):
        yield Hit(cue.start() + cue[0].index(" the ") + 1, cue.end(), "DATE", CUE)
    for pattern in (_HOLIDAY, _OLD_BIRTH):
        for match in pattern.finditer(text):
            yield Hit(match.start(1), match.end(1), "DATE", CUE)


def _without_dot(text: str, end: int) -> int:
    return end - 1 if text[end - 1] in ".," else end


def _is_day(text: str, match: re.Match[str]) -> bool:
    """Whether two numbers are a month and a day rather than a fraction."""
    before = text[max(0, match.start() - _LOOK) : match.start()]
    if _FRACTION_AFTER.match(text, match.end()) or _FRACTION_BEFORE.search(before):
        return False
    if ":" in match[0] or _DATES_FOLLOW.match(text, match.end()) or _WHEN.search(before):
        return True
    second = int(re.split(r"[/ ]", match[0])[1][:2])
    return second > 12 and second not in (15, 20, 24, 25, 30)


def _months(text: str) -> Iterator[Hit]:
    for match in _MONTH_ALONE.finditer(text):
        before = text[max(0, match.start() - _LOOK) : match.start()]
        if _is_month(match[0], before, text[match.end() : match.end() + 2]):
            ahead = _RELATIVE.search(before)
            yield Hit(match.start() - len(ahead[0]) if ahead else match.start(), match.end(), "DATE", CUE)
    for match in _MONTH_SHORT.finditer(text):
        if match[0].rstrip(".")[-2:].isupper():
            continue
        start = match.start() + max(match[0].rfind(" "), match[0].rfind("-")) + 1
        yield Hit(start, _without_dot(text, match.end()), "DATE", CUE)


def _is_month(word: str, before: str, after: str) -> bool:
    """Whether a full name of a month, without day and year, is that of a month."""
    low = word.casefold()
    if _MONTH_BEFORE.search(before):
        return word[0].isupper() or low not in _WORD_OR_NAME
    if not word[0].isupper() or word.isupper() or (low in _NAMES_TOO and _AFTER_NAME.search(before)):
        return False
    mid_sentence = bool(before) and before[-1] == " " and before.rstrip()[-1:].isalnum()
    name_follows = low in _NAMES_TOO and len(after) > 1 and after[0] == " " and after[1].isupper()
    if low in _WORD_OR_NAME:
        return mid_sentence and not name_follows and before.rsplit(" ", 2)[-2][:1].islower()
    return not name_follows
