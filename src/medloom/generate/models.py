"""Chat models by what a user writes, and the plain form for whoever only wants a prompt answered."""

import time

from medloom.errors import ModelError
from medloom.generate.chat import LOCAL, Ask, ChatError, ChatModel, RetryLater
from medloom.openai_server import PREFIX

_FORM = "write it as openai:http://HOST/v1#MODEL, or gguf:PATH for a model that runs here"
_PARALLEL = 4
_LONGEST_PAUSE = 60.0


def open_chat(where: str, timeout: float = 120.0, concurrency: int = 8) -> ChatModel:
    """The chat model that an address names. Nothing is sent, and no weights are loaded, before the first call.

    Args:
        where: ``openai:http://HOST/v1#MODEL`` (the prefix may be left out), or ``gguf:PATH`` for a model that runs here.
        timeout: Seconds to wait for an answer of a server.
        concurrency: Calls in flight at once. A model that runs here computes up to 4 of them together.

    Raises:
        ModelError: The address is neither, there is no such file, or the package that it needs is not installed.
    """
    if where.startswith(LOCAL):
        from medloom.generate.local import LocalChat

        return LocalChat(where, n_parallel=min(concurrency, _PARALLEL))
    if not where.startswith((PREFIX, "http://", "https://")):
        raise ModelError(f"{_FORM}: the chat model's address is neither")
    from medloom.generate.endpoint import OpenAIChat

    return OpenAIChat(where, timeout=timeout)


class SimpleChat:
    """Prompt in, text out, at temperature 0, tried again where that may help.

    Args:
        model: Who is asked.
        retries: Tries after the first.
        pause: Seconds before the second try; doubled before each further one, unless the server says how long.
        max_tokens: Longest answer.
    """

    def __init__(self, model: ChatModel, retries: int = 5, pause: float = 0.5, max_tokens: int = 2048) -> None:
        self.name = model.name
        self._model, self._retries, self._pause, self._max_tokens = model, retries, pause, max_tokens

    def complete(self, prompt: str) -> str:
        """The model's answer to one prompt.

        Raises:
            ModelError: The server cannot be reached, refuses, or answers with nothing. The prompt is not quoted.
        """
        ask = Ask(system="", user=prompt, temperature=0.0, max_tokens=self._max_tokens)
        tried = 0
        while True:
            try:
                return self._model.ask(ask).text
            except ChatError as error:
                if not isinstance(error, RetryLater) or tried == self._retries:
                    raise ModelError(f"the chat model gave no answer: {error}") from error
                pause = self._pause * 2**tried if error.after is None else error.after
            time.sleep(min(pause, _LONGEST_PAUSE))
            tried += 1
