"""Names of people that the words around them give away."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from medloom.deid.page import Page
from medloom.deid.rules.hits import CUE, FORM, Hit
from medloom.deid.rules.reading import CREDENTIALS, PARTICLES, Names, can_be_name, end_of, read_backward, read_forward

_TITLE = re.compile(
    r"(?<![\w'-])(?:Drs?\.|DRS?\.|Drs?(?= [^\W\d_a-z])|DR(?= [A-Z]{2})|Mr\.?|Mrs\.?|MRS\.?|Ms\.|Ms(?= [A-Z][a-z'])|MS\.|"
    r"MR\.|Miss(?= [A-Z])|MISS(?= [A-Z])|Mx\.|Prof\.?|Professor|Doctor(?= [A-Z])|Rev\.|Sgt\.?|Capt\.|Lt\.|Hon\.|Mme\.?|"
    r"Herr|Frau|Sra?\.|Se[nñ]or(?:a)?)(?![^\W\d_])[ \t]{0,3}(?=\S)"
)
_NURSE = re.compile(r"\b(?:Nurse|NURSE|Coach|Aide|Officer|Pastor|Father|Sister|Rabbi|Imam|Judge) (?=[^\W\d_a-z])")
_LOW_TITLE = re.compile(r"(?<![\w'-])(?:dr|mr|mrs|ms|prof)\.? (?=[^\W\d_])")
_LOW_WITH = re.compile(
    r"(?<![\w'-])(?:spoke|discussed|talked|spoken|met|reviewed|seen|signed|called) (?:with|by|to) (?=[a-z]+ [a-z-]+(?: "
    r"by| on| at| about| who|[,.;]))"
)
_ROLE = (
    r"(?:(?:primary|referring|ordering|attending|admitting|consulting|treating|supervising|performing|responsible|"
    r"covering|requesting|reading|rendering|discharging|assistant|first|second|family|legal|emergency|next "
    r"of) )?(?:patient|pt|client|resident|fellow|intern|member|guarantor|subscriber|insured|spouse|mother|father|parent|"
    r"guardian|kin|contact|provider|physician|doctor|attending|surgeons?|assistants?|anesthesiologist|anesthetist|"
    r"radiologist|pathologist|cardiologist|oncologist|neurologist|psychiatrist|psychologist|hospitalist|intensivist|"
    r"pediatrician|obstetrician|dictator|dictating|transcriptionist|transcriber|author|scribe|nurse|pcp|md|consult|"
    r"consultant|consults|staff|examiner|technologist|technician|sonographer|witness|interpreter|caregiver|social "
    r"worker|case manager|pharmacist|therapist|counselor|dentist|midwife|ordering|referring|attn|attention|requested|"
    r"referred|seen|signed|reviewed|verified|performed|interpreted|collected|reported|approved|authenticated|prepared|"
    r"read|entered|resulted|recorded|authored|cosigned|co-signed|husband|wife|son|daughter|employee|proxy|surrogate|poa|"
    r"operator)"
)
_FIELD = re.compile(
    rf"(?<![\w-])(?:{_ROLE}(?:[ /](?:name|by|md|physician|provider|dr|contact|person|of record|on call|nurse|"
    rf"surgeon))?(?:\(s\)|s)?|cc|from|to)"
    r"[ \t]{0,3}[:=][ \t*_]{0,6}(?=\S)",
    re.IGNORECASE,
)
_NAME_FIELD = re.compile(
    rf"(?<![\w-])(?:(?:(?:{_ROLE}|full|legal|last|first|middle|maiden|preferred|given|family|"
    rf"birth)(?:['’]s)?[ /]){{0,2}}(?:sur)?name|patient|pt name|dear)"
    r"(?:[ \t]{0,3}[:=][ \t*_]{0,6}| (?=[A-Z]{2}))(?=\S)",
    re.IGNORECASE,
)
_DEAR = re.compile(r"\b(?:Dear|Hi|Hello|Attn:?|ATTN:?|Attention:?|Sincerely,|Regards,|Yours,) {0,2}(?=[^\W\d_a-z])")
_CALLED = re.compile(
    r"\b(?:named|name is|names are|called|known as|goes by|name of|nicknamed|aka|a\.k\.a\.|alias|case of|notes of|chart "
    r"of|patients? like|similar to|such as|like|is pt|pt is|patient is|patients?(?: named)?|pts?|client|resident|"
    r"veteran|attention|attn|name)(?:,| -| –|:)? (?=[^\W\d_a-z])",
)
_BY = re.compile(
    r"\b(?:(?:signed|dictated|reviewed|seen|evaluated|performed|ordered|referred|prescribed|given|administered|notified|"
    r"interpreted|read|placed|removed|accompanied|examined|assisted|managed|followed|treated|cared for|transcribed|"
    r"authored|approved|verified|requested|recommended|consulted|supervised|staffed|completed|obtained|provided|entered|"
    r"drawn|collected|inserted|witnessed|translated|interpreted|brought in|informed|updated|called|paged|confirmed|"
    r"cosigned|authenticated|recorded|prepared|created|clinic[^.\n]{0,20}|\d{2}) by|(?:discussed|spoke|spoken|speak|met|"
    r"consulted|reviewed|talked|conferred|communicated|correspond(?:ed)?|conversation|appointment|follow-?up|visit|"
    r"lives|living|resides|married|stays|staying|here|presents|together) with|per|via|attn|attention|signed,?|from|w/|"
    r"thanks,?|thank you,?|assistance of|care of|c/o|courtesy of|under|attending|informed|notified|paged|updated|"
    r"contacted|called|asked|told|saw)[ :] {0,2}(?=[^\W\d_])",
    re.IGNORECASE,
)
_RELATIVE = re.compile(
    r"\b(?i:nurse|physician|doctor|surgeon|therapist|social worker|case manager|counselor|coordinator|aide|pharmacist|"
    r"chaplain|interpreter|attorney|lawyer|babysitter|nanny|coach|supervisor|wife|husband|spouse|partner|fianc[eé]e?|"
    r"girlfriend|boyfriend|mother|father|mom|mum|dad|stepmother|stepfather|son|daughter|stepson|stepdaughter|sister|"
    r"brother|sibling|twin|aunt|uncle|niece|nephew|cousin|grandmother|grandfather|grandson|granddaughter|grandma|"
    r"grandpa|mother-in-law|father-in-law|son-in-law|daughter-in-law|brother-in-law|sister-in-law|friend|neighbor|"
    r"neighbour|roommate|caregiver|guardian|landlord|boss|coworker|pastor|priest|rabbi|teacher|parents?|children|sons|"
    r"daughters|sisters|brothers|ex-wife|ex-husband)(?:'s)?(?:,| -|:| is| named| called|, named|, who "
    r"is)? \(?(?=[^\W\d_a-z])",
)
_DEMOGRAPHIC = re.compile(
    r"\b(?:male|female|man|woman|boy|girl|gentleman|lady|patient|pt|child|veteran|infant|teen|teenager|m|f|yo|y/o|"
    r"y\.o\.|old|person|resident|individual|[A-Z][a-z]+ patient)(?: patient)?(?:,| -| –| —| \(|:| named) ?(?=[^\W\d_a-z])",
)
_AGED = re.compile(
    r"(?:,? (?:is|was)(?: currently| now)? an? |, an? |, (?:aged? )?|,? \()(?=\d{1,3}[- ]?(?:y|yr|yo|year|month|week|"
    r"day|m\b|f\b)|\d{1,3}, )|,? (?:is|was) (?:an? )?(?=(?:very |most )?(?:pleasant|elderly|right-handed|left-handed|"
    r"delightful|known|former|retired|seen today)\b)| (?:reports|states|denies|presents|complains|endorses|presented|"
    r"underwent|returns|states) (?=\w)|, (?:DOB|dob|MRN|born)\b",
)
_CREDENTIAL = re.compile(
    r"(?<=[^\W\d_.]|['.])(?:, ?| )(?:M\.D\.|MD|D\.O\.|R\.N\.|RN|NP|PA-C|LPN|LVN|CRNA|Ph\.?D\.?|DDS|DMD|DPM|PharmD|RPh|"
    r"LCSW|LMSW|MSW|MBBS|MBChB|FACS|FACP|FACC|FRCS|FRCP|MRCP|APRN|DNP|CNM|ARNP|FNP(?:-B?C)?|RRT|MSN|BSN|PsyD|LMFT|DVM|"
    r"CNA|CNS|OTR/L|RD|DPT|EMT(?:-P)?|MS[34]|PGY-?\d|Esq\.?)(?![\w])|(?<=[^\W\d_])(?:, ?)(?:DO|PA|PT|OT|RT|MA|SLP|"
    r"N\.P\.|P\.A\.)(?![\w])"
)
_OWN_INITIALS = re.compile(r"\((?:[^\W\d_]\.? ?){2,3}\)")
_INITIALS = re.compile(
    r"(?<![\w.])(?:[A-Z]\.){2,3}(?=(?: |, |,|;|\)|$)(?:RN|MD|NP|from|of|at|on|to|was|is|has|who|reports|in|and|"
    r"regarding|\d|$))|\b(?:with|by|per|patient|pt|signed|for) ([A-Z]\. ?(?:[A-Z]\.|[a-z]\.(?= (?:from|of|at|who|RN|MD|"
    r"NP|on)\b))(?: ?[A-Z]\.)?)(?![\w])",
    re.MULTILINE,
)
_NO_INITIALS = frozenset(
    (
        "U.S",
        "U.S.A",
        "U.K",
        "I.V",
        "I.M",
        "P.O",
        "M.D",
        "D.O",
        "R.N",
        "N.P",
        "P.R.N",
        "B.I.D",
        "T.I.D",
        "Q.I.D",
        "E.R",
        "O.R",
        "I.D",
        "D.C",
        "P.M",
        "A.M",
        "E.G",
        "I.E",
        "H.S",
        "C.C",
        "N.S",
        "P.T",
        "O.T",
        "P.A",
        "N.Y",
        "L.A",
    )
)
_TWO_IN_CAPITALS = re.compile(
    r"(?<![\w-])(?:PT|PATIENT|RE|NAME)(?: NAME)?:? (?=[^\W\d_a-z](?:[^\W\d_a-z]|['’-]){1,30} [^\W\d_a-z]{2})"
)

_KNOWN_WELL = 0.01

Accept = Callable[[Page, int, int, Names], bool]


def names(page: Page, known: Names) -> Iterator[Hit]:
    """Names after titles, labels, roles and relatives, before credentials and ages, and initials."""
    yield from _after(page, known, _TITLE, _any, free=True)
    yield from _after(page, known, _NAME_FIELD, _not_prose, free=True)
    yield from _after(page, known, _FIELD, _likely, free=True)
    yield from _after(page, known, _DEAR, _likely, free=True)
    yield from _after(page, known, _TWO_IN_CAPITALS, _likely, free=True)
    for cue in (_NURSE, _CALLED, _BY, _DEMOGRAPHIC):
        yield from _after(page, known, cue, _likely, free=False)
    yield from _after(page, known, _RELATIVE, _relative, free=True)
    yield from _before(page, known, _CREDENTIAL, _credited)
    yield from _before(page, known, _AGED, _supported)
    yield from _subjects(page, known)
    yield from _low_names(page, known)
    yield from _initials(page)


def _after(page: Page, known: Names, cue: re.Pattern[str], accept: Accept, *, free: bool) -> Iterator[Hit]:
    for start, i in page.after(cue):
        j = read_forward(page, i, known, free)
        if j > i:
            j = _last_first(page, i, j, known, free)
        if j > i and accept(page, i, j, known):
            whole = cue is _TITLE and (j - i > 1 or page.tokens[i].shape == "I")
            yield Hit(start if whole else page.tokens[i].start, end_of(page, j), "NAME", FORM if free else CUE)


def _last_first(page: Page, i: int, j: int, known: Names, free: bool) -> int:
    """The end of ``LAST, FIRST M.``, if that is what it is."""
    if j >= len(page.tokens) or page.gap(j - 1) not in (", ", ",") or page.tokens[j].shape not in "CA":
        return j
    first, last = page.tokens[j], page.tokens[j - 1]
    if (
        not can_be_name(first)
        or len(first.key) < 3
        or first.key in CREDENTIALS
        or (first.shape == "A") != (last.shape == "A")
    ):
        return j
    if not (free or known.is_first(first.key)) or not ((free and j - i == 1) or known.plausible(first.key)):
        return j
    if not known.plausible(first.key) and (first.key not in known.known.first and known.known.complete):
        return j
    return max(read_forward(page, j, known, free=False), j + 1)


def _before(page: Page, known: Names, cue: re.Pattern[str], accept: Accept) -> Iterator[Hit]:
    for match in cue.finditer(page.text):
        j = page.index(match.start())
        if j == 0 or page.tokens[j - 1].end not in (match.start(), match.start() - 1):
            continue
        i = _with_last(page, read_backward(page, j, known))
        if i < j and accept(page, i, j, known):
            yield Hit(page.tokens[i].start, end_of(page, j), "NAME", CUE)


def _with_last(page: Page, i: int) -> int:
    """The start of ``LAST, FIRST``, if what stands before the name is in capitals as it is."""
    if i == 0 or page.gap(i - 1) not in (", ", ",") or page.tokens[i].shape != "A" or page.tokens[i - 1].shape != "A":
        return i
    return i - 1 if can_be_name(page.tokens[i - 1]) else i


def _any(page: Page, i: int, j: int, known: Names) -> bool:
    return True


def _words(page: Page, i: int, j: int) -> list[str]:
    return [t.key for t in page.tokens[i:j] if t.shape != "I" and t.key not in PARTICLES]


def _not_prose(page: Page, i: int, j: int, known: Names) -> bool:
    """After the word name: anything but a single ordinary word that goes on as prose."""
    words = _words(page, i, j)
    if any(known.plausible(w) or w in known.known.last for w in words):
        return True
    return len(words) >= 2 or (bool(words) and "," in page.text[page.tokens[i].start : page.tokens[j - 1].end])


def _likely(page: Page, i: int, j: int, known: Names) -> bool:
    """One word at least that only a name explains, and no eponym, place or ward."""
    words = _words(page, i, j)
    if not words:
        return j - i >= 2
    if len(words) == 1 and _blocked(page, i, j, known):
        return False
    if _medical_phrase(page, i, j, known):
        return False
    return any(known.unexplained(w) for w in words) or _known_person(page, i, j, known)


def _known_person(page: Page, i: int, j: int, known: Names) -> bool:
    """A first name of the gazetteer, with a last name or an initial, or one that is nothing else."""
    words = _words(page, i, j)
    first, rest = words[0], words[1:]
    if known.is_first(first):
        return bool(rest) or j - i > 1 or not (known.lexicon.explains(first) or page.shouts(i))
    if first in known.known.first or page.tokens[i].shape == "I":
        return any(w in known.known.last or known.unexplained(w) for w in rest or words) and not page.shouts(i)
    return any(known.is_first(w) for w in rest)


def _blocked(page: Page, i: int, j: int, known: Names) -> bool:
    """A single word in capitals, a ward or a large place."""
    word = next(t for t in page.tokens[i:j] if t.shape != "I" and t.key not in PARTICLES)
    lexicon = known.lexicon
    if word.shape == "A" and (not page.shouts(i) or not known.is_first(word.key)) and j - i == 1:
        return True
    return word.key in lexicon.units or word.key in lexicon.large_places or word.key in lexicon.departments


def _medical_phrase(page: Page, i: int, j: int, known: Names) -> bool:
    keys = [t.key for t in page.tokens[i:j]]
    if any(pair in known.lexicon.pairs for pair in pairwise(keys)):
        return True
    return any(known.lexicon.is_eponym(page, k) for k in range(i, j)) and not known.is_first(keys[0])


def _relative(page: Page, i: int, j: int, known: Names) -> bool:
    """After a relative, a first name may be an ordinary word in capitals."""
    if page.shouts(i) and not known.is_first(page.tokens[i].key):
        return False
    if _medical_phrase(page, i, j, known):
        return False
    return _likely(page, i, j, known) or (page.tokens[i].shape == "C" and page.tokens[i].key in known.known.first)


def _credited(page: Page, i: int, j: int, known: Names) -> bool:
    """Before a credential: an initial or two words, or one that only a name explains."""
    words = _words(page, i, j)
    if not words:
        return j - i >= 2
    if any(known.plausible(w) for w in words):
        return not _blocked(page, i, j, known) or len(words) > 1
    named = [w for w in words if w in known.known.last or w in known.lexicon.eponyms or not known.known.complete]
    return len(named) == len(words) and (page.tokens[i].shape == "I" or len(words) >= 2) and len(words) <= 3


def _supported(page: Page, i: int, j: int, known: Names) -> bool:
    """Before "is a 45-year-old": a first name or a word that only a name explains, beside nothing but names."""
    words = _words(page, i, j)
    if not words or _medical_phrase(page, i, j, known) or (len(words) == 1 and _blocked(page, i, j, known)):
        return False
    if all(w in known.lexicon.large_places for w in words):
        return False
    if len(words) == 1:
        return known.plausible(words[0]) and not known.lexicon.explains(words[0])
    odd = [w for w in words if not (known.plausible(w) or known.known.is_name(w))]
    if odd:
        return False
    return any(known.plausible(w) for w in words) or all(w in known.known.first or w in known.known.last for w in words)


def _subjects(page: Page, known: Names) -> Iterator[Hit]:
    """A first name, or a word that only a name explains, before what only a person does."""
    for j in range(1, len(page.tokens)):
        verb, name = page.tokens[j], page.tokens[j - 1]
        if verb.shape != "a" or verb.key not in known.lexicon.person_verbs or name.shape != "C" or page.gap(j - 1) != " ":
            continue
        if (
            can_be_name(name)
            and name.key not in known.lexicon.large_places
            and known.plausible(name.key)
            and not (page.opens(j - 1) and not known.known.is_name(name.key))
        ):
            i = read_backward(page, j, known)
            if all(known.plausible(w) or known.known.is_name(w) for w in _words(page, i, j)):
                yield Hit(page.tokens[i].start, end_of(page, j), "NAME", CUE)


def _low_names(page: Page, known: Names) -> Iterator[Hit]:
    """Names in lower case: after a title, and first and last name side by side."""
    for match in _LOW_WITH.finditer(page.text):
        i = page.index(match.end())
        if i + 1 < len(page.tokens) and all(_maybe(t.key, known) for t in page.tokens[i : i + 2]):
            yield Hit(page.tokens[i].start, end_of(page, i + 2), "NAME", CUE)
    for match in _LOW_TITLE.finditer(page.text):
        i = page.index(match.end())
        word = page.tokens[i]
        if word.shape == "a" and (known.known.is_name(word.key) or known.unexplained(word.key)) and len(word.key) > 2:
            j = i + 1
            if _low_pair(page, i, known):
                j += 1
            yield Hit(word.start, end_of(page, j), "NAME", CUE)
    for i in range(len(page.tokens) - 1):
        if page.tokens[i].shape == "a" and _low_pair(page, i, known):
            yield Hit(page.tokens[i].start, end_of(page, i + 2), "NAME", CUE)


def _maybe(key: str, known: Names) -> bool:
    return known.unexplained(key) or known.known.is_name(key) or key in known.lexicon.eponyms


def _low_pair(page: Page, i: int, known: Names) -> bool:
    """A first name and a last name in lower case, neither a word of the language."""
    if i + 1 >= len(page.tokens):
        return False
    first, last = page.tokens[i], page.tokens[i + 1]
    if known.known.first.get(first.key, 0.0) < _KNOWN_WELL or last.shape != "a" or page.gap(i) != " ":
        return False
    ordinary = known.lexicon.ordinary
    if first.key in ordinary or last.key in ordinary or known.lexicon.is_eponym(page, i + 1):
        return False
    return known.known.is_name(last.key)


def _initials(page: Page) -> Iterator[Hit]:
    """Initials of the name before them, and those that stand for a person after "with", "by", ..."""
    text = page.text
    for match in _OWN_INITIALS.finditer(text):
        i = page.index(match.start())
        letters = [t.key for t in page.tokens[i : i + 3] if t.end < match.end()]
        before = [t.key[0] for t in page.tokens[max(0, i - 5) : i]]
        if len(letters) > 1 and before and letters[-1] == before[-1] and letters[0] in before[:-1]:
            yield Hit(match.start() + 1, match.end() - 1, "NAME", CUE)
    for match in _INITIALS.finditer(text):
        start, end = match.span(1) if match[1] else match.span()
        if text[start:end].strip(". ").upper().replace(" ", "") not in _NO_INITIALS:
            yield Hit(start, end - (text[end - 1] == " "), "NAME", CUE)
