"""What a chat model is to medloom: one question in, one answer out, and how it can fail."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from medloom.errors import MedloomError
from medloom.identity import digest
from medloom.openai_server import PREFIX

LOCAL = "gguf:"


def host_of(where: str) -> str | None:
    """Where text would go for ``openai:http://HOST/v1#MODEL``; None for a model that runs in this process."""
    return None if where.startswith(LOCAL) else urlsplit(where.removeprefix(PREFIX)).hostname or where


@dataclass(frozen=True)
class Ask:
    """One call.

    Attributes:
        system: The system prompt; may be empty.
        user: The user's message.
        schema: JSON schema that the answer must follow; None for free text.
        temperature: Of the sampling.
        max_tokens: Longest answer, in tokens.
        seed: For servers that honour one.
    """

    system: str
    user: str
    schema: Mapping[str, Any] | None = None
    temperature: float = 0.8
    max_tokens: int = 2048
    seed: int | None = None

    def key(self, model: str) -> str:
        """What a call is known by: hash of the model's name, the messages, the schema and all parameters."""
        return digest({"model": model, **asdict(self)})[:32]


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        text: The message.
        prompt_tokens: As the server counts; 0 where it does not say.
        completion_tokens: Likewise.
        finish: ``stop``, ``length`` (cut short by max_tokens), ``content_filter``, ...
    """

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish: str = "stop"


class ChatModel(Protocol):
    """A language model, here or behind a server. Safe to call from several threads."""

    name: str
    """As the server knows it; stands in calls and records."""
    host: str | None
    """Where text goes; None for this process."""

    def ask(self, ask: Ask) -> Answer:
        """Make one call, without retrying.

        Raises:
            RetryLater: It may work later: 408, 409, 429, 5xx, a time-out, a dropped connection.
            CallFailed: This call will never work, others may: too long a prompt, a filtered or empty answer.
            ServerRefuses: No call will work: unknown model, bad key, not found.
        """


class ChatError(MedloomError):
    """A call gave no answer. The message never quotes the prompt or the answer."""


class RetryLater(ChatError):  # noqa: N818
    """Try again.

    Args:
        message: What went wrong.
        after: Seconds that the server asked to wait (Retry-After), if it did.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class CallFailed(ChatError):  # noqa: N818
    """Give this call up."""


class ServerRefuses(ChatError):  # noqa: N818
    """Give all calls up."""
