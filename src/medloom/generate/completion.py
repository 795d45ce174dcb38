"""The wire's form of a call and of its answer, the same for a server and for the engine here."""

import re
from collections.abc import Mapping
from typing import Any

from medloom.generate.chat import Answer, Ask, CallFailed, RetryLater

_SCHEMA_NAME = "answer"
_THOUGHT = re.compile(r"\s*<think(?:ing)?>")
_END_OF_THOUGHT = re.compile(r"</think(?:ing)?>")


def messages_of(ask: Ask, addition: str = "") -> list[dict[str, str]]:
    """The messages: system, where there is one, and user.

    Args:
        ask: The call.
        addition: Put at the end of the system prompt.
    """
    system = "\n\n".join(part for part in (ask.system, addition) if part)
    return [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": ask.user}]


def schema_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """``response_format`` for an answer that follows a JSON schema."""
    return {"type": "json_schema", "json_schema": {"name": _SCHEMA_NAME, "schema": dict(schema), "strict": True}}


def answer_of(body: Mapping[str, Any], who: str) -> Answer:
    """The answer in a chat completion, without what a reasoning model thought on its way.

    Args:
        body: The completion.
        who: The model, for errors.

    Raises:
        RetryLater: The server broke the answer off.
        CallFailed: There is no answer: no choice, a filter, a refusal, nothing but thoughts.
    """
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise CallFailed(f"{who} gave no choice to take as its answer")
    message, finish = choices[0].get("message"), str(choices[0].get("finish_reason") or "stop")
    if not isinstance(message, Mapping):
        raise CallFailed(f"{who} gave a choice without a message")
    if finish in ("error", "abort"):
        raise RetryLater(f"{who} broke its answer off (finish_reason {finish})")
    if finish == "content_filter":
        raise CallFailed(f"{who}: a content filter kept the answer back")
    if message.get("refusal"):
        raise CallFailed(f"{who} refused to answer")
    text = _without_thoughts(_content(message.get("content")))
    if not text.strip():
        cut = ": all its tokens went into something else, such as thinking; raise max_tokens" if finish == "length" else ""
        raise CallFailed(f"{who} gave an empty answer{cut}")
    usage = body.get("usage")
    counts = usage if isinstance(usage, Mapping) else {}
    return Answer(text, _count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens")), finish)


def _content(content: object) -> str:
    """Content as text; some servers give it in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def _without_thoughts(text: str) -> str:
    """What follows the last thought. A template may have put the opening tag into the prompt, and a thought may be cut."""
    if _END_OF_THOUGHT.search(text):
        return _END_OF_THOUGHT.split(text)[-1].lstrip()
    return "" if _THOUGHT.match(text) else text


def _count(number: object) -> int:
    return int(number) if isinstance(number, int | float) and number == number and number > 0 else 0
