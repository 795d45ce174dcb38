"""A chat model behind an OpenAI-compatible server: vLLM, llama.cpp, Ollama, RunPod, or a hosted one."""

import json
import logging
import math
import re
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from medloom.deid.gate import is_local
from medloom.errors import ModelError
from medloom.generate.chat import Answer, Ask, CallFailed, RetryLater, ServerRefuses
from medloom.generate.completion import answer_of, messages_of, schema_format
from medloom.openai_server import open_client, parse_address

if TYPE_CHECKING:
    from openai import OpenAI

_LOG = logging.getLogger(__name__)
_CONNECT_SECONDS = 15.0
_LATER = frozenset({408, 409, 425, 429})
_REFUSED = {
    401: "set OPENAI_API_KEY to a key that it knows",
    402: "the account has no credit left",
    403: "the key in OPENAI_API_KEY may not use this model",
    404: "check the URL (it mostly ends in /v1) and the model's name after #",
    405: "check the URL (it mostly ends in /v1)",
    410: "the model or the URL is no longer served",
}
_FAILED = {
    400: "it does not take this call; the prompt and the answer may be longer than the model's context",
    413: "the prompt is larger than it takes",
    422: "it does not take this call; the prompt and the answer may be longer than the model's context",
}
_NO_MODEL = frozenset({"model_not_found", "unknown_model", "invalid_model", "model_not_available"})
_MODEL_WORDS = r"model\W+{}\W+(?:was |is )?(?:not found|does not exist)|invalid model name|unknown model"
_FILTERED = frozenset({"content_filter", "content_policy_violation"})
_NO_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_ABOUT_FORMAT = ("response_format", "json_schema", "json schema", "json_object", "structured output", "guided_json")

_OBJECT, _PLAIN, _LENGTH, _TEMPERATURE, _SEED = "json_object", "no format", "max_completion_tokens", "temperature", "seed"
_MEANT = {
    _OBJECT: "it takes no JSON schema: asking for a JSON object instead",
    _PLAIN: "it takes no response_format: asking for JSON in the prompt alone",
    _LENGTH: "it takes no max_tokens: sending max_completion_tokens",
    _TEMPERATURE: "it takes no temperature: its own is used",
    _SEED: "it takes no seed: its answers cannot be had again",
}
_BY_PARAM = {"max_tokens": _LENGTH, "temperature": _TEMPERATURE, "seed": _SEED}

Quirks = frozenset[str]


class OpenAIChat:
    """A model behind an OpenAI-compatible endpoint, as a :class:`~medloom.generate.chat.ChatModel`.

    The key is read from ``OPENAI_API_KEY``. Redirects are not followed, and no proxy is used for a server on this machine:
    text goes where the URL says and nowhere else. What a server cannot do (JSON schemas, a seed, ...) is found out from its
    refusals, remembered once the call has worked without it, and logged.

    Args:
        where: ``openai:http://HOST/v1#MODEL`` (the prefix may be left out).
        timeout: Seconds to wait for the answer; where a server sends it in pieces, for each of them.

    Raises:
        ModelError: The address is not of that form, the key cannot be sent, or the ``openai`` package is not installed.
    """

    host: str | None

    def __init__(self, where: str, timeout: float = 120.0) -> None:
        self._url, self.name = _parse(where)
        self.host = urlsplit(self._url).hostname or ""
        self._client = _client(self._url, timeout, trust_env=not is_local(self.host))
        self._quirks: Quirks = frozenset()
        self._lock = threading.Lock()

    def ask(self, ask: Ask) -> Answer:
        """Make one call, without retrying; see :meth:`medloom.generate.chat.ChatModel.ask`."""
        quirks = self._quirks
        while True:
            status, headers, body = self._post(self._request(ask, quirks))
            if status == 200:
                answer = answer_of(body, self._who)
                self._remember(quirks)
                return answer
            more = _learned(status, body, quirks, ask.schema is not None)
            if more is None:
                self._fail(status, headers, body)
            quirks = more

    @property
    def _who(self) -> str:
        return f"the model {self.name} at {self._url}"

    def _request(self, ask: Ask, quirks: Quirks) -> dict[str, Any]:
        request: dict[str, Any] = {"model": self.name, "messages": messages_of(ask)}
        request["max_completion_tokens" if _LENGTH in quirks else "max_tokens"] = ask.max_tokens
        if _TEMPERATURE not in quirks:
            request["temperature"] = ask.temperature
        if ask.seed is not None and _SEED not in quirks:
            request["seed"] = ask.seed
        if ask.schema is None:
            return request
        if _OBJECT not in quirks:
            return {**request, "response_format": schema_format(ask.schema)}
        told = f"Answer with JSON that follows this JSON schema, and nothing else:\n{json.dumps(ask.schema)}"
        plain = {**request, "messages": messages_of(ask, told)}
        return plain if _PLAIN in quirks else {**plain, "response_format": {"type": "json_object"}}

    def _post(self, request: dict[str, Any]) -> tuple[int, Mapping[str, str], Mapping[str, Any]]:
        """Send; status, headers and body. The status is the body's own where that holds an error under status 200."""
        from openai import APIConnectionError, APIStatusError, APITimeoutError

        try:
            got = self._client.chat.completions.with_raw_response.create(**request).http_response
        except APIStatusError as error:
            return error.status_code, error.response.headers, _error_of(error.body)
        except APITimeoutError:
            raise RetryLater(f"{self._who} did not answer in time") from None
        except APIConnectionError:
            raise RetryLater(f"{self._who} cannot be reached, or hung up") from None
        except UnicodeEncodeError:
            raise CallFailed(f"{self._who}: the prompt holds characters that UTF-8 cannot carry") from None
        try:
            body = json.loads(got.content)
        except ValueError:
            if "json" in got.headers.get("content-type", ""):
                raise RetryLater(f"{self._who} sent a broken answer") from None
            body = None
        if not isinstance(body, Mapping) or not ("choices" in body or body.get("error")):
            raise ServerRefuses(f"{self._who} did not answer with a chat completion: is the URL that of its /v1?")
        fault = _error_of(body)
        return (_status_in(fault), got.headers, fault) if body.get("error") else (200, got.headers, body)

    def _fail(self, status: int, headers: Mapping[str, str], error: Mapping[str, Any]) -> NoReturn:
        """Say what is wrong, by status and code alone: what a server writes may quote the text."""
        codes = {str(error.get("code")), str(error.get("type"))}
        said = f"{self._who} answered with status {status}"
        if codes & _FILTERED or _has_reasons(error):
            raise CallFailed(f"{said}: a content filter kept the prompt back")
        if codes & _NO_CREDIT:
            raise ServerRefuses(f"{said}: the account has no credit left")
        if status in _LATER or status >= 500:
            raise RetryLater(said, retry_after(headers))
        if codes & _NO_MODEL or self._names_no_model(error):
            raise ServerRefuses(f"{said}: it does not know this model: check the name after #")
        if 300 <= status < 400:
            raise ServerRefuses(f"{said}: it redirects, which is not followed: give the address that it points to")
        if status in _REFUSED:
            raise ServerRefuses(f"{said}: {_REFUSED[status]}")
        raise CallFailed(f"{said}: {_FAILED.get(status, 'it does not take this call')}")

    def _names_no_model(self, error: Mapping[str, Any]) -> bool:
        pattern = _MODEL_WORDS.format(re.escape(self.name))
        return re.search(pattern, str(error.get("message")), re.IGNORECASE) is not None

    def _remember(self, quirks: Quirks) -> None:
        with self._lock:
            new, self._quirks = quirks - self._quirks, self._quirks | quirks
        for quirk in sorted(new):
            _LOG.warning("%s: %s", self._who, _MEANT[quirk])


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait, by ``retry-after-ms`` or ``Retry-After`` (seconds or a date); None if it does not.

    Args:
        headers: Of the reply; names in any case where the mapping does not mind.
    """
    seconds = _number(headers.get("retry-after-ms"), 1000) or _number(headers.get("retry-after"), 1)
    if seconds is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after") or "").timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _number(value: str | None, unit: int) -> float | None:
    try:
        seconds = float(value or "") / unit
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _learned(status: int, error: Mapping[str, Any], quirks: Quirks, schema: bool) -> Quirks | None:
    """What the server cannot do, one more than is known; None if the refusal is about something else.

    A server may quote the prompt in its message, so only words that no note holds count as being about the format.
    """
    if status not in (400, 422):
        return None
    param, message = str(error.get("param") or ""), str(error.get("message") or "").casefold()
    found = _BY_PARAM.get(param)
    if found is None and schema and (param.startswith("response_format") or any(w in message for w in _ABOUT_FORMAT)):
        found = _PLAIN if _OBJECT in quirks else _OBJECT
    return None if found is None or found in quirks else quirks | {found}


def _has_reasons(error: Mapping[str, Any]) -> bool:
    """Whether a gateway gives a moderator's reasons, which it does under 403 for one prompt alone."""
    metadata = error.get("metadata")
    return isinstance(metadata, Mapping) and bool(metadata.get("reasons"))


def _error_of(body: object) -> Mapping[str, Any]:
    """The error's own fields, in whichever of the usual forms a server writes them."""
    inner = body.get("error", body) if isinstance(body, Mapping) else body
    return inner if isinstance(inner, Mapping) else {"message": json.dumps(inner, default=str)}


def _status_in(error: Mapping[str, Any]) -> int:
    """Status of an error that came under status 200."""
    code = str(error.get("code"))
    return int(code) if code.isdecimal() and 400 <= int(code) < 600 else 500


def _parse(where: str) -> tuple[str, str]:
    """URL and model of ``openai:URL#MODEL``."""
    form = "write it as openai:http://HOST/v1#MODEL: the chat model's address has another form"
    return parse_address(where, form, "the chat model's")


def _client(url: str, timeout: float, trust_env: bool) -> "OpenAI":
    try:
        from openai import Timeout

        return open_client(url, Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS)), 0, trust_env)
    except ImportError as error:
        raise ModelError("a chat model needs the package openai: pip install 'medloom[openai]'") from error
