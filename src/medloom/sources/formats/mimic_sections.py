"""The headed sections of MIMIC-IV's discharge summaries.

A summary is one template filled in by hand: "Name: ___ Unit No: ___", service and allergies at the top, then the headings
of :data:`NAMES`, mostly with a colon and their text below, some in other spellings, cases and places.
"""

import re
from typing import Literal, get_args

from medloom.records import Section

SectionName = Literal[
    "allergies",
    "chief complaint",
    "major surgical or invasive procedure",
    "history of present illness",
    "past medical history",
    "social history",
    "family history",
    "physical exam",
    "pertinent results",
    "brief hospital course",
    "medications on admission",
    "discharge medications",
    "discharge disposition",
    "facility",
    "discharge diagnosis",
    "discharge condition",
    "discharge instructions",
    "followup instructions",
]
NAMES: tuple[str, ...] = get_args(SectionName)
"""Headings that sections get, in the template's order."""

_SPELLINGS = {
    "chief complaint": "chief complaints",
    "major surgical or invasive procedure": "major surgical or invasive procedures|major surgical and invasive procedures",
    "history of present illness": "history of the present illness|history of presenting illness",
    "physical exam": "physical examination",
    "brief hospital course": "hospital course|brief summary of hospital course",
    "medications on admission": "admission medications|medications prior to admission|medication on admission",
    "discharge medications": "medications on discharge|discharge medication",
    "discharge diagnosis": "discharge diagnoses",
    "discharge condition": "condition on discharge|condition at discharge",
    "discharge instructions": "discharge instruction",
    "followup instructions": "followup instruction|follow up instructions|follow-up instructions",
}
_TOP = "attending"
"""Ends the allergies; names a doctor, so its text is not kept."""
_ONLY_AFTER = {_TOP: ("", "allergies"), "allergies": ("",), "facility": ("discharge medications", "discharge disposition")}
"""Words that head a section in the template's place alone, and stand inside sections elsewhere."""
_KNOWN = {_TOP: _TOP} | {
    spelling: name for name in NAMES for spelling in (name, *filter(None, _SPELLINGS.get(name, "").split("|")))
}
_LONGEST = 60
_WITHOUT_WORDS = re.compile(r"[\s_.,:;*#=-]*")


def sections_of(text: str) -> list[Section]:
    """The sections of a summary, in order, with the names of :data:`NAMES`.

    A heading opens a line. With a colon, its text may follow on the line; in lower case it must follow an empty line, for
    else it is the wrapped end of a sentence. Without a colon it must be alone on its line, after an empty one. Headings that
    are none of the names ("PRIMARY DIAGNOSIS:", "DISCHARGE EXAM:") stay in the text.

    Left out: what stands before the first heading, sections without words (``___``), and a section that says the same as an
    earlier one of its heading. A heading may come twice with other text. A text without any heading is one section without.

    Args:
        text: A note with unified line ends.
    """
    found: dict[tuple[str, str], Section] = {}
    body: list[str] = []
    heading, any_heading, blank = "", False, True
    for line in map(str.rstrip, text.split("\n")):
        name, rest = _heading(line, blank) if line else ("", "")
        if name and heading in _ONLY_AFTER.get(name, (heading,)):
            if any_heading:
                _close(found, heading, body)
            heading, body, any_heading = name, [rest], True
        elif line or not blank:
            body.append(line)
        blank = not line
    _close(found, heading, body)
    return list(found.values())


def _heading(line: str, blank_before: bool) -> tuple[str, str]:
    """The name of the heading that a line opens with, and what follows its colon; two empty strings if there is none."""
    head, colon, rest = line.partition(":")
    if len(head) > _LONGEST:
        return "", ""
    words = head.split()
    name = _KNOWN.get(" ".join(words).lower(), "")
    return (name, rest) if name and (blank_before or (colon and words[0][0].isupper())) else ("", "")


def _close(found: dict[tuple[str, str], Section], heading: str, body: list[str]) -> None:
    text = "\n".join(body).strip()
    if heading != _TOP and not _WITHOUT_WORDS.fullmatch(text):
        found.setdefault((heading, text), Section(heading, text))
