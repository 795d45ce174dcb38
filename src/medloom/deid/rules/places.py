"""Street addresses, cities and postcodes: everything smaller than a state."""

import re
from collections.abc import Iterator

from medloom.deid.page import Page
from medloom.deid.rules.hits import CUE, FORM, GAZETTEER, Hit
from medloom.deid.rules.reading import Names, can_be_name
from medloom.text.wordlist import word_set

_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|"
    "PA|PR|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY"
)
_STATE_NAMES = (
    "Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|"
    "Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|"
    "Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|"
    "Oregon|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West "
    "Virginia|Wisconsin|Wyoming|Ontario|Quebec|Alberta|UK|USA|England|Scotland|Ireland|Canada|Australia|Germany|France|"
    "India|Mexico"
)
_STREET = word_set(
    "alley aly annex arcade arc avenue ave av bayou beach bend bluff bluffs bottom boulevard blvd branch bridge brook "
    "brooks burg burgs bypass camp canyon cape causeway center centers circle circles cir cliff cliffs close club "
    "common commons corner corners course court courts ct cove coves creek crescent crest cres crossing crossroad curve "
    "dale dam divide drive dr drives estate estates expressway extension extensions fall falls ferry field fields flat "
    "flats ford fords forest forge forges fork forks fort freeway garden gardens gateway glen glens green greens grove "
    "groves harbor harbors haven heights highway hwy hill hills hollow inlet island islands isle junction junctions key "
    "keys knoll knolls lake lakes land landing lane ln light lights loaf lock locks lodge loop mall manor manors meadow "
    "meadows mews mill mills mission motorway mount mountain mountains neck orchard oval overpass park parks parkway "
    "pkwy parkways pass passage path pike pine pines pl place plain plains plaza plz point points port ports prairie "
    "radial ramp ranch rapid rapids rest ridge ridges river rd road roads route row rue run shoal shoals shore shores "
    "skyway spring springs spur spurs sq square squares station stravenue stream st street streets summit terrace ter "
    "terr throughway trace track trafficway trail trl trailer tunnel turnpike tpke underpass union unions valley "
    "valleys via viaduct view views village villages ville vista walk walks wall way ways well wells"
)
_COMMON_STREET = word_set(
    "avenue ave boulevard blvd circle court ct drive dr highway hwy lane ln parkway pkwy place pl plaza road rd street "
    "st terrace trail way turnpike"
)
_RARE_STREET = _STREET - _COMMON_STREET
_UNIT = (
    r"(?i:(?:,? ?(?:apt|apartment|unit|suite|ste|room|rm|floor|fl|bldg|building|lot|trailer|flat)\.? ?#?|"
    r",? #) ?(?:[A-Za-z]?-?\d{1,5}-?[A-Za-z]?|[A-Za-z])(?![\w]))?"
)
_NUMBERED = re.compile(
    rf"(?<![\w.,/$%-])\d{{1,6}}(?:-\d{{1,5}})?[A-Za-z]?(?: 1/2)? (?:(?:N|S|E|W|NE|NW|SE|SW|North|South|East|"
    rf"West)\.? )?(?:(?:[^\W\d_a-z][\w'’.-]{{0,24}}|\d{{1,3}}(?:st|nd|rd|"
    rf"th)) ){{1,4}}(?!CT\b)(?i:{'|'.join(sorted(_STREET))})\b\.?(?: (?:N|S|E|W|NE|NW|SE|SW)\b\.?)?{_UNIT}"
)
_ORDINAL_STREET = re.compile(
    rf"(?<![\w.,/-])(?:\d{{1,6}} )?(?:(?:N|S|E|W|North|South|East|West)\.? )?\d{{1,3}}(?:st|nd|rd|"
    rf"th) (?:{'|'.join(s.title() for s in sorted(_COMMON_STREET))})\b\.?{_UNIT}"
)
_UNNUMBERED = re.compile(
    r"(?<![\w-])(?:[A-Z][a-z'’]{2,20} ){1,2}(?:Street|Avenue|Boulevard|Road|Lane|Drive|Ave\.|Blvd\.|Rd\.)(?=[ ,.;)]|$)"
)
_BOX = re.compile(
    r"\b(?:P\.? ?O\.? ?Box|PO BOX|Box|Rural Route) ?#?\d{1,6}(?: Box \d{1,5})?\b|\bRR ?\d{1,3},? Box \d{1,5}\b"
)
_LOW_NUMBERED = re.compile(
    r"(?<![\w.,/$%-])\d{2,6} (?:(?!in |of |the |on |at |to |for |mg |ml )[a-z]{2,20} ){1,2}"
    r"(?:avenue|ave|boulevard|blvd|court|drive|lane|road|rd|street|st)\b\.?(?=,| apt| in | #|$)"
    rf"{_UNIT}"
)
_ADDRESS_CUE = re.compile(
    r"\b(?:address(?: on file| is| of record)?|(?:lives|resides|living|residing|resident|located|stays|home) (?:at|of)|"
    r"moved to|street)[ \t]{0,2}[:=]?[ \t]{0,3}(\d{1,6}[A-Za-z]? [^\n,;.]{3,60})",
    re.IGNORECASE,
)
_ZIP = re.compile(
    rf"(?:\b(?-i:{_STATES}|GU|VI|AS|MP|PW|FM|MH|AA|AE|AP)\.?,? {{1,2}}|\b(?:{_STATE_NAMES}),? {{1,2}}|\b(?:zip|"
    rf"zip ?code|postal ?code|post ?code|postcode)[ :#]{{1,3}}(?:is |of )?)(\d{{5}}(?:-\d{{4}})?)(?![\w-])",
    re.IGNORECASE,
)
_POSTCODE = re.compile(
    r"(?<![\w-])(?:[A-Z]{1,2}\d{1,2}[A-Z]? \d[A-Z]{2}|"
    r"[A-CEGHJ-NPR-TVXY]\d[A-CEGHJ-NPR-TV-Z] \d[A-CEGHJ-NPR-TV-Z]\d)(?![\w-])"
)
_EURO_CODE = re.compile(r"(?<![\w.,/-])(?:[A-Z]{1,2}-)?(\d{4,5}) (?=[^\W\d_a-z])")
_IN_STATE = re.compile(rf",? (?:(?:{_STATES})(?=[ ,.;)\n?]|$)(?!\.\w)|(?:{_STATE_NAMES})\b)")
_WITH_THE = frozenset(("bronx", "hague"))
_CREDENTIAL_STATES = frozenset(("MD", "PA", "MA"))
_LIVES = re.compile(
    r"\b(?:(?:lives?|living|lived|resid(?:es|ing|ed)|resident|native|born|raised|grew up|works?|working|worked|church|"
    r"school|stationed|moved|relocated|traveled|travelled|travels?|trip|visit(?:ed|ing)?|flew|drove|home|house|"
    r"apartment|farm|nearby|outside|hometown|city|town|county|hospitalized|admitted|clinic|office|practice|facility|"
    r"shelter|incarcerated|jail|prison|vacation|accident|family|sister|brother|daughter|son|mother|father|parents|"
    r"friend|move|moving|transferred|seen|based|located|hails?|comes?|originally|just|immigrated|emigrated|deployed|"
    r"went|go|going|went back|flight) (?:back )?(?:in|from|to|of|near|outside|around|at|is|:)|(?:city|town|village|"
    r"county|municipality|borough|suburb|birthplace|place of birth|hometown|location|from|residence)[ \t]?:|originally "
    r"from|just (?:north|south|east|west) of|(?:city|town|village|suburbs?|county) of)[ \t]{1,3}(?:the |rural |"
    r"downtown |nearby |central |greater )?(?-i:(?=[^\W\d_a-z]))",
    re.IGNORECASE,
)
_PREPOSITION = word_set("in from near to at outside around our downtown")
_DIRECTIONS = word_set(
    "north south east west new port lake mount mt fort ft saint st san santa los las el la le upper lower great big old"
)
_MOST_WORDS = 4
_LARGE = 100_000
_COUNTY = re.compile(
    r"(?<![\w-])((?:[A-Z][\w'’-]{1,20} ){1,2})(?:County|Parish|Township|Borough)(?![\w-])(?! (?:Hospital|Medical|"
    r"General|Health))"
)


def places(page: Page, known: Names) -> Iterator[Hit]:
    """Addresses, cities and codes."""
    yield from _addresses(page, known)
    yield from _codes(page, known)
    yield from _before_state(page, known)
    yield from _after_cue(page, known)
    if known.known.cities:
        yield from _listed(page, known)


def _addresses(page: Page, known: Names) -> Iterator[Hit]:
    for pattern in (_NUMBERED, _ORDINAL_STREET, _BOX, _LOW_NUMBERED, _UNNUMBERED):
        for match in pattern.finditer(page.text):
            if not _is_count(match[0]):
                yield Hit(match.start(), _undotted(page.text, match.end()), "ADDRESS", FORM)
                yield from _city_after(page, match.end(), known)
    for match in _ADDRESS_CUE.finditer(page.text):
        yield Hit(match.start(1), match.end(1), "ADDRESS", CUE)
    for match in _COUNTY.finditer(page.text):
        yield Hit(match.start(1), match.end(1) - 1, "CITY", CUE)


def _city_after(page: Page, position: int, known: Names) -> Iterator[Hit]:
    """The city that follows a street."""
    i = page.index(position)
    if (
        i < len(page.tokens)
        and page.text[position : page.tokens[i].start] in (", ", ",", " ", "\n", ".,", "., ")
        and page.tokens[i].shape in "CA"
    ):
        j = max(read_place(page, i, known), _city_end(page, i, known))
        if j > i:
            yield Hit(page.tokens[i].start, page.tokens[j - 1].end, "CITY", CUE)


def _city_end(page: Page, i: int, known: Names) -> int:
    """Up to three capitalised words before a comma, whatever they are, but no state."""
    j = i
    while j < len(page.tokens) and j - i < 3 and page.tokens[j].shape == "C" and (j == i or page.gap(j - 1) == " "):
        j += 1
    comma = j > i and page.text[page.tokens[j - 1].end : page.tokens[j - 1].end + 1] == ","
    return j if comma and not all(t.key in known.lexicon.large_places for t in page.tokens[i:j]) else i


def _is_count(found: str) -> bool:
    """Whether a number before capitalised words counts something: none of them is the name of a street then."""
    words = found.split()
    if len(words[0]) == 1 and words[-1].rstrip(".,").casefold() in _RARE_STREET:
        return True
    return (
        words[-1][0].islower()
        and words[-1].rstrip(".").casefold() not in _COMMON_STREET
        and not any(c.isdigit() for c in words[-1])
    )


def _undotted(text: str, end: int) -> int:
    return end - 1 if text[end - 1] in ".," else end


def _codes(page: Page, known: Names) -> Iterator[Hit]:
    for match in _ZIP.finditer(page.text):
        if match[0].startswith("ID") and page.text[max(0, match.start() - 2) : match.start()] != ", ":
            continue
        yield Hit(match.start(1), match.end(1), "ZIP", FORM)
    for match in _POSTCODE.finditer(page.text):
        yield Hit(match.start(), match.end(), "ZIP", CUE)
    for match in _EURO_CODE.finditer(page.text):
        i = page.index(match.end())
        if (
            i < len(page.tokens)
            and known.known.cities.get(page.tokens[i].key, 0) > 50_000
            and page.tokens[i].key not in known.lexicon.ordinary
        ):
            yield Hit(match.start(1), match.end(1), "ZIP", CUE)
            yield Hit(page.tokens[i].start, page.tokens[i].end, "CITY", CUE)


def _before_state(page: Page, known: Names) -> Iterator[Hit]:
    """Cities before the name or letters of a state, which goes with the city unless it stands before a code."""
    for match in _IN_STATE.finditer(page.text):
        j = page.index(match.start())
        if j == 0 or page.tokens[j - 1].end != match.start():
            continue
        i = _city_start(page, j, known)
        if match[0].strip(" ,") in _CREDENTIAL_STATES and not _is_large(page, i, j, known, match[0]):
            continue
        if i < j and _is_city(page, i, j, known, comma=match[0][0] == ","):
            zip_follows = page.text[match.end() : match.end() + 3].strip(" ,")[:1].isdigit()
            yield Hit(page.tokens[i].start, page.tokens[j - 1].end if zip_follows else match.end(), "CITY", CUE)


def _is_large(page: Page, i: int, j: int, known: Names, state: str) -> bool:
    """Whether a listed city that is no name stands before letters that are of a degree too (MD, PA)."""
    people = known.known.cities.get(_key(page, i, j), 0)
    named = i > 0 and page.joined(i - 1) and page.tokens[i - 1].shape in "CAI"
    return state[0] == "," and people > 20_000 and not named and not (known.is_first(page.tokens[i].key) and i < j - 1)


def _city_start(page: Page, j: int, known: Names) -> int:
    i = j
    while i > 0 and j - i < _MOST_WORDS:
        word = page.tokens[i - 1]
        if word.shape not in "CA" or not can_be_name(word) or (i < j and page.gap(i - 1) not in (" ", "-", ". ")):
            break
        i -= 1
    while i < j - 1 and _key(page, i, j) not in known.known.cities and _explained(page.tokens[i].key, known):
        i += 1
    return i


def _explained(key: str, known: Names) -> bool:
    return known.lexicon.explains(key) and key not in _DIRECTIONS


def _key(page: Page, i: int, j: int) -> str:
    return " ".join(t.key for t in page.tokens[i:j]).replace("-", " ")


def _is_city(page: Page, i: int, j: int, known: Names, *, comma: bool) -> bool:
    key = _key(page, i, j)
    if key in known.known.cities:
        return comma or known.unexplained(page.tokens[j - 1].key) or j - i > 1
    if not comma or page.shouts(i) or page.tokens[i].shape != "C":
        return False
    return any(known.unexplained(t.key) for t in page.tokens[i:j]) or page.tokens[i].key in _DIRECTIONS


def _after_cue(page: Page, known: Names) -> Iterator[Hit]:
    """Cities after "lives in", "from", ...: in the gazetteer, or what nothing else explains."""
    for _, i in page.after(_LIVES):
        j = read_place(page, i, known)
        if j > i:
            whole = page.tokens[i].key in _WITH_THE and page.tokens[i - 1].key == "the"
            yield Hit(page.tokens[i - whole].start, page.tokens[j - 1].end, "CITY", CUE)


def read_place(page: Page, i: int, known: Names) -> int:
    """Where a city that starts at word ``i`` ends; ``i`` if there is none."""
    longest = _longest(page, i, known)
    j = i
    while j < len(page.tokens) and j - i < _MOST_WORDS:
        word = page.tokens[j]
        if word.shape not in "CA" or not can_be_name(word) or (j > i and page.gap(j - 1) not in (" ", "-", ". ")):
            break
        if (
            j > i and page.gap(j - 1) == ". " and page.tokens[j - 1].key not in ("st", "ft", "mt")
        ) or word.key in known.lexicon.units:
            break
        if j > i and not known.unexplained(word.key) and page.tokens[j - 1].key not in _DIRECTIONS:
            break
        j += 1
    words = page.tokens[i:j]
    if any(known.lexicon.is_eponym(page, end - 1) for end in (j, longest) if end > i):
        return i
    if not words or page.shouts(i) or all(t.key in known.lexicon.large_places for t in words):
        return longest
    sure = all(t.shape == "C" for t in words) and (
        known.unexplained(words[0].key) or (len(words) > 1 and words[0].key in _DIRECTIONS)
    )
    return max(j, longest) if sure else longest


def _longest(page: Page, i: int, known: Names) -> int:
    """Where the longest listed city that starts at word ``i`` ends; ``i`` if none does or it is something else as well."""
    cities = known.known.cities
    for j in range(min(i + _MOST_WORDS, len(page.tokens)), i, -1):
        words = page.tokens[i:j]
        if (
            all(t.shape in "CA" for t in words)
            and all(page.gap(k) in (" ", "-", ". ") for k in range(i, j - 1))
            and _key(page, i, j) in cities
        ):
            single = len(words) == 1 and (
                words[0].key in known.lexicon.ordinary or words[0].key in known.lexicon.large_places
            )
            return i if single or (page.shouts(i) and len(words) == 1 and known.lexicon.explains(words[0].key)) else j
    return i


def _listed(page: Page, known: Names) -> Iterator[Hit]:
    """Listed cities that are nothing else, and those after a preposition that are no ordinary word."""
    for i, word in enumerate(page.tokens):
        if word.shape == "a":
            if (j := _low(page, i, known)) > i:
                yield Hit(word.start, page.tokens[j - 1].end, "CITY", GAZETTEER)
            continue
        if word.shape == "I" or (word.key not in known.known.cities and word.key not in known.known.city_starts):
            continue
        j = _longest(page, i, known)
        if j > i and _certain(page, i, j, known):
            yield Hit(word.start, page.tokens[j - 1].end, "CITY", GAZETTEER)


def _low(page: Page, i: int, known: Names) -> int:
    """Where a large city in lower case ends, after "in" or "from"; ``i`` if there is none."""
    if i == 0 or page.tokens[i - 1].key not in ("in", "from", "near") or page.gap(i - 1) != " ":
        return i
    cities, key = known.known.cities, page.tokens[i].key
    if cities.get(key, 0) > _LARGE and known.unexplained(key) and key not in known.known.first:
        return i + 1
    if i + 1 < len(page.tokens) and page.gap(i) == " " and cities.get(_key(page, i, i + 2), 0) > _LARGE:
        return i + 2
    return i


def _certain(page: Page, i: int, j: int, known: Names) -> bool:
    """Whether a listed city is meant."""
    word, cities = page.tokens[i], known.known.cities
    if known.lexicon.is_eponym(page, j - 1) or word.end - word.start < 3:
        return False
    people = cities[_key(page, i, j)]
    several = j - i > 1
    clear = all(known.unexplained(t.key) for t in page.tokens[i:j]) and not (known.known.is_name(word.key) and not several)
    prepared = i > 0 and page.tokens[i - 1].key in _PREPOSITION and page.gap(i - 1) == " "
    if several:
        return people > 100_000 or prepared
    if word.shape == "A" and not page.shouts(i) and word.key != "nyc":
        return False
    if prepared:
        return people > 50_000 and (clear or word.key not in known.lexicon.ordinary) and not known.lexicon.is_eponym(page, i)
    return clear and people > 100_000
