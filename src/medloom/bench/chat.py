"""A chat model behind an OpenAI-compatible server, for the texts that ``compat`` needs written."""

from typing import Any

from medloom.errors import ModelError

PREFIX = "openai:"
_TIMEOUT = 120.0
_RETRIES = 5


class OpenAIChat:
    """One prompt in, one answer out. It only ever sees the public text of the benchmark's sources.

    Args:
        where: ``openai:http://HOST/v1#MODEL`` (the prefix may be left out).

    Raises:
        ModelError: The address is not of that form, or the ``openai`` package is not installed.
    """

    def __init__(self, where: str) -> None:
        address, sign, model = where.removeprefix(PREFIX).rpartition("#")
        if not sign or not model or not address.startswith(("http://", "https://")):
            raise ModelError(f"--chat {where}: write it as openai:http://HOST/v1#MODEL")
        try:
            from openai import OpenAI
        except ImportError as error:
            raise ModelError("a chat model needs the package openai: pip install 'medloom[openai]'") from error
        import os

        self.name = model
        key = os.environ.get("OPENAI_API_KEY") or "none"
        self._client: Any = OpenAI(base_url=address, api_key=key, timeout=_TIMEOUT, max_retries=_RETRIES)

    def complete(self, prompt: str) -> str:
        """The model's answer to one prompt, at temperature 0.

        Raises:
            ModelError: The server cannot be reached, refuses, or answers with nothing.
        """
        from openai import OpenAIError

        try:
            answer = self._client.chat.completions.create(
                model=self.name, messages=[{"role": "user", "content": prompt}], temperature=0
            )
        except OpenAIError as error:
            raise ModelError(
                f"chat model {self.name}: {type(error).__name__}: check the address, the name and the key"
            ) from error
        text = answer.choices[0].message.content if answer.choices else None
        if not text:
            raise ModelError(f"chat model {self.name} gave an empty answer")
        return str(text)
