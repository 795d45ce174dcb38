"""Numbers of one person or thing: after a label, or by their form."""

import re
from collections.abc import Iterator

from medloom.deid.page import Page
from medloom.deid.rules.hits import CUE, FORM, GAZETTEER, Hit
from medloom.deid.spans import Kind

_NUMBER = r"(?:no\.?|nos\.?|num\.?|number|numbers|nbr\.?|#|id|code)"
_LABELS: list[tuple[Kind, int, str]] = [
    (
        "SSN",
        4,
        r"ssn|ss ?#|soc(?:ial)?\.? sec(?:urity)?(?: (?:number|no\.?|num|#))?|sin|nino|national insurance(?: number)?|"
        r"aadhaar|tax id",
    ),
    (
        "MRN",
        3,
        rf"(?:emr|ehr|epi)? ?mrn|mr ?(?:#|no\.?|number)|med(?:ical)?\.? rec(?:ord)?s?\.?(?: {_NUMBER})?|(?:hospital|"
        rf"chart|patient|pt\.?|unit|record|clinic|person|nhs|medical|case|client|resident|file|hosp|emr|ehr|"
        rf"registration|master)(?:[ '’]s)? ?{_NUMBER}|"
        r"patient identifier|medical identifier|umrn|mpi|empi|pid|pt ?id|chart|nhs",
    ),
    (
        "ACCOUNT",
        4,
        rf"acc(?:oun)?ts?\.?(?: ?{_NUMBER})?|billing(?: ?{_NUMBER})|bank(?: ?{_NUMBER})|routing(?: ?{_NUMBER})?|iban|"
        rf"invoice(?: ?{_NUMBER})?|har|guarantor(?: ?{_NUMBER})|credit card(?: {_NUMBER})?|card {_NUMBER}|"
        rf"claim(?: ?{_NUMBER})?",
    ),
    (
        "PLAN",
        4,
        rf"(?:(?:medical|health|dental|vision)? ?(?:insurance|insurer|plan|policy|member|membership|subscriber|"
        rf"beneficiary|coverage|payer|payor|hmo|ppo|carrier)(?: (?:policy|plan|member|subscriber|card|group|beneficiary|"
        rf"coverage))?(?: ?{_NUMBER})?)|medicaid(?: ?{_NUMBER})?|medicare(?: ?{_NUMBER})?|hicn|mbi|"
        rf"group(?: ?{_NUMBER})?|(?:blue cross|bcbs|aetna|cigna|humana|kaiser|unitedhealthcare|anthem|"
        rf"tricare)(?: ?{_NUMBER})?|(?:prior )?auth(?:orization)? ?{_NUMBER}|health plan(?: beneficiary)?(?: ?{_NUMBER})?",
    ),
    (
        "LICENSE",
        4,
        rf"dea(?: ?{_NUMBER})?|npi(?: ?{_NUMBER})?|upin|(?:medical |state |nursing |driver['’]?s?['’]? |drivers |"
        rf"pharmacy )?licen[cs]e(?: ?{_NUMBER})?|lic\.?(?: ?{_NUMBER})|dl ?{_NUMBER}|passport(?: ?{_NUMBER})?|"
        rf"certificate(?: ?{_NUMBER})?|cert(?: ?{_NUMBER})|badge(?: ?{_NUMBER})?|employee(?: ?{_NUMBER})|visa {_NUMBER}|"
        rf"state id|military id|national id|green card",
    ),
    (
        "VEHICLE",
        4,
        rf"(?:vehicle|licen[cs]e|number|car|registration)?[ -]?plates?(?: ?{_NUMBER})?|vin(?: ?{_NUMBER})?|vehicle(?: "
        rf"identification| id)?(?: ?{_NUMBER})?|"
        r"registration|tag number",
    ),
    (
        "DEVICE",
        4,
        rf"serial(?: ?{_NUMBER})?|s/n|sn|lot(?: ?{_NUMBER})?|udi(?:-di)?|gtin|device(?: ?{_NUMBER})|"
        rf"ref(?:erence)?\.?(?: ?{_NUMBER})|(?:implant|pump|pacemaker|icd|generator|lead|stent|valve|monitor|prosthesis|"
        rf"ventilator)(?: (?:serial|lot|device))?(?: ?{_NUMBER})|imei|batch(?: ?{_NUMBER})?",
    ),
    (
        "BIOMETRIC",
        4,
        rf"(?:finger|voice|palm|thumb|foot)[ -]?prints?(?: (?:id|file|record|scan|hash|template))?(?: ?{_NUMBER})?|"
        rf"(?:retinal?|iris|facial|face) (?:scan|id|recognition|template|print)(?: ?{_NUMBER})?|biometric(?: (?:id|"
        rf"record|template|hash|identifier))?(?: ?{_NUMBER})?|dna profile(?: ?{_NUMBER})?",
    ),
    (
        "OTHER",
        4,
        rf"accession(?: ?{_NUMBER})?|acc ?#|encounter(?: ?{_NUMBER})?|visit ?{_NUMBER}|csn|fin(?: ?{_NUMBER})?|"
        rf"specimen(?: ?{_NUMBER})?|sample(?: ?{_NUMBER})?|order ?{_NUMBER}|requisition(?: ?{_NUMBER})?|req ?{_NUMBER}|"
        rf"confirmation(?: ?{_NUMBER})?|ticket(?: ?{_NUMBER})?|(?:study|subject|participant|trial subject|research|"
        rf"screening|site|donor|transplant|registry|protocol|enrollment|randomization) ?{_NUMBER}|"
        rf"barcode(?: ?{_NUMBER})?|job(?: ?{_NUMBER})|document(?: ?{_NUMBER})|doc ?{_NUMBER}|dictation(?: ?{_NUMBER})?|"
        rf"transcription(?: ?{_NUMBER})|prescription(?: ?{_NUMBER})|rx ?{_NUMBER}|tracking(?: ?{_NUMBER})?|login|"
        rf"username|user ?{_NUMBER}|password|pin {_NUMBER}|reference|incident(?: ?{_NUMBER})|report(?: ?{_NUMBER})|"
        rf"image(?: ?{_NUMBER})|slide(?: ?{_NUMBER})?|block ?#|unique(?: patient)? (?:id|identifier)",
    ),
]
_VAGUE_LABELS: list[tuple[Kind, int, str]] = [
    ("OTHER", 4, rf"identifier|id|identification(?: ?{_NUMBER})?"),
    ("OTHER", 1, r"user ?name|login|user id|portal (?:user|login|id)|handle|screen name"),
]
_LINK = (
    r"(?:[ \t]{0,3}(?::|=|\*\*|\||#|-|–|\(|\.|(?:is|was|of|no|number|under|as|ending in|ends in|last four|last 4(?: "
    r"digits)?|with)(?![A-Za-z\d-]))){0,4}[ \t]{0,3}#?"
)
_VALUE = (
    r"(?:(?-i:[A-Z]{2,5} \d{5,12})|\d{1,6}(?: \d{2,6}){1,5}(?![\d.%/])|"
    r"(?:\(\d{2}\))?[A-Za-z]{0,8}[\d*X][\w/.*-]{0,40}(?:\(\d{2}\)\w{1,20}){0,3}|[A-Za-z]{1,10}-?[\w-]{0,10}\d[\w-]{0,30})"
)
_LABELLED = [
    (kind, digits, re.compile(rf"(?<![\w-])(?:{label})(?![\w]){_LINK}({_VALUE})(?![\w])", re.IGNORECASE), sure)
    for sure, labels in ((FORM, _LABELS), (GAZETTEER, _VAGUE_LABELS))
    for kind, digits, label in labels
]
_ROOM = re.compile(
    r"\b(?:room|rm\.?|bed|bay|locker)[ #:-]{1,3}(?=\w{0,4}\d)([A-Za-z]?-?\d{1,5}-?[A-Za-z]?\d?)\b(?! ?(?:mg|ml|units?|"
    r"days|hours|of|/|%))",
    re.IGNORECASE,
)
_HASH = re.compile(r"#[ ]?([A-Za-z]{0,5}-?\d[\w-]{3,30})(?!\w)")
_FORMS: list[tuple[Kind, re.Pattern[str]]] = [
    ("SSN", re.compile(r"(?<![\w-])(?:\d{3}|\*{3}|XXX)-(?:\d\d|\*\*|XX)-\d{4}(?![\w-])", re.IGNORECASE)),
    ("DEVICE", re.compile(r"\(01\)\d{14}(?:\(\d\d\)[\w-]{1,20}){0,4}")),
    ("VEHICLE", re.compile(r"(?<!\w)(?=[A-HJ-NPR-Z\d]{0,16}\d)(?=\d{0,16}[A-HJ-NPR-Z])[A-HJ-NPR-Z\d]{11}\d{6}(?!\w)")),
    ("PLAN", re.compile(r"(?<![\w-])[1-9][A-Z][A-Z\d]\d-?[A-Z][A-Z\d]\d-?[A-Z]{2}\d\d(?![\w-])")),
    ("OTHER", re.compile(r"(?<![\w.,/$-])(?:\d{2,6}-){1,3}\d{3,8}(?![\w/%]|[.,-]\d)")),
    ("OTHER", re.compile(r"(?<![\w-])[A-Z]{1,6}[-:]?\d{5,12}(?:-[A-Z\d]{1,8}){0,2}[A-Z]{0,2}(?![\w-])")),
    ("OTHER", re.compile(r"(?<![\w-])[A-Z]{1,4}-?\d{2}-\d{3,8}(?![\w-])")),
    (
        "OTHER",
        re.compile(
            r"(?<![\w.,+/$#^-])\d{7,20}(?![\w%/]|[.,]\d)(?! ?(?:copies|cells|iu|units?|u\b|/|cfu|ml|mg|mcg|particles|"
            r"platelets|per|x\b|times))",
            re.IGNORECASE,
        ),
    ),
    ("OTHER", re.compile(r"(?<![\w-])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![\w-])", re.IGNORECASE)),
    ("PHOTO", re.compile(r"(?<![\w/])[\w-]{1,80}\.(?:jpe?g|png|gif|tiff?|bmp|heic|dcm|mp4|mov)(?!\w)", re.IGNORECASE)),
]
_PUBLIC = re.compile(
    r"(?:NCT|PMC|PMID|GSE|GSM|ISRCTN|CHEMBL|ACTRN|UMIN|CRD|EUCTR|JPRN|DRKS|RS|BMS|MK|AMG|PF|GSK|LY|ABT|AZD|RO|INCB|JNJ|"
    r"SB|TAK|ONO|BAY|NM|NP|NG|ENSG|SCH|CP|SKF|UK|HP|DB|ICD|CPT|LOINC|OMIM|MIM|COVID|SARS|HPV|CYP|NDC|ATCC|CAS|HCPCS|DSM|"
    r"MS-DRG|DRG|ISO|ICRP|GO|KEGG|CD)[-:_]?\d",
    re.IGNORECASE,
)
_PUBLIC_BEFORE = re.compile(
    r"\b(?:pmid|doi|nct|omim|snomed(?: ?ct)?|loinc|cas|ndc|cpt|icd(?:-?(?:9|10)(?:-?cm)?)?|isbn|issn|trial|atcc|umls|"
    r"cui|rxnorm|grant|mim|orpha|platelets?|plt|wbc|count|load|copies|titer|cells|\$|usd|codes?|chr[\dxy]{0,2}|normals?|"
    r"range|ref|reference)[ :#=(]{0,3}(?:number|no\.?|count|code|id|of|was|were|is)?[ :#=]{0,3}$",
    re.IGNORECASE,
)
_LOOK = 28
_HASHED = 5
_LONGEST_OF_RANGE = 5
_YEARS = re.compile(r"(?:19|20)\d\d-(?:19|20)\d\d")


def numbers(page: Page) -> Iterator[Hit]:
    """Record, account, plan, licence, device and other numbers."""
    text = page.text
    for kind, digits, pattern, sure in _LABELLED:
        for match in pattern.finditer(text):
            if (end := _value_end(match, digits)) is not None:
                yield Hit(match.start(1), end, kind, sure)
    for match in _ROOM.finditer(text):
        yield Hit(match.start(1), match.end(1), "OTHER", CUE)
    for match in _HASH.finditer(text):
        if sum(c.isdigit() for c in match[1]) >= _HASHED:
            yield Hit(match.start(1), match.end(1), "OTHER", CUE)
    for kind, pattern in _FORMS:
        for match in pattern.finditer(text):
            if not _is_public(text, match):
                yield Hit(match.start(), match.end(), kind, GAZETTEER if kind == "OTHER" else CUE)


def _value_end(match: re.Match[str], digits: int) -> int | None:
    """Where a labelled value ends, or None if it is too short to tell somebody by."""
    value = match[1].rstrip("./-")
    marks = sum(c.isdigit() or c in "*X" for c in value)
    return match.start(1) + len(value) if marks >= digits and any(c.isdigit() for c in value) else None


def _is_range(value: str) -> bool:
    """Whether two numbers are the ends of a range of values."""
    low, dash, high = value.partition("-")
    if not dash or not (low.isdigit() and high.isdigit()) or low[0] == "0":
        return False
    return len(low) <= len(high) <= min(len(low) + 1, _LONGEST_OF_RANGE) and int(low) < int(high)


def _is_public(text: str, match: re.Match[str]) -> bool:
    """Whether a number is one that everybody may look up (a trial, an article, a gene, a drug), or a count."""
    before = text[max(0, match.start() - _LOOK) : match.start()]
    return _is_range(match[0]) or bool(
        _PUBLIC.match(match[0]) or _YEARS.fullmatch(match[0]) or _PUBLIC_BEFORE.search(before)
    )
