"""Repair of text from any source: wrong decodings, entities, invisible characters, white space, words torn at line ends.

What carries meaning stays as it was written: µ, °, ±, Greek letters, superscripts, fractions, quotation marks. So the
normal form is NFC and never NFKC, under which 10³ would become 103. Wrong decodings are found and undone by ftfy (Speer,
2019), which is asked only where a text shows a sign of one: most text is clean.
"""

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftfy import TextFixerConfig

_PASSES = 4
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,300}>")
_SUSPECT = re.compile("[^\x00-\x7f]{2}|[\u00c2\u00c3\u00c5\u00ce\u00d0\u00d9](?: |\\Z)")
"""What any wrong decoding holds: UTF-8 of one character read as several, none of them ASCII but a blank for byte A0."""
_FOR_FTFY = re.compile("[\x80-\x9f\u0132\u0133\u0149\u01c4-\u01cc\u01f1-\u01f3\ufb00-\ufb06\ud800-\udfff]")
"""C1 controls, ligatures and halves of surrogate pairs, which ftfy replaces though no decoding is wrong."""
_LINE_END = re.compile("\r\n?|[\x0b\x0c\u2028\u2029]")
_SOFT_BREAK = re.compile("\u00ad[ \t]*\n[ \t]*")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")
_BLANKS = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_NOTHING = [
    *(*range(0x00, 0x09), *range(0x0E, 0x20), 0x7F, 0xAD, 0x180E, 0x200B),
    *(*range(0x2060, 0x2065), *range(0x206A, 0x2070), 0xFEFF, 0xFFF9, 0xFFFA, 0xFFFB, 0xFFFC),
]
_WIDE = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz%+<=>"
_SYMBOL = {
    **dict(zip(range(0xF061, 0xF07B), "αβχδεφγηιϕκλμνοπθρστυϖωξψζ", strict=True)),
    **dict(zip((0xF044, 0xF046, 0xF047, 0xF053, 0xF057), "ΔΦΓΣΩ", strict=True)),
    **dict(zip((0xF0A3, 0xF0B3, 0xF0B0, 0xF0B1, 0xF0B4, 0xF0B7, 0xF0B8, 0xF0B9, 0xF0BB), "≤≥°±×•÷≠≈", strict=True)),
    **dict(zip((0xF0A5, 0xF0AD, 0xF0AE, 0xF0AF), "∞↑→↓", strict=True)),
}
"""Codes that word processors give to the Symbol font's characters, as Adobe's table of its encoding maps them."""
_CHARACTERS: dict[int, str | None] = {
    **_SYMBOL,
    **dict.fromkeys(map(ord, _BLANKS), " "),
    **dict.fromkeys(_NOTHING),
    **{ord(c) + 0xFEE0: c for c in _WIDE},
}
"""Odd blanks to a blank, invisible characters to nothing, full-width letters, digits and signs to those of ASCII."""
_FULL_WIDTH = re.compile("[\uff01-\uff5e]")
_JOINER = re.compile("(?<![^\x00-\x7f])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\x7f])")
_DIRECTION = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_BEFORE_LINE_END = re.compile(r"(?<![ \t])[ \t]+\n")
_BETWEEN = re.compile(r"(?<=\S) {2,}")
_EMPTY_LINES = re.compile(r"\n{3,}")
_TORN = re.compile(r"(?<![^\W\d_])([^\W\d_]{2,30})-\n[ \t]*([^\W\d_]{2,30})(?![^\W\d_])")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_ENDING = re.compile(
    r"(?:tion|sion|ment|zation|sation|lation|mation|tation|cation|nosis|nostic|pital|tient|[ae]nce|ologist|osis|itis|[ae]mia"
    r"|opsy|ectomy|otomy|ostomy|oscopy|opathy|plasty|graphy|tive|ness|[ai]bility)s?"
    r"|[ai]ble|ings?|[ae]nces|it(?:y|ies)|oses|uria|ologic(?:al)?|ology|[ctn]al(?:ly)?|ically|tional|ular|lar|ously|zed|tomies"
)
"""Ends of words that are no words themselves, so that a hyphen before them is one of typesetting."""


def repair(text: str) -> str:
    r"""The text with what went wrong on its way put right; a clean text comes back as it is.

    In this order: HTML entities (left alone in text that has tags), wrong decodings and ligatures, NFC, line ends, soft
    hyphens and other invisible characters, terminal codes and controls, odd blanks, full-width letters and digits, codes
    of the Symbol font, blanks at line ends, runs of blanks inside a line, runs of empty lines, words torn at line ends.
    Indents, tabs, joiners between letters that need them, and marks of direction in text from right to left stay.

    A torn word is joined only where that is safe: the text has it elsewhere (``treat-\nment`` where ``treatment`` stands
    too, ``beta-\nblocker`` as ``beta-blocker``), or its second half is a mere ending (``-\nment``). All else keeps its
    hyphen and line end.
    """
    for _ in range(_PASSES):
        fixed = _once(text)
        if fixed == text:
            break
        text = fixed
    return text


def _once(text: str) -> str:
    entities = "&" in text and _ENTITY.search(text) is not None and _TAG.search(text) is None
    if entities or not text.isascii():
        text = _decoded(text, entities)
    if not _is_visible(text):
        text = _without_invisible(text)
    if _is_tidy(text):
        return text
    text = _EMPTY_LINES.sub("\n\n", _BETWEEN.sub(" ", _BEFORE_LINE_END.sub("\n", text))).strip()
    return _mended(text) if "-\n" in text else text


def _decoded(text: str, entities: bool) -> str:
    """Text as its author's program had it, in NFC."""
    if entities or _FOR_FTFY.search(text) or (_SUSPECT.search(text) and _is_bad(text)):
        from ftfy import fix_text

        text = fix_text(text, _config(entities))
    return unicodedata.normalize("NFC", text)


def _is_bad(text: str) -> bool:
    from ftfy.badness import is_bad

    return is_bad(text)


@cache
def _config(entities: bool) -> "TextFixerConfig":
    """What ftfy may do: nothing that changes how a character looks, but for ligatures."""
    from ftfy import TextFixerConfig

    return TextFixerConfig(
        unescape_html=entities,
        remove_terminal_escapes=False,
        remove_control_chars=False,
        fix_line_breaks=False,
        fix_character_width=False,
        uncurl_quotes=False,
        normalization="NFC",
        explain=False,
    )


def _is_visible(text: str) -> bool:
    """Whether the text holds letters, signs, blanks, tabs and line ends alone, none of them full-width."""
    plain = text.replace("\n", "").replace("\t", "")
    return plain.isprintable() and (text.isascii() or _FULL_WIDTH.search(text) is None)


def _without_invisible(text: str) -> str:
    text = _SOFT_BREAK.sub("", _ESCAPE.sub("", _LINE_END.sub("\n", text)))
    if not _RIGHT_TO_LEFT.search(text):
        text = _DIRECTION.sub("", text)
    return _JOINER.sub("", text).translate(_CHARACTERS)


def _is_tidy(text: str) -> bool:
    """Whether there is no white space to put right and no hyphen at a line's end."""
    if not text:
        return True
    spaced = "  " in text or " \n" in text or "\t\n" in text or "\n\n\n" in text or "-\n" in text
    return not spaced and not text[0].isspace() and not text[-1].isspace()


def _mended(text: str) -> str:
    """Words torn at line ends, joined where that is safe."""
    there = {word.casefold() for word in _WORD.findall(text)}

    def joined(torn: re.Match[str]) -> str:
        left, right = torn[1], torn[2]
        whole, compound = f"{left}{right}".casefold(), f"{left}-{right}".casefold()
        if compound in there:
            return f"{left}-{right}"
        if right.islower() and (whole in there or _ENDING.fullmatch(right)):
            return left + right
        return torn[0]

    return _TORN.sub(joined, text)
