"""Headed sections of clinical notes and papers, and common names of their headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from medloom.text.wordlist import word_set

COMMON = (
    *("chief complaint", "history of present illness", "past medical history", "medications", "allergies"),
    *("family history", "social history", "review of systems", "physical examination", "vital signs", "laboratory"),
    *("imaging", "procedure", "hospital course", "assessment", "plan", "diagnosis", "discharge condition"),
    *("discharge instructions", "follow-up", "abstract", "background", "methods", "results", "conclusions"),
    *("abbreviations", "declarations", "other"),
)
"""Names that :func:`canonical` gives."""

_NAMES = {
    "chief complaint": "cc|complaint|complaints|presenting complaint|reason for visit|reason for consultation|reason for "
    "consult|reason for admission|reason for exam|reason for referral|indication|indications|clinical indication",
    "history of present illness": "hpi|history|present illness|subjective|clinical history|brief history|interval history|"
    "history of presenting illness|case presentation|case report|case|presentation|patient information|s",
    "past medical history": "pmh|pmhx|psh|pshx|past history|medical history|surgical history|past surgical history|past "
    "medical hx|past surgical hx|medical hx|comorbidities|past psychiatric history|obstetric history|ob history",
    "medications": "meds|medication|current medications|home medications|current meds|admission medications|drugs",
    "allergies": "allergy|drug allergies|medication allergies|known allergies",
    "family history": "fh|fhx|fhx|family hx|family medical history",
    "social history": "sh|shx|sochx|social hx|habits|social|personal history|occupational history",
    "review of systems": "ros|systems review|review of symptoms",
    "physical examination": "pe|exam|physical exam|examination|physical|objective findings|mental status|gen exam|o|"
    "neurological examination|mental status examination|exam and data|neurologic examination|general appearance",
    "vital signs": "vitals|vs|vital",
    "laboratory": "labs|lab|lab data|laboratory data|laboratory studies|lab results|laboratory results|lab studies|"
    "laboratory findings|laboratory values|pertinent results|microbiology|pathology|diagnostic data|"
    "diagnostics|diagnostic studies|pathology report",
    "imaging": "radiology|x-ray|x-rays|xray|ct|ct scan|mri|ultrasound|echo|echocardiogram|ekg|ecg|radiographs|chest x-ray|"
    "imaging studies|radiology report|radiologic studies|interpretation|radiographic studies",
    "procedure": "procedures|operation|operations|procedure performed|operation performed|procedure in detail|operative "
    "procedure|description of procedure|surgery|technique|title of operation|operative report|operative note",
    "hospital course": "course|ed course|clinical course|brief hospital course|emergency department course|"
    "course in hospital|acute issues|chronic issues|active issues|inactive issues",
    "assessment": "impression|impressions|clinical impression|assessment and plan|assessment/plan|impression and plan|"
    "impression/plan|a/p|a&p|a/p|discussion|summary|formulation|ap|a",
    "plan": "plans|recommendation|recommendations|treatment|treatment plan|therapy|management|disposition and plan|p|"
    "therapeutic intervention|treatments|intervention|interventions",
    "diagnosis": "diagnoses|dx|final diagnosis|discharge diagnosis|preoperative diagnosis|postoperative diagnosis|axis i|"
    "principal diagnosis|admitting diagnosis|admission diagnosis|diagnostic assessment|preop diagnosis|postop diagnosis",
    "discharge condition": "condition at discharge|condition on discharge|condition upon discharge|activity status|"
    "level of consciousness|patient condition",
    "discharge instructions": "wound care|instructions|patient instructions|discharge plan|discharge planning|diet|activity|"
    "patient education",
    "follow-up": "followup|follow up|disposition|follow-up plan|outcome and follow-up|appointments|follow-up appointments|"
    "followup instructions|follow-up instructions|follow up instructions|discharge disposition|transitional issues",
    "abstract": "structured abstract|synopsis",
    "background": "introduction|objectives|aim|aims|purpose|context|rationale|importance|background and objectives",
    "methods": "method|materials and methods|material and methods|patients and methods|study design|design|setting|"
    "participants|methods/design|methodology|methods and findings|subjects and methods|main outcome measures|"
    "statistical analysis|statistical analyses|statistics|study population|study participants|subjects|patients|search "
    "strategy|data collection|data extraction|data sources|eligibility criteria|inclusion criteria|exclusion criteria|"
    "experimental section|experimental|experimental procedures",
    "results": "findings|result|outcome|outcomes|main results|operative findings|intraoperative findings|gross findings",
    "conclusions": "conclusion|interpretation and conclusions|concluding remarks|key points|clinical significance",
    "abbreviations": "list of abbreviations|abbreviations used|nomenclature|glossary",
    "declarations": "declaration|funding|funding sources|funding information|financial support|financial disclosure|"
    "acknowledgements|acknowledgments|acknowledgement|acknowledgment|competing interests|competing interest|conflict of "
    "interest|conflicts of interest|conflict of interests|declaration of interest|declaration of interests|declaration of "
    "competing interest|disclosure|disclosures|author contributions|authors' contributions|author's contributions|"
    "contributors|data availability|data availability statement|availability of data and materials|data sharing|data "
    "sharing statement|ethics|ethics approval|ethical approval|ethics statement|ethics approval and consent to participate|"
    "consent for publication|patient consent|informed consent statement|institutional review board statement|"
    "pre-publication history|provenance and peer review|supplementary material|supplementary materials|supplementary "
    "data|supporting information",
}
_EXACT = {name: common for common, names in _NAMES.items() for name in (common, *names.split("|"))}
_PATTERNS = tuple(
    (re.compile(rf"\b(?:{pattern})"), common)
    for pattern, common in (
        ("family", "family history"),
        ("social|smoking|tobacco", "social history"),
        ("allerg", "allergies"),
        ("review of sys|ros\\b", "review of systems"),
        ("discharge instruc|instruct|patient educ|counsel", "discharge instructions"),
        ("diagnos[ie]s\\b|dx\\b", "diagnosis"),
        ("medication|meds\\b|prescription|drugs\\b", "medications"),
        ("assessment|impression", "assessment"),
        ("follow", "follow-up"),
        ("plan\\b|plans\\b|recommend|treatment|therap|management|intervention", "plan"),
        ("hospital course|course", "hospital course"),
        ("chief|complaint|reason for|indication", "chief complaint"),
        ("present\\w* illness|hpi\\b|subjective", "history of present illness"),
        ("past|surgical h|medical h|psychiatric h|gyn\\w* h|obstetric|prior h|previous", "past medical history"),
        ("vital", "vital signs"),
        ("lab\\b|labs\\b|laborator|blood work|patholog|microbiolog|hematolog|biops", "laboratory"),
        ("imaging|radiolog|radiograph|x-ray|ct\\b|mri\\b|ultraso|echo|scan\\b|electrocardiogram|angiogra", "imaging"),
        ("procedure|operati|surgery|surgical|anesthesia", "procedure"),
        ("exam|physical", "physical examination"),
        ("background|introduc|aims?\\b|objectives", "background"),
        ("method|design", "methods"),
        ("result|finding|outcome", "results"),
        ("conclu", "conclusions"),
        ("history", "history of present illness"),
    )
)
_NUMBER = re.compile(r"(?:\d{1,2} )+")
_WITHIN = word_set(
    """
    general constitutional heent head eyes ears nose throat mouth ent neck lymphatics lymph nodes chest lungs lung
    breasts breast heart cardiovascular cardiac cv pulmonary respiratory resp abdomen abdominal gi gu
    gastrointestinal genitourinary genitalia pelvic rectal extremities extremity musculoskeletal msk back spine skin
    integumentary dermatologic neuro neurologic neurological cns psych psychiatric endocrine hematologic motor
    sensory reflexes gait station coordination coord cranial nerves pulse pulses temperature temp weight height bp
    hr rr blood pressure respirations heart rate bmi pain pelvis hematology immunologic vascular and system systems
    tongue oropharynx nasal face
    """
)
"""Words of headings inside an examination or a review of systems: these stay parts of it."""
_NO_HEADING = word_set(
    """
    note notes nb warning caution example e.g i.e name date time age sex mrn dob to re from cc ps
    """
)
_MARKDOWN = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+(\S[^\n]{0,118}?)[ \t#]{0,9}$")
_STARRED = re.compile(r"[ \t]{0,9}(\*\*|__)[ \t]{0,3}([^\n*_]{2,80}?)[ \t]{0,3}:?[ \t]{0,3}\1[ \t]{0,3}:?[ \t]{0,9}$")
_ASKS = re.compile(r"[A-Z][^.!?:\n]{3,100}\?:?")
_BREAK = re.compile(r"[.!?;\n:*\]]|,(?=\s{0,9}[A-Z])")
_DECORATION = re.compile(r"[^\w/&' +-]+")
_OF_A_HEADING = re.compile(r"[A-Za-z][A-Za-z/&'’(), -]*")
_FILL = re.compile(r"[\s,*_]*")
_LONGEST = 70
_MOST_WORDS = 8


@dataclass(frozen=True, slots=True)
class Part:
    """A section of a text.

    Attributes:
        heading: As it stands in the text, without marks and colon; empty for what has none.
        start: First character of the body, counted from 0.
        end: One past the body's last character.
        head: First character of the heading; ``start`` if there is none.
    """

    heading: str
    start: int
    end: int
    head: int


def canonical(heading: str) -> str:
    """The common name of a heading: one of :data:`COMMON`, ``other`` for what is none of them."""
    folded = _folded(heading)
    if found := _EXACT.get(folded):
        return found
    for pattern, common in _PATTERNS:
        if pattern.search(folded):
            return common
    return "other"


def _folded(heading: str) -> str:
    """A heading in lower case, without marks and the number that it may begin with (``2.1. Study design``)."""
    folded = " ".join(_DECORATION.sub(" ", heading.replace("’", "'")).casefold().split())
    number = _NUMBER.match(folded)
    return folded[number.end() :] if number else folded


def section_spans(text: str) -> list[Part]:
    """The headed sections of a text, in order; what stands before the first heading has none.

    Headings are lines of Markdown (``## Plan``, ``** Plan **``), known names on a line of their own, lines that end
    with a colon or ask, and capitals with a colon at a sentence's start ("...is well. PLAN: Return in"), also where
    line ends were turned into commas (".,PLAN:,"). Names of organs ("HEENT:", "LUNGS:") belong to the section that
    they stand in; a label with a figure ("BP: 120/80") and a time are no headings. A section without text is left out.
    """
    heads = sorted({*_line_heads(text), *_colon_heads(text)})
    marks: list[tuple[int, int, str]] = [(0, 0, "")]
    for found in heads:
        if found[0] >= marks[-1][1]:
            marks.append(found)
    parts = []
    for (head, start, heading), (end, *_) in pairwise([*marks, (len(text), 0, "")]):
        fill = _FILL.match(text, start, end)
        first = fill.end() if fill else start
        last = first + len(text[first:end].rstrip(" \t\r\n,"))
        if last > first:
            parts.append(Part(heading, first, last, head if heading else first))
    return parts


def _line_heads(text: str) -> Iterator[tuple[int, int, str]]:
    """Headings that fill a line."""
    position, blank_before = 0, True
    for line in text.split("\n"):
        end = position + len(line)
        if len(line) <= 130 and (heading := _line_heading(line, blank_before)):
            yield position + len(line) - len(line.lstrip()), end, heading
        blank_before = not line.strip()
        position = end + 1


def _line_heading(line: str, blank_before: bool) -> str:
    """The heading that a line is, or an empty string."""
    if found := _MARKDOWN.fullmatch(line):
        return found[1].strip()
    if found := _STARRED.fullmatch(line):
        return found[2].strip()
    body = line.strip()
    if _ASKS.fullmatch(body) and (blank_before or body.endswith(":")):
        return body.removesuffix(":")
    name = body.removesuffix(":").rstrip()
    if not _OF_A_HEADING.fullmatch(name) or len(name.split()) > _MOST_WORDS or _is_label(name):
        return ""
    known = _is_known(name)
    if body.endswith(":"):
        fits = known or name.isupper() or _is_title(name) or (blank_before and name[0].isupper())
    else:
        fits = (known and name[0].isupper() and "," not in name) or (
            name.isupper() and len(name) > 5 and (canonical(name) != "other" or (blank_before and len(name.split()) <= 5))
        )
    return name if fits else ""


def _colon_heads(text: str) -> Iterator[tuple[int, int, str]]:
    """Headings with their text on the same line."""
    last = 0
    for colon in re.finditer(":", text):
        window = text[max(last, colon.start() - _LONGEST) : colon.start()]
        begins_text = colon.start() - len(window) == 0
        last = colon.end()
        heading, line_start = _tail(window, begins_text)
        if heading and _is_inline(heading, line_start, text[last : last + 12]):
            start = colon.start() - len(window) + window.rindex(heading)
            yield start, last, heading.strip()


def _tail(window: str, begins_text: bool) -> tuple[str, bool]:
    """What stands between the last sentence's end and a colon, and whether it opens a line (or what was one)."""
    breaks = list(_BREAK.finditer(window))
    while breaks and window[breaks[-1].start()] == "," and _joins(window, breaks):
        breaks.pop()
    if not breaks:
        return (window.strip(), True) if begins_text else ("", False)
    at = breaks[-1].start()
    before = window[:at].rstrip()
    opens = window[at] == "\n" or (window[at] == "," and before[-1:] in {"", ".", "!", "?", ":", ";"})
    return window[breaks[-1].end() :].strip(), opens


def _joins(window: str, breaks: list[re.Match[str]]) -> bool:
    """Whether the text on both sides of the last comma is one heading in capitals: PHYSICAL EXAMINATION,VITAL SIGNS."""
    comma = breaks[-1].start()
    start = breaks[-2].end() if len(breaks) > 1 else 0
    before = window[start:comma].strip()
    return (
        len(before) > 3
        and before.isupper()
        and window[comma:].isupper()
        and len(breaks) > 1
        and canonical(before) != "other"
    )


def _is_inline(heading: str, line_start: bool, following: str) -> bool:
    """Whether a label with a colon heads a section."""
    if not _OF_A_HEADING.fullmatch(heading) or len(heading.split()) > _MOST_WORDS or _is_label(heading):
        return False
    comma = following.lstrip(" \t").startswith(",")
    if heading.isupper():
        if canonical(heading) != "other" and (_is_known(heading) or len(heading) > 5):
            return True
        return len(heading) > 4 and (comma or not following.lstrip(" ,")[:1].isdigit()) and (comma or line_start)
    return line_start and heading[0].isupper() and _is_known(heading)


def _is_label(name: str) -> bool:
    """Whether a name labels a line inside a section rather than a section."""
    words = re.findall(r"[a-z']+", name.casefold())
    return not words or all(word in _WITHIN for word in words) or (len(words) == 1 and words[0] in _NO_HEADING)


def _is_known(name: str) -> bool:
    """Whether a heading is in the list of names as it is, or with the usual "on admission", "at discharge"."""
    folded = _folded(name)
    bare = re.sub(
        r"(?:^(?:discharge|admission|current|brief|initial|final)\b)|(?:\b(?:on|at) (?:admission|discharge)$)", "", folded
    )
    return (folded in _EXACT or bare.strip() in _EXACT) and len(folded) > 1


def _is_title(name: str) -> bool:
    """Whether every long word starts with a capital."""
    return all(word[0].isupper() or len(word) < 4 for word in name.split()) and name[0].isupper()
