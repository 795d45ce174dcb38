"""A model behind an OpenAI-compatible ``/v1/embeddings``: texts in, vectors out, over HTTP."""

import ipaddress
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from medloom.encode.encoder import Role, encoding_bar
from medloom.errors import ModelError
from medloom.identity import digest
from medloom.openai_server import PREFIX, open_client, parse_address

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

Floats = npt.NDArray[np.float32]

_TEXTS_PER_REQUEST = 64
_CHARS_PER_REQUEST = 200_000
_PROBES = (
    "fever and cough",
    "no evidence of a fracture",
    "Take one tablet twice a day with food.",
    "high blood pressure in pregnancy",
    "The train leaves at seven.",
    "gene that codes for an ion channel of the heart",
)
_STEP = 0.05
_ADVICE = {
    400: "a text may be longer than the server takes: let it cut long texts",
    401: "set OPENAI_API_KEY to a key that it knows",
    403: "the key in OPENAI_API_KEY may not use this model",
    404: "check the URL (it mostly ends in /v1) and the model's name after #",
    413: "a request is larger than the server takes: raise its limit",
    422: "a text may be longer than the server takes: let it cut long texts",
    429: "it lets no more requests through: wait, or raise its limit",
}


class OpenAIEncoder:
    """A model behind an OpenAI-compatible endpoint, as an :class:`~medloom.encode.encoder.Encoder`.

    The key is read from ``OPENAI_API_KEY``. Requests that fail for the moment (429, 5xx, time-outs) are tried again by the
    client, later each time, or when the server's ``Retry-After`` says. Redirects are not followed, and no proxy is used for
    a server on this machine: texts go where the URL says and nowhere else.

    Args:
        name: ``openai:http://host:port/v1#model-name``.
        timeout: Seconds that one request may take.
        retries: How often a request is tried again.

    Raises:
        ModelError: The name is no such URL, or the server does not answer as it should.
        ImportError: The package ``openai`` is not installed.
    """

    backend = "openai"

    def __init__(self, name: str, timeout: float = 120.0, retries: int = 5) -> None:
        self._url, self._model = _parse(name)
        self.host = urlsplit(self._url).hostname or ""
        self._client = _client(self._url, timeout, retries, trust_env=not self.is_local)
        self._format: dict[str, Any] = {}
        self._dimensions = 0
        probes = self._request(_PROBES)
        self._dimensions = probes.shape[1]
        self._hash = digest({"model": self._model, "dimensions": self._dimensions, "probes": _fingerprint(probes)})

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self._dimensions

    @property
    def hash(self) -> str:
        """Identity of the model: its name, and how near it finds a few fixed texts to each other.

        A server does not say which weights it runs. Cosines of 6 texts, in steps of 0.05, are the same on other hardware
        and differ between models, so another model behind the same name is noticed.
        """
        return self._hash

    @property
    def is_local(self) -> bool:
        """Whether the host is this machine, by its address (127.0.0.0/8, ::1) or the name ``localhost``."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def check_allowed(self, public: bool) -> None:
        """Refuse to send text that may not leave this machine.

        Args:
            public: Whether anyone may read the text.

        Raises:
            ModelError: The text is not public and the host is another machine.
        """
        if not public and not self.is_local:
            raise ModelError(
                f"the text is not public and may not be sent to {self.host}: serve the model on this machine (localhost)"
            )

    def prompt_for(self, role: Role) -> str | None:
        """None: an endpoint does not tell its model's prompts."""
        return None

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> Floats:
        """Encode texts, each distinct one once, those of like length in one request.

        Args:
            texts: What to encode. An empty text goes out as a blank, since servers refuse empty ones.
            prompt: Put before every text.
            label: Name of a progress bar; none if not given.

        Returns:
            float32, shape (n, d), row i for text i.

        Raises:
            ModelError: The server refused, failed too often, or gave something else than a vector for each text.
        """
        rows = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        distinct = [(prompt or "") + text or " " for text in rows]
        vectors = np.empty((len(distinct), self._dimensions), dtype=np.float32)
        with encoding_bar(label, len(distinct)) as advance:
            for batch in _batches(distinct):
                vectors[batch] = self._request([distinct[i] for i in batch])
                advance(len(batch))
        return vectors[[rows[text] for text in texts]]

    def _request(self, texts: Sequence[str]) -> Floats:
        """Vectors of one batch; a server that refuses the client's base64 is asked for plain numbers from then on."""
        from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

        try:
            answer = self._client.embeddings.create(model=self._model, input=list(texts), **self._format)
        except APIStatusError as error:
            if error.status_code in (400, 422) and not (self._dimensions or self._format):
                self._format = {"encoding_format": "float"}
                return self._request(texts)
            raise ModelError(self._status_problem(error)) from None
        except APITimeoutError:
            raise ModelError(
                f"{self._where} did not answer in time: is it overloaded, or the model still loading?"
            ) from None
        except APIConnectionError:
            raise ModelError(f"{self._where} cannot be reached: is it running, and is the URL right?") from None
        except (APIError, ValueError, TypeError, AttributeError):
            raise ModelError(f"{self._where} did not answer with embeddings: is the URL that of its /v1?") from None
        return self._checked(answer, len(texts))

    def _checked(self, answer: Any, n: int) -> Floats:  # noqa: ANN401
        """The answer's vectors in the texts' order."""
        try:
            found = {int(one.index): np.asarray(one.embedding, dtype=np.float32) for one in answer.data}
        except (TypeError, ValueError, AttributeError):
            raise ModelError(f"{self._where} did not answer with embeddings: is the URL that of its /v1?") from None
        if sorted(found) != list(range(n)) or len(answer.data) != n:
            raise ModelError(f"{self._where} gave {len(answer.data)} vectors for {n} texts, or numbered them wrongly")
        lengths = {one.shape for one in found.values()} | ({(self._dimensions,)} if self._dimensions else set())
        if len(lengths) != 1:
            raise ModelError(f"{self._where} gave vectors of unlike lengths {sorted(lengths)}: was its model changed?")
        vectors = np.stack([found[i] for i in range(n)])
        if vectors.ndim != 2 or not vectors.size or not np.isfinite(vectors).all():
            raise ModelError(f"{self._where} gave vectors with numbers that are not finite, or none")
        return vectors

    def _status_problem(self, error: "APIStatusError") -> str:
        """What is wrong, by the status alone: what a server says may quote the text."""
        status = error.status_code
        advice = _ADVICE.get(status, "see its log")
        if 300 <= status < 400:
            advice = "it redirects, which is not followed: give the address that it points to"
        return f"{self._where} answered with status {status}: {advice}"

    @property
    def _where(self) -> str:
        return f"the model {self._model} at {self._url}"


def _parse(name: str) -> tuple[str, str]:
    """URL and model of ``openai:URL#MODEL``."""
    form = "an endpoint is written openai:http://host:port/v1#model-name: what was given is not of this form"
    if not name.startswith(PREFIX):
        raise ModelError(form)
    return parse_address(name, form, "the endpoint's")


def _client(url: str, timeout: float, retries: int, trust_env: bool) -> "OpenAI":
    try:
        return open_client(url, timeout, retries, trust_env)
    except ImportError:
        raise ImportError("an endpoint needs the package openai: pip install 'medloom[openai]'") from None


def _fingerprint(probes: Floats) -> list[int]:
    """Cosines of each two probes, in steps."""
    unit = probes / np.maximum(np.linalg.norm(probes, axis=1, keepdims=True), 1e-12)
    cosines = (unit @ unit.T)[np.triu_indices(len(unit), 1)]
    return [int(c) for c in np.round(cosines / _STEP)]


def _batches(texts: Sequence[str]) -> Iterator[list[int]]:
    """Numbers of texts of like length, longest first, within what one request may hold."""
    batch: list[int] = []
    characters = 0
    for i in sorted(range(len(texts)), key=lambda i: -len(texts[i])):
        if batch and (len(batch) == _TEXTS_PER_REQUEST or characters + len(texts[i]) > _CHARS_PER_REQUEST):
            yield batch
            batch, characters = [], 0
        batch.append(i)
        characters += len(texts[i])
    if batch:
        yield batch
