"""What all that asks an OpenAI-compatible server shares: the form of its address, and a client to trust with text."""

import logging
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from medloom.errors import ModelError

if TYPE_CHECKING:
    from openai import OpenAI, Timeout

PREFIX = "openai:"
_NO_KEY = "none"
_QUIET = ("openai", "httpx", "httpx2", "httpcore", "httpcore2")


def parse_address(where: str, form: str, whose: str) -> tuple[str, str]:
    """URL and model of ``openai:URL#MODEL``; the prefix may be left out.

    Args:
        where: The address.
        form: What to say of an address of another form.
        whose: Whose URL it is, for the error.

    Raises:
        ModelError: It is of another form, or holds a user or a password.
    """
    try:
        parts = urlsplit(where.removeprefix(PREFIX))
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.fragment and (parts.port or True)
    except ValueError:
        usable = False
    if not usable or parts.query:
        raise ModelError(form)
    if parts.username or parts.password:
        raise ModelError(f"{whose} URL holds a user or password: put the key into OPENAI_API_KEY instead")
    return parts._replace(fragment="").geturl(), parts.fragment


def open_client(url: str, timeout: "float | Timeout", retries: int, trust_env: bool) -> "OpenAI":
    """A client that follows no redirect, logs no text, and takes its key from ``OPENAI_API_KEY``.

    Args:
        url: Base URL.
        timeout: Seconds that a request may take.
        retries: How often the client itself tries again.
        trust_env: Whether proxies that the environment names are used.

    Raises:
        ImportError: The package ``openai`` is not installed.
        ModelError: The key cannot be one.
    """
    from openai import DefaultHttpxClient, OpenAI

    key = os.environ.get("OPENAI_API_KEY", "").strip() or _NO_KEY
    if not key.isascii() or not key.isprintable():
        raise ModelError("OPENAI_API_KEY holds characters that no key has: set it again")
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    return OpenAI(
        base_url=url,
        api_key=key,
        timeout=timeout,
        max_retries=retries,
        http_client=DefaultHttpxClient(trust_env=trust_env, follow_redirects=False),
    )
