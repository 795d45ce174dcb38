"""Sentences of clinical notes: with abbreviations, dosing Latin, lists, headings, wrapped lines and lost line ends.

Rules in the spirit of Punkt and pySBD, written for notes: a mark ends a sentence unless the word before it or the text
after it says otherwise. Time is linear in the length of the text, whatever it holds.
"""

import re
from collections.abc import Iterator
from itertools import islice, pairwise

from medloom.text.wordlist import word_set

_END = re.compile(r"[.!?…。！？]+[\"'”’)\]]*")
_GAP = re.compile(r"\s*,?\s*")
_COLON_COMMA = re.compile(r":\s{0,9},\s{0,9}")
_CAPS_AFTER_COMMA = re.compile(r",\s{0,9}(?=[A-Z][A-Z /&'-]{2,50}:)")
_CAPS_HEADING = re.compile(r"[A-Z][A-Z /&'(),-]{2,50}:")
_ITEM = re.compile(r"(?:\d{1,3}|[A-Za-z])[.)]\s{0,9}[^\s\d]|[-*•‣·–—+#]{1,6}\s")
_BULLET = re.compile(r"(?<=\s)[•‣▪]\s")
_MEASURE = re.compile(r"\d{1,4}(?:\s?%|\s?(?:mg|mcg|g|kg|ml|cc|l|dl|cm|mm|m|units?|x)\b)", re.IGNORECASE)
_DOTTED = re.compile(r"[a-z]{1,2}(?:\.[a-z]{1,2})+")
_ROMAN = re.compile(r"[ivx]{1,5}")
_CJK = frozenset("。！？")
_LONGEST_WORD = 24
_LOOK_AHEAD = 100
_NARROWEST_WRAP, _WIDEST_WRAP = 50, 132

_NEVER_LAST = word_set(
    """
    dr drs mr mrs ms mx prof st rev hon gen capt sgt lt col messrs vs v viz eg ie e.g i.e cf ca approx fig figs eq
    ref refs resp incl excl esp s/p c/o h/o r/o w/o dx'd
    """
)
"""Abbreviations that no sentence ends with."""
_PATIENT = frozenset({"pt", "pts"})
_DETERMINERS = word_set(
    """
    the this a each our my another
    """
)
_BEFORE_A_NAME = word_set(
    """
    by and with to from per see
    """
)
_BEFORE_NUMBER = word_set(
    """
    no nos vol p pp ch sec art fig figs tab table item ext room rm apt ste op ed dept chap
    """
)
_MAY_BE_LAST = word_set(
    """
    etc al inc ltd co corp jr sr md phd rn np pa do esq mg mcg kg gm gms ml cc cm mm lb lbs oz ft in hr hrs min mins
    sec secs wk wks mo mos yr yrs tab tabs cap caps inj susp sol oint gtt gtts bid tid qid qd qhs qam qpm prn po iv
    im sc sq sl pr ac pc hs stat hx dx tx rx sx fx sig temp resp wt ht abd ext neuro lab labs dept hosp jan feb mar
    apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun avg max prev est diff bilat ant
    post lat med inf sup subcut subq pkg amt asst assoc ave blvd univ
    """
)
"""Abbreviations after which a capital letter decides."""
_DEGREES = word_set(
    """
    m.d ph.d d.o r.n n.p p.a b.s m.s d.d.s d.p.m pharm.d u.s u.k u.s.a
    """
)
_STARTERS = word_set(
    """
    the a an this that these those he she it they we i his her its their our there then in on at after before during
    when while if as for from with since because however although patient pt no not all some both each upon under by
    once denies follow continue please plan history
    """
)
_LETTERED = word_set(
    """
    hepatitis vitamin type class grade group influenza factor protein stage axis plan option part child-pugh
    category schedule exhibit appendix step arm cohort apolipoprotein troponin immunoglobulin strain serotype
    subtype
    """
)
_JOINING = word_set(
    """
    and or but nor of the a an to in on at by for from with without into than that which who was were is are has had
    have be been her his their its as if per due no not
    """
)


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a text stand.

    A heading on a line of its own, a bullet, and an item of a list each are sentences of their own. Every character that
    is not white space is in exactly one span.

    Returns:
        First character and one past the last, counted from 0, white space trimmed, in order, none empty.
    """
    cuts = sorted({*_line_cuts(text), *_mark_cuts(text), len(text)})
    spans: list[tuple[int, int]] = []
    start = 0
    for cut in cuts:
        piece = text[start:cut]
        if body := piece.strip():
            first = start + len(piece) - len(piece.lstrip())
            last = first + len(body)
            if spans and not any(c.isalnum() for c in body):
                spans[-1] = (spans[-1][0], last)
            else:
                spans.append((first, last))
        start = cut
    return spans


def sentences(text: str) -> list[str]:
    """The sentences themselves; see :func:`sentence_spans`."""
    return [text[start:end] for start, end in sentence_spans(text)]


def first_words(text: str, count: int) -> str:
    """The longest beginning of a text that has at most ``count`` words and ends with a sentence.

    Where the first sentence alone is longer, it is cut after ``count`` words. A text that is short enough comes back as it
    is.
    """
    end = total = 0
    for start, stop in sentence_spans(text):
        total += len(text[start:stop].split())
        if total > count:
            break
        end = stop
    else:
        return text
    if end:
        return text[:end]
    cut = list(islice(re.finditer(r"\S+", text), count))
    return text[: cut[-1].end()] if cut else ""


def first_characters(text: str, count: int) -> str:
    """The longest beginning of a text that has at most ``count`` characters and ends with a sentence.

    Where the first sentence alone is longer, it is cut after its last whole word, or after ``count`` characters where that
    is one word. A text that is short enough comes back as it is.
    """
    if len(text) <= count:
        return text
    ends = [end for _, end in sentence_spans(text[: count + _LOOK_AHEAD]) if end <= count]
    if ends:
        return text[: ends[-1]]
    start = text[:count]
    words = start if text[count].isspace() else start.rstrip().rpartition(" ")[0]
    return words.rstrip() or start.rstrip()


def _mark_cuts(text: str) -> Iterator[int]:
    """Where a sentence starts because a mark ended the one before."""
    for mark in _END.finditer(text):
        if not _CJK.isdisjoint(mark[0]):
            yield mark.end()
            continue
        gap = _GAP.match(text, mark.end())
        after = gap.end() if gap else mark.end()
        if after < len(text) and _ends(text, mark, after):
            yield after
    for pattern in (_COLON_COMMA, _CAPS_AFTER_COMMA):
        for found in pattern.finditer(text):
            yield found.end()
    for found in _BULLET.finditer(text):
        yield found.start()


def _ends(text: str, mark: re.Match[str], after: int) -> bool:
    """Whether a mark, with the next text beginning at ``after``, ends a sentence."""
    word, at = _word_before(text, mark.start())
    upcoming = text[after]
    gap = text[mark.end() : after]
    if not gap:
        return upcoming.isupper() and _ends_without_blank(text, mark, word)
    if mark[0][0] in "!?":
        return not upcoming.islower()
    if mark[0].startswith(("..", "…")):
        return upcoming.isupper()
    if _is_item_number(text, word, at):
        return False
    if "," in gap:
        return not _is_short_form(word) or bool(_CAPS_HEADING.match(text, after) or _ITEM.match(text, after))
    if upcoming.islower():
        return len(word) > 1 and not _is_short_form(word) and mark[0] == "."
    if word[-1:].isdigit() and _MEASURE.match(text, after):
        return False
    return _ends_before_capital(text, word, at, after)


def _ends_without_blank(text: str, mark: re.Match[str], word: str) -> bool:
    """For a capital letter right behind the mark: "done.She", but neither "U.S.A", "Ph.D" nor an address."""
    if any(sign in word for sign in ("www", "://", "@")) or text[max(0, mark.start() - 60) : mark.start()].rfind("://") >= 0:
        return False
    if mark[0][0] in "!?":
        return bool(word)
    before = text[max(0, mark.start() - 2) : mark.start()]
    return mark[0] == "." and len(before) == 2 and before.isalpha() and before.islower() and "." not in word


def _ends_before_capital(text: str, word: str, at: int, after: int) -> bool:
    """For a mark with a blank and a capital, digit, bracket or quote behind it."""
    folded = word.casefold()
    if folded in _NEVER_LAST:
        return False
    if folded in _BEFORE_NUMBER and text[after].isdigit():
        return False
    if folded in _PATIENT:
        return _word_before(text, _skip_back(text, at))[0].casefold() in _DETERMINERS
    upcoming = _word_at(text, after).casefold()
    if folded in _DEGREES:
        return upcoming in _STARTERS or not text[after].isalpha()
    if len(word) == 1 and word.isupper() and text[after].isupper():
        return upcoming in _STARTERS or not _is_initial(text, at)
    if _is_short_form(word):
        return text[after].isupper() or bool(_ITEM.match(text, after))
    return True


def _is_initial(text: str, at: int) -> bool:
    """Whether the letter at ``at`` is of a name: it opens the sentence, or follows a name, a title or "by"."""
    end = _skip_back(text, at)
    before, _ = _word_before(text, end)
    folded = before.casefold()
    if not before or text[end - 1] in ".!?" or folded in _BEFORE_A_NAME:
        return True
    return before[0].isupper() and folded not in _LETTERED


def _skip_back(text: str, at: int) -> int:
    """The end of what stands before ``at``, blanks left out."""
    end = at
    while end > 0 and at - end < _LONGEST_WORD and text[end - 1] in " \t":
        end -= 1
    return end


def _is_short_form(word: str) -> bool:
    """Whether a word (without its last dot) is an abbreviation."""
    folded = word.casefold()
    return (
        folded in _MAY_BE_LAST
        or folded in _NEVER_LAST
        or folded in _DEGREES
        or folded in _PATIENT
        or _DOTTED.fullmatch(folded) is not None
        or (len(word) == 1 and word.isalpha())
    )


def _is_item_number(text: str, word: str, at: int) -> bool:
    """Whether a number or letter with a dot opens an item of a list."""
    folded = word.casefold()
    if (
        not (folded.isdigit() and len(folded) <= 3)
        and not (len(folded) == 1 and folded.isalpha())
        and not _ROMAN.fullmatch(folded)
    ):
        return False
    i = at
    while i > 0 and at - i < _LONGEST_WORD and text[i - 1] in " \t,":
        i -= 1
    opens = i == 0 or text[i - 1] in "\n:;*-•#" or (text[i - 1] in ".!?" and i < at)
    return opens and (folded.isdigit() or i == 0 or text[i - 1] in "\n:" or "," in text[i:at])


def _word_before(text: str, end: int) -> tuple[str, int]:
    """The word that ends at ``end``, dots, slashes and hyphens inside it kept, and where it starts."""
    start = end
    while start > 0 and end - start < _LONGEST_WORD and (text[start - 1].isalnum() or text[start - 1] in ".'’/@:-"):
        start -= 1
    word = text[start:end].rpartition(":")[2].lstrip(".'’/-") if "://" not in text[start:end] else text[start:end]
    return word, end - len(word)


def _word_at(text: str, start: int) -> str:
    end = start
    while end < len(text) and end - start < _LONGEST_WORD and text[end].isalnum():
        end += 1
    return text[start:end]


def _line_cuts(text: str) -> Iterator[int]:
    """Where a sentence starts because a line does."""
    block: list[tuple[int, str]] = []
    position = 0
    for line in text.split("\n"):
        if body := line.strip():
            block.append((position + line.index(body[0]), body))
        else:
            yield from _block_cuts(block)
            block = []
        position += len(line) + 1
    yield from _block_cuts(block)


def _block_cuts(block: list[tuple[int, str]]) -> Iterator[int]:
    """The lines of a paragraph that are no mere continuation of the line before."""
    if not block:
        return
    yield block[0][0]
    width = max(len(body) for _, body in block)
    wrapped = sum(len(body) >= width - 15 for _, body in block) >= 3
    for (_, line), (start, following) in pairwise(block):
        if not _runs_on(line, following, width, wrapped):
            yield start


def _runs_on(line: str, following: str, width: int, wrapped: bool) -> bool:
    """Whether a sentence goes on from one line into the next.

    Args:
        line: The line.
        following: The next one.
        width: Characters of the longest line of the paragraph.
        wrapped: Whether three lines or more are about as long.
    """
    if _ITEM.match(following) or line.endswith((":", "**")) or following.startswith("**") or line.startswith("#"):
        return False
    if line.isupper() and not following.isupper():
        return False
    first, last = following.split(None, 1)[0], line.rsplit(None, 1)[-1].casefold()
    if last.endswith((",", "-", "/")) or last in _JOINING or last.rstrip(".") in _NEVER_LAST or _ITEM.fullmatch(line + " x"):
        return True
    if first in _JOINING:
        return True
    full = _NARROWEST_WRAP <= width <= _WIDEST_WRAP and len(line) + 1 + len(first) > width
    return full and (wrapped or not first[0].isupper())
