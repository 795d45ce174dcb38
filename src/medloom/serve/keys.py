"""Keys that open the server."""

import hashlib
import hmac
import os
from collections.abc import Iterable
from pathlib import Path

from medloom.serve.errors import ServeError

VARIABLE = "MEDLOOM_API_KEYS"
_SHORTEST = 16
_WORLD = 0o007


class Keys:
    """Keys, any of which opens the server. Only their hashes are kept.

    Args:
        keys: The keys; none leaves the server open.

    Raises:
        ServeError: A key is too short to be secret, or holds characters that no header carries.
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        given = list(keys)
        if any(len(key) < _SHORTEST or not key.isascii() or not key.isprintable() for key in given):
            raise ServeError(
                f"an API key is shorter than {_SHORTEST} characters or holds others than printable ASCII: draw one with "
                "openssl rand -hex 32"
            )
        self._digests = [_digest(key.encode()) for key in given]

    def __len__(self) -> int:
        return len(self._digests)

    def open(self, key: bytes) -> bool:
        """Whether it is one of the keys, in a time that says nothing of which or how nearly."""
        given = _digest(key)
        return any([hmac.compare_digest(given, known) for known in self._digests])


def load_keys(file: Path | None = None) -> Keys:
    """The keys of the environment (``MEDLOOM_API_KEYS``, between commas or blanks) and of a file.

    Args:
        file: One key a line; blank lines and what follows ``#`` are left out.

    Raises:
        ServeError: A key cannot be one, or the file cannot be read, is open to everyone on the machine, or holds no key.
    """
    keys = os.environ.get(VARIABLE, "").replace(",", " ").split()
    return Keys([*keys, *(_of_file(file) if file else ())])


def _of_file(file: Path) -> list[str]:
    try:
        mode = file.stat().st_mode
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ServeError(f"the keys {file} cannot be read ({type(error).__name__}): name a text file of keys") from error
    if os.name == "posix" and mode & _WORLD:
        raise ServeError(f"the keys {file} are open to everyone on this machine: close them with chmod 600 {file}")
    keys = [key for line in text.splitlines() if (key := line.partition("#")[0].strip())]
    if not keys:
        raise ServeError(f"the file {file} holds no key: write one a line")
    return keys


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
