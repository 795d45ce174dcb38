"""What an LLM wrote for the authors, written by the user's own chat model: questions, answers, sentence pairs."""

import json
import logging
from collections.abc import Sequence

from medloom.bench.base import ChatModel
from medloom.bench.medteb.definition import Definition, Written
from medloom.bench.medteb.rows import Pair, group_of
from medloom.errors import StageError
from medloom.records import Document

_LOG = logging.getLogger(__name__)
_MAX_CHARS = 12_000
_FAILURES_IN_A_ROW = 20
_KEYS: dict[Written, tuple[str, ...]] = {
    "question": ("question",),
    "question and answer": ("question", "answer"),
    "sentences": ("sentence1", "sentence2"),
    "answer": ("answer",),
}
_ASKS: dict[Written, str] = {
    "question": (
        "Read the text below. Ask one question that somebody would type into a search box and that this text answers. Do "
        "not use its title or its most telling phrases."
    ),
    "question and answer": (
        "Read the text below. Ask one question that it answers, without its title or its most telling phrases. Then answer "
        "the question truly to the text, in words of your own."
    ),
    "sentences": (
        "Read the text below. Write two sentences on what it says that belong closely together, each with a fact of its "
        "own. The two should share as few words as possible."
    ),
    "answer": (
        "Below are a medical question and its answer. Write the answer anew, with the same meaning, and without the words "
        "that carry the question."
    ),
}


def written_pairs(
    definition: Definition, documents: Sequence[Document], chat: ChatModel, counts: dict[str, int]
) -> list[Pair]:
    """Ask the chat model about every document, and pair what it wrote as the authors pair it.

    Args:
        definition: A task whose text an LLM wrote.
        documents: What to ask about, each once.
        chat: The user's model.
        counts: ``chat_failed`` counts calls that raised, ``chat_unusable`` answers that are not the JSON asked for.

    Raises:
        StageError: Many calls in a row failed: the model cannot be reached.
    """
    rows, failures = [], 0
    for document in documents:
        content = _content(definition, document)
        if not content:
            continue
        try:
            answer = chat.complete(_prompt(definition.written, content))
        except Exception as error:  # whatever the user's client raises, one failed call must not end the build
            failures += 1
            counts["chat_failed"] = counts.get("chat_failed", 0) + 1
            if failures == _FAILURES_IN_A_ROW:
                raise StageError(
                    f"the chat model {chat.name} failed {failures} times in a row (last: {type(error).__name__}): check it"
                ) from error
            _LOG.warning("chat model %s failed once: %s", chat.name, type(error).__name__)
            continue
        failures = 0
        found = _parse(answer, _KEYS[definition.written])
        if found is None:
            counts["chat_unusable"] = counts.get("chat_unusable", 0) + 1
            continue
        query, text = found if len(found) == 2 else _with_own(definition, document, found[0])
        rows.append(Pair(document.id, query, text, group_of(document)))
    return rows


def _with_own(definition: Definition, document: Document, written: str) -> tuple[str, str]:
    """The question with the document's text, or the document's question with the answer."""
    return (document.title, written) if definition.written == "answer" else (written, document.text)


def _content(definition: Definition, document: Document) -> str:
    """What the model is shown; empty if the document has nothing to show."""
    if definition.source == "wikipedia":
        body = "\n\n".join(f"{s.heading}\n{s.text}" for s in document.sections if s.heading)
    else:
        body = document.text
    if not body:
        return ""
    names = ("Question", "Answer") if definition.written == "answer" else ("Title", "Text")
    return f"{names[0]}: {document.title}\n\n{names[1]}: {body}"[:_MAX_CHARS]


def _prompt(written: Written, content: str) -> str:
    fields = ", ".join(f'"{key}": "..."' for key in _KEYS[written])
    return f"{_ASKS[written]}\n\nAnswer with this JSON object and nothing else: {{{fields}}}\n\n{content}"


def _parse(answer: str, keys: tuple[str, ...]) -> tuple[str, ...] | None:
    """The texts asked for, or None if the answer is anything else than one JSON object of them."""
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError, TypeError):
        return None
    if not isinstance(value, dict) or set(value) != set(keys):
        return None
    texts = tuple(value[key].strip() if isinstance(value[key], str) else "" for key in keys)
    return texts if all(texts) else None
