"""Figures and texts as a reader of a leaderboard wants them."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from numbers import Real

from markupsafe import Markup

DASH = "–"
_MINUS = "\N{MINUS SIGN}"
_METRICS = {
    "ndcg_at_10": "nDCG@10",
    "similarity_ap": "average precision",
    "v_measure": "V-measure",
    "f1": "F1",
    "accuracy": "accuracy",
}
_FACETS = {"consumer": "consumer questions"}


def figure(value: object) -> float:
    """The value as a finite float; NaN for whatever is no such number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    number = float(value)
    return number if math.isfinite(number) else math.nan


def score(value: float, decimals: int = 3) -> str:
    """A score, or a dash where there is none."""
    return f"{value:.{decimals}f}".replace("-", _MINUS) if math.isfinite(value) else DASH


def signed(value: float) -> str:
    """A difference with its sign, to three decimals."""
    if not math.isfinite(value):
        return DASH
    return f"{value:+.3f}".replace("-", _MINUS) if value else "0.000"


def interval(low: float, high: float) -> str:
    """Both ends of an interval, or nothing where one is missing."""
    return f"{score(low)} to {score(high)}" if math.isfinite(low) and math.isfinite(high) else ""


def gap(low: float, high: float) -> str:
    """Both ends of an interval of a difference, or a dash."""
    return f"{signed(low)} to {signed(high)}" if math.isfinite(low) and math.isfinite(high) else DASH


def p_value(value: float) -> str:
    """A p-value to three decimals, never rounded to zero."""
    if not math.isfinite(value):
        return DASH
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def amount(value: float | None) -> str:
    """A quantity to three digits or to the unit, with separators."""
    if value is None or not math.isfinite(value):
        return DASH
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    shown = f"{value:,.{decimals}f}".replace("-", _MINUS)
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def count(value: float) -> str:
    """A whole number with separators, or a dash."""
    return f"{value:,.0f}" if math.isfinite(value) else DASH


def millions(value: float) -> str:
    """A number of weights in millions or billions, or nothing."""
    if not math.isfinite(value) or value <= 0:
        return ""
    return f"{amount(value / 1e9)} B" if value >= 1e9 else f"{amount(value / 1e6)} M"


def percent(share: float) -> str:
    """A share in percent; a share above nothing is never shown as nothing."""
    if not math.isfinite(share):
        return DASH
    return "<0.1%" if 0 < share < 0.001 else f"{share * 100:.1f}%"


def rank(place: int | None, places: Iterable[int | None]) -> str:
    """A rank, with an equals sign where others share it."""
    if place is None:
        return ""
    return f"{place}=" if Counter(places)[place] > 1 else str(place)


def words(name: str) -> str:
    """A CamelCase type in words: ``PairClassification`` is "Pair classification"."""
    first, *rest = re.split(r"(?<=[a-z])(?=[A-Z])", name)
    return " ".join([first, *(part if part.isupper() else part.lower() for part in rest)])


def metric(name: str) -> str:
    """The name of a main score as papers write it."""
    return _METRICS.get(name, name)


def facet(name: str) -> str:
    """A kind of text in words."""
    return _FACETS.get(name, name)


def moment(text: str) -> str:
    """An ISO 8601 time in words, or the text itself where it is none."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = f" {when.tzname()}" if when.tzinfo else ""
    return f"{when.day} {when:%B %Y, %H:%M}{zone}"


def short(text: str) -> str:
    """The beginning of a hash."""
    bare = text.removeprefix("sha256:")
    return bare if len(bare) <= 12 else bare[:12]


def clipped(text: str, most: int) -> str:
    """The text on one line, cut with an ellipsis where it is longer."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def breakable(text: str) -> Markup:
    """The text, escaped, with places to break a line inside CamelCase and snake_case names."""
    parts = re.split(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[_/.])", str(printable(text)))
    return Markup("<wbr>").join(parts)


def printable(value: object) -> object:
    """The value; in a text, control characters, lone surrogates and direction overrides are made visible."""
    return _visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@lru_cache(maxsize=4096)
def _visible(text: str) -> str:
    return text if text.isprintable() else "".join("\N{REPLACEMENT CHARACTER}" if _unseen(c) else c for c in text)


def _unseen(char: str) -> bool:
    if char in "\n\t":
        return False
    return unicodedata.category(char) in ("Cc", "Cs", "Cn") or "\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069"
