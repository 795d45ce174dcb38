"""From what a model answered to drafts: JSON, whole or cut, bare or with prose and fences around it.

An answer is taken as far as it can be without a guess. Items that are not as the schema wants become drafts without a
query, which the check ``schema`` drops and counts.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from medloom.generate.chat import Answer
from medloom.generate.config import GenerateConfig, QueryKind
from medloom.generate.drafts import Draft, Passage
from medloom.text.normalise import clean, one_line

_MOST_FAILURES = 50
_MOST_ENDS = 8
_OPEN = re.compile(r"[{\[]")
_REFUSAL = re.compile(
    r"(?:(?:i['’]?m|i am|we are) )?(?:very |so |truly )?sorry,? (?:but )?(?:i|we|as)\b|"
    r"my apologies|i (?:must )?apologi[sz]e|i must decline|"
    r"as an? (?:ai|artificial intelligence|(?:large )?language model)\b|"
    r"(?:unfortunately,? )?(?:i|we)(?:['’]m| am| are)? (?:not able to|unable to|cannot|can['’]?t|won['’]?t|will not|do not) "
    r"(?:\w+ )?(?:help|assist|provide|comply|fulfil|generate|create|write|answer|process|share|produce|complete|do so)",
    re.IGNORECASE,
)


class BadAnswer(Exception):  # noqa: N818
    """An answer holds no usable query.

    Args:
        reason: ``empty``, ``refusal``, ``truncated``, ``no_json`` or ``wrong_schema``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def is_refusal(text: str) -> bool:
    """Whether a text begins as models do that decline."""
    return _REFUSAL.match(text.lstrip(" \"'*#\n")) is not None


def parse_one_shot(answer: Answer, key: str, config: GenerateConfig, counts: dict[str, int] | None = None) -> list[Draft]:
    """The drafts in an answer to :func:`medloom.generate.prompts.one_shot`.

    Of an answer that is cut, the whole items are kept.

    Args:
        answer: What came back.
        key: Of the call.
        config: Kinds that were asked for.
        counts: ``answers_cut`` is increased for an answer that is cut, in place.

    Raises:
        BadAnswer: None of it can be used.
    """
    kinds: list[QueryKind] = [kind for kind, count in config.kinds.items() if count]
    values = list(_values(answer.text))
    found = [value for value in values if isinstance(value, dict) and any(kind in value for kind in kinds)]
    if not found and (mended := _mended(answer.text)) is not None and any(kind in mended for kind in kinds):
        found = [mended]
        if counts is not None:
            counts["answers_cut"] = counts.get("answers_cut", 0) + 1
    if len(found) != 1:
        raise BadAnswer(_why_none(answer, values))
    items = [(kind, item) for kind in kinds for item in _list(found[0].get(kind, []))]
    drafts = [_draft(item, kind, key, config) for kind, item in items]
    if not any(draft.query for draft in drafts):
        raise BadAnswer("wrong_schema")
    return drafts


def parse_query(answer: Answer, key: str, passage: Passage, kind: QueryKind, config: GenerateConfig) -> list[Draft]:
    """The draft in an answer to :func:`medloom.generate.prompts.evidence_first`.

    Args:
        answer: What came back.
        key: Of the call.
        passage: What was asked about; it becomes the evidence.
        kind: Kind that was asked for.
        config: Whether a negative was asked for.

    Raises:
        BadAnswer: It holds no query, or several.
    """
    values = list(_values(answer.text))
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    found = [value for value in flat if isinstance(value, dict) and "query" in value]
    if len(found) != 1:
        raise BadAnswer(_why_none(answer, values))
    query = one_line(_text(found[0]["query"]))
    relevance = number_of(found[0].get("relevance", 1.0))
    if not query or relevance is None:
        raise BadAnswer("wrong_schema")
    if is_refusal(query):
        raise BadAnswer("refusal")
    negative = one_line(_text(found[0].get("negative"))) if config.written_negatives else ""
    return [Draft(kind, query, passage.text, relevance, negative, key)]


def json_object(answer: Answer, name: str) -> dict[str, Any] | None:
    """The one JSON object in an answer that has a property of this name; None if there is none, or several."""
    found = [value for value in _values(answer.text) if isinstance(value, dict) and name in value]
    return found[0] if len(found) == 1 else None


def _values(text: str) -> Iterator[Any]:
    """The outermost JSON objects and arrays that are whole, in order.

    An object that has a key twice comes as None, and so does NaN. The work is bounded whatever the text holds.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=lambda _: None, strict=False)
    at = failures = 0
    while failures < _MOST_FAILURES and (found := _OPEN.search(text, at)):
        try:
            value, at = decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            failures += 1
            at = found.start() + 1
        else:
            yield value


def _mended(text: str) -> dict[str, Any] | None:
    """A cut object of lists up to its last whole item; None where it cannot be had."""
    start, end = text.find("{"), len(text)
    for _ in range(_MOST_ENDS):
        end = text.rfind("}", start, end)
        if start < 0 or end < 0:
            return None
        value = next(_values(text[start : end + 1] + "]}"), None)
        if isinstance(value, dict) and any(isinstance(items, list) for items in value.values()):
            return value
    return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | None:
    made = dict(pairs)
    return made if len(made) == len(pairs) else None


def _why_none(answer: Answer, values: list[Any]) -> str:
    """Why an answer holds no query."""
    text = answer.text.strip()
    if not text:
        return "empty"
    if any(values):
        return "wrong_schema"
    if is_refusal(text):
        return "refusal"
    if answer.finish == "length" or (not values and _OPEN.search(text)):
        return "truncated"
    return "wrong_schema" if values else "no_json"


def _draft(item: object, kind: QueryKind, key: str, config: GenerateConfig) -> Draft:
    """An item as a draft; one without a query if the item is not as it must be."""
    fields = item if isinstance(item, dict) else {}
    relevance = number_of(fields.get("relevance"))
    query, evidence = one_line(_text(fields.get("query"))), _text(fields.get("passage"))
    if relevance is None or not evidence:
        return Draft(kind, "", evidence, 0.0, "", key)
    negative = one_line(_text(fields.get("negative"))) if config.written_negatives else ""
    return Draft(kind, query, evidence, relevance, negative, key)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: object) -> str:
    """A string without control characters and half surrogates; empty for anything else."""
    if not isinstance(value, str):
        return ""
    return clean(value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore"))


def number_of(value: object) -> float | None:
    """A number from 0 to 1, also one written as a string; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and 0 <= number <= 1 else None
