"""Texts with their identifiers in double brackets, for tests of the detector."""

import re

from medloom.deid.spans import Detector, find

_MARK = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)


def unmarked(marked: str) -> str:
    """The text without the brackets."""
    return _MARK.sub(r"\1", marked)


def places(marked: str) -> list[tuple[int, int]]:
    """Where the bracketed parts stand in the text without brackets."""
    found, shift = [], 0
    for match in _MARK.finditer(marked):
        start = match.start() - shift
        found.append((start, start + len(match[1])))
        shift += 4
    return found


def found(detector: Detector, text: str) -> list[tuple[str, str]]:
    """What a detector finds in a text: the words and their kind."""
    return [(text[span.start : span.end], span.kind) for span in find(detector, text)]


def wrong(detector: Detector, marked: str) -> tuple[list[str], list[str]]:
    """Words that should have been covered and were not, and those that were and should not have been."""
    text = unmarked(marked)
    covered = bytearray(len(text))
    for span in find(detector, text):
        covered[span.start : span.end] = b"\1" * (span.end - span.start)
    due = bytearray(len(text))
    for start, end in places(marked):
        due[start:end] = b"\1" * (end - start)
    words = [m.span() for m in re.finditer(r"\w+", text)]
    missed = [text[a:b] for a, b in words if any(due[a:b]) and not all(covered[a:b])]
    touched = [text[a:b] for a, b in words if any(covered[a:b]) and not any(due[a:b])]
    return missed, touched
