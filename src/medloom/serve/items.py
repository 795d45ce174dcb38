"""Texts as clients send them, checked by hand: a million wrong ones must not make a million errors."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from medloom.serve.config import ServeSettings
from medloom.serve.errors import ApiError

_LARGEST_ID = 2**31 - 1
_TEXT = {"type": "string", "minLength": 1}
_IDS = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": _LARGEST_ID}, "minItems": 1}
_WRONG = "give a string, a list of strings, a list of token ids, or a list of such lists, none of them empty"

Given = str | list[str] | list[int] | list[list[int]]


def _input(value: object) -> object:
    """One of the four forms of OpenAI's ``input``."""
    if isinstance(value, str):
        good = bool(value)
    elif isinstance(value, list) and value:
        good = all(type(one) is str and one for one in value) or _is_ids(value) or all(map(_is_ids, value))
    else:
        good = False
    if not good:
        raise ValueError(_WRONG)
    return value


def _is_ids(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(type(one) is int and 0 <= one <= _LARGEST_ID for one in value)


def _documents(value: object) -> list[str]:
    """Strings, or objects with a ``text``."""
    if not isinstance(value, list) or not value:
        raise ValueError("give a list of at least one document")
    found: list[object] = [one.get("text") if isinstance(one, dict) else one for one in value]
    texts = [text for text in found if isinstance(text, str) and text]
    if len(texts) < len(found):
        raise ValueError('give each document as a string or as {"text": string}, none of them empty')
    return texts


def _own_number(value: object) -> object:
    """Neither true nor a string nor 1.0 is a number of this kind."""
    if type(value) is not int:
        raise ValueError("give a whole number")
    return value


Input = Annotated[
    Given,
    PlainValidator(_input),
    WithJsonSchema(
        {
            "title": "Input",
            "description": "A text, a list of texts, the token ids of a text, or a list of such.",
            "anyOf": [
                _TEXT,
                {"type": "array", "items": _TEXT, "minItems": 1},
                _IDS,
                {"type": "array", "items": _IDS, "minItems": 1},
            ],
        }
    ),
]
Documents = Annotated[
    list[str],
    PlainValidator(_documents),
    WithJsonSchema(
        {
            "title": "Documents",
            "description": "Texts, or objects with a text.",
            "type": "array",
            "minItems": 1,
            "items": {
                "anyOf": [_TEXT, {"type": "object", "properties": {"text": _TEXT}, "required": ["text"]}],
            },
        }
    ),
]
Count = Annotated[int, BeforeValidator(_own_number), Field(ge=1, le=1_000_000)]


def check_texts(texts: Sequence[str], settings: ServeSettings, param: str) -> None:
    """Hold texts to the limits.

    Args:
        texts: Of a request.
        settings: The limits.
        param: The field that they came in.

    Raises:
        ApiError: There are too many, or one is too long.
    """
    if len(texts) > settings.items:
        raise ApiError(400, f"{param}: more than {settings.items:,} texts: send fewer at once", param, "too_many_items")
    if any(len(text) > settings.chars for text in texts):
        raise ApiError(
            400, f"{param}: a text is longer than {settings.chars:,} characters: send it in parts", param, "text_too_long"
        )


def check_ids(lists: Sequence[Sequence[int]], vocabulary: int, settings: ServeSettings) -> None:
    """Hold lists of token ids to the limits.

    Args:
        lists: Of a request.
        vocabulary: Ids that the model has.
        settings: The limits.

    Raises:
        ApiError: There are too many, one is too long, or holds an id that the model has not.
    """
    if len(lists) > settings.items:
        raise ApiError(400, f"input: more than {settings.items:,} texts: send fewer at once", "input", "too_many_items")
    if any(len(ids) > settings.chars for ids in lists):
        raise ApiError(400, f"input: a list holds more than {settings.chars:,} ids", "input", "text_too_long")
    if any(max(ids) >= vocabulary for ids in lists):
        raise ApiError(
            400, f"input: token ids must be this model's own, below {vocabulary:,}: send text instead", "input", "bad_token"
        )


def refuse_cut(cut: Sequence[int], param: str) -> None:
    """Refuse texts that the model would cut, where the client wants none cut.

    Raises:
        ApiError: There is one.
    """
    if cut:
        raise ApiError(
            400, f"{param}: {len(cut):,} texts are longer than the model reads: send them in parts", param, "text_too_long"
        )


def cut_header(cut: Sequence[int]) -> dict[str, str]:
    """The header that says how many texts were cut."""
    return {"x-medloom-truncated": str(len(cut))}
