"""Boilerplate of medical text: notices of copyright and licence, publishers' notes, empty tails, page furniture.

Every rule is anchored: at the end of the text, or at a whole line. A notice begins with a phrase that only notices have, at
a sentence's start, and all of its lower-case words must be from a closed list for its kind; so a sentence of the author's
own that comes after it keeps both. Registrations of trials, levels of evidence and key words are never taken.
"""

import re
from collections.abc import Iterator, MutableMapping
from itertools import pairwise

from medloom.text.wordlist import word_set

_PLACES = re.compile(r"[.!?)\]\"”]\s|©|\(c\)", re.IGNORECASE)
"""Where a notice may begin: behind a sentence's end, or with a sign of its own."""
_MARKS = re.compile(
    r"""
    (?P<copyright>
        (?:(?:Crown\ )?Copyright\s*)?(?:©|\(c\)(?=\s?\d{4}))
      | Crown\ copyright
      | Copyright(?=\s(?:\d{4}|by|held|of)\b)
      | This\ article\ is\ protected\ by\ copyright
      | All\ rights\ reserved
      | No\ claim\ to\ original
      | This\ article\ (?:is\ a\ U\.?S\.?\ Government\ work|has\ been\ contributed\ to\ by\ U)
      | Published\ (?:by|online|\d{4})\b
      | For\ (?:reprints\ (?:and|or|contact)|permissions?\b)
      | \(PsycI?NFO\ Database\ Record
    )
  | (?P<open_access>
        (?:Open\ access:?\s+)?This\ (?:is\ an?|(?:article|work|paper)(?:\ is\ an?)?)\ open[- ]?access
      | (?:Open\ access:?\s+)?This\ (?:article|work|paper)\ is\ (?:licen[cs]ed|distributed|published|made\ available)
      | Open\ access\ (?:article\ )?under
    )
  | (?P<publisher_note>(?:Disclaimer/)?Publisher['’]s\ note\b)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CUES = ("©", "(c)", "(C)", "opyright", "OPYRIGHT", "ights reserved", "Published", "ermission", "pen access", "pen-access")
_MORE_CUES = ("pen Access", "o claim to", "licensed under", "distributed under", "Government", "ublisher", "NFO Database")
_TAIL_CUES = (
    "eferences",
    "ee also",
    "xternal links",
    "urther reading",
    "ibliography",
    "EFERENCES",
    "orks cited",
    "ure cited",
)
_LINE_CUES = (
    "____",
    "----",
    "====",
    "****",
    "~~~~",
    "Page ",
    "page ",
    "PAGE ",
    "his corrects",
    "his retracts",
    "orrected and republ",
)
_ALL_CUES = (*_CUES, *_MORE_CUES, *_TAIL_CUES, *_LINE_CUES)
_HOLDERS = """
    a all an c the of and or by for from on in to at with its as is are was be et al de der den van von del della di du
    la le les und y e author authors author(s) behalf all rights right reserved copyright published publishing publisher
    publishers periodicals journal article work reuse no claim claims original us u.s government works public domain
    usa commercial re-use protected please permission permissions reprints visit contact email e-mail mail see online
    available access open under license licence terms exclusive licensee licensed part employees contributed has been
    their this which it who supplemental supplementary material holder use non-commercial inc ltd via doi first
    version print ahead
"""
_COPYRIGHT = word_set(_HOLDERS)
_OPEN_ACCESS = _COPYRIGHT | word_set(
    """
    open-access distributed
    distribution reproduction reproduced adaptation adapt adapted sharing share build upon remix transform
    creative commons attribution international unported noncommercial noncommercially commercially
    noderivatives derivatives share-alike sharealike permits permit permitted permitting unrestricted medium
    format formats any provide provided that properly cited cite citation credited credit credits given give appropriate
    source sources link indicate if changes made were long you your so unless indicated otherwise line images other
    third party not included include intended statutory regulation exceeds need will obtain directly view copy
    waiver dedication applies data stated purposes different how same and/or user made modifications modified
    accordance accepted academic practice does comply these used forums owner owner(s) through within
    """
)
_PUBLISHER = _COPYRIGHT | word_set(
    """
    note remains stays neutral regard jurisdictional maps institutional affiliations statements opinions data
    contained publications solely those individual contributor contributors contributor(s) not editor editors
    editor(s) and/or disclaim responsibility any injury people property resulting ideas methods instructions
    products referred content expressed do necessarily represent affiliated organizations reviewers product that may
    evaluated made manufacturer guaranteed endorsed
    """
)
_KINDS = {"copyright": (_COPYRIGHT, 400), "open_access": (_OPEN_ACCESS, 1600), "publisher_note": (_PUBLISHER, 800)}
"""Lower-case words that a notice of each kind may have, and its greatest length in characters."""
_KEPT = re.compile(
    r"regist(?:ration|ered|ry)|\bNCT\d|ISRCTN|EudraCT|ChiCTR|PROSPERO|clinicaltrials|level of evidence|key ?words",
    re.IGNORECASE,
)
_OWNED = re.compile(
    r"\b(?:19|20)\d\d\b|author|publish|rights|copyright|verlag|press\b|society|university|\b(?:ltd|inc|llc|gmbh|ag)\b|B\.V"
    "|government|permission|psyc",
    re.IGNORECASE,
)
"""One of these stands in every notice of copyright, and not in a trade name with ©."""
_ADDRESS = re.compile(r"\S+@\S+|(?:https?://|www\.)\S+|doi:?\s?10\.\S+|\b\S+\.(?:org|com|net|edu|gov)\b\S*", re.IGNORECASE)
_LABEL = re.compile(r"([A-Za-z-]+):(?=\s)")
_LABELS = frozenset(
    {"mail", "e-mail", "email", "doi", "permissions", "note", "access", "license", "licence", "reprints", "at"}
)
_TOKEN = re.compile(r"[^\W\d_](?:[\w'’./-]|\(s\))*")
_FURNITURE = re.compile(
    r"(?P<page_number>[\[(\-–— ]{0,4}page:? \d{1,4}(?: ?(?:of|/) ?\d{1,4})?[\])\-–— ]{0,4})|(?P<ruler>([_=*~-])\3{4,})", re.I
)
_CORRECTION = re.compile(
    r"\[(?:This|Corrected and republished|Retraction)[^\[\]\n]{0,40}\bthe article\b[^\[\]\n]{0,200}\]\.?", re.I
)
_TAILS = frozenset(
    (
        *("see also", "references", "external links", "further reading", "bibliography", "notes and references"),
        *("references and notes", "reference list", "literature cited", "works cited"),
    )
)
_ITEM = re.compile(r"[*•‣·^↑–-]|\[?\d{1,3}[.)\]]|https?://")
_MOST_WORDS = 12

Counts = MutableMapping[str, int]


def is_reference_tail(heading: str) -> bool:
    """Whether a section of this heading holds links and references alone: See also, References, External links, ..."""
    return heading.strip(" =#*:\t").casefold() in _TAILS


def strip_boilerplate(text: str, counts: Counts | None = None) -> str:
    """The text without boilerplate; a text that has none comes back as it is.

    Args:
        text: In one piece, its lines as its source has them.
        counts: How often each rule took something is added here: ``copyright``, ``open_access``, ``publisher_note``,
            ``correction``, ``page_number``, ``ruler``, ``reference_tail``.
    """
    cues = [cue for cue in _ALL_CUES if cue in text]
    if not cues:
        return text
    taken: list[str] = []
    lines = [line for line in text.split("\n") if not (any(cue in line for cue in cues) and _is_furniture(line, taken))]
    _cut_tail(lines, taken)
    _cut_notices(lines, taken)
    if not taken:
        return text
    if counts is not None:
        for rule in taken:
            counts[rule] = counts.get(rule, 0) + 1
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _is_furniture(line: str, taken: list[str]) -> bool:
    """Whether a whole line is boilerplate."""
    body = line.strip()
    if found := _FURNITURE.fullmatch(body):
        taken.append(str(found.lastgroup))
        return True
    if _CORRECTION.fullmatch(body):
        taken.append("correction")
        return True
    start, kinds = _notice(body) if _MARKS.match(body) else (0, [])
    if start == 0 and kinds:
        taken.extend(dict.fromkeys(kinds))
        return True
    return False


def _cut_tail(lines: list[str], taken: list[str]) -> None:
    """Drop headings of reference sections at the end, with nothing but lists below them."""
    start = len(lines)
    for number in range(len(lines) - 1, -1, -1):
        body = lines[number].strip()
        if is_reference_tail(body):
            start = number
        elif body and not _is_item(body):
            break
    if start < len(lines):
        taken.extend("reference_tail" for line in lines[start:] if is_reference_tail(line))
        del lines[start:]


def _is_item(line: str) -> bool:
    return _ITEM.match(line) is not None or (line[-1] not in ".!?:" and len(line.split()) <= _MOST_WORDS)


def _cut_notices(lines: list[str], taken: list[str]) -> None:
    """Cut what the last line with text ends with."""
    while lines and not lines[-1].strip():
        lines.pop()
    if lines:
        start, kinds = _notice(lines[-1])
        if kinds:
            taken.extend(dict.fromkeys(kinds))
            lines[-1] = lines[-1][:start].rstrip()


def _notice(line: str) -> tuple[int, list[str]]:
    """Where the notices begin that a line ends with, and their kinds."""
    marks = list(_marks(line)) if _has_cue(line) else []
    start, kinds = len(line), []
    for (begin, kind), (end, _) in reversed(list(pairwise([*marks, (len(line), "")]))):
        if not _is_notice(line[begin:end], kind):
            break
        start = begin
        kinds.append(kind)
    return start, kinds


def _marks(line: str) -> Iterator[tuple[int, str]]:
    """Where the first words of notices stand, and their kinds."""
    end = 0
    for place in (0, *(found.end() if found[0][-1].isspace() else found.start() for found in _PLACES.finditer(line))):
        if place >= end and (mark := _MARKS.match(line, place)):
            yield place, str(mark.lastgroup)
            end = mark.end()


def _has_cue(line: str) -> bool:
    return any(cue in line for cue in _CUES) or any(cue in line for cue in _MORE_CUES)


def _is_notice(sentence: str, kind: str) -> bool:
    """Whether all of what follows a notice's first words may be part of it."""
    words, longest = _KINDS[kind]
    if len(sentence) > longest or _KEPT.search(sentence) or (kind == "copyright" and not _OWNED.search(sentence)):
        return False
    bare = _ADDRESS.sub(" ", sentence)
    if any(label.casefold() not in _LABELS for label in _LABEL.findall(bare)):
        return False
    tokens = (token.rstrip(".'’/-").removesuffix("'s").removesuffix("’s") for token in _TOKEN.findall(bare))
    return all(not token[0].islower() or token in words for token in tokens if token)
