"""The secret that surrogates are drawn from, and the draws."""

import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from medloom.errors import MedloomError

KEY_BYTES = 32
_WORLD = 0o007


class KeyFileError(MedloomError):
    """The key file cannot be used."""


def load_key(path: Path) -> bytes:
    """Read the key, or make it: 32 random bytes that only the user may read.

    Two processes that make it at once end with the same one.

    Args:
        path: The key's file.

    Raises:
        KeyFileError: It is too short to be secret, open to everyone on the machine, or cannot be read or made.
    """
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise KeyFileError(f"the key {path} cannot be read or made ({error.strerror}): name another file") from error
    if len(key) < KEY_BYTES:
        raise KeyFileError(
            f"the key {path} has {len(key)} bytes, a key has at least {KEY_BYTES}: name the right file, or one that is not "
            "there yet, to have it made"
        )
    if os.name == "posix" and mode & _WORLD:
        raise KeyFileError(f"the key {path} is open to everyone on this machine: close it with chmod 600 {path}")
    return key


def key_fingerprint(key: bytes) -> str:
    """What a manifest may say of a key: 16 hex digits that tell two keys apart and give nothing away."""
    return hmac.new(key, b"medloom key fingerprint", hashlib.sha256).hexdigest()[:16]


def _make(path: Path) -> None:
    """Write a new key in one step; if another process was first, its key stands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as f:
            f.write(secrets.token_bytes(KEY_BYTES))
            f.flush()
            os.fsync(f.fileno())
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return
    finally:
        temporary.unlink()


class Draw:
    """Draws that depend on a key, a patient and what is asked, and on nothing else (HMAC-SHA256).

    Args:
        key: The secret.
        patient: Whose text it is.
    """

    def __init__(self, key: bytes, patient: str) -> None:
        self._key = keyed(key, "patient", patient)

    def number(self, *parts: str) -> int:
        """A whole number from 0 to 2**64 - 1."""
        return int.from_bytes(keyed(self._key, *parts)[:8], "big")

    def numbers(self, *parts: str) -> Iterator[int]:
        """Endless bytes, 0 to 255."""
        block = 0
        while True:
            yield from keyed(self._key, *parts, str(block))
            block += 1

    def pick(self, options: Sequence[str], forbidden: Container[str], *parts: str) -> str:
        """An option: the first that is not forbidden, from a drawn place on; the drawn one if all are.

        Args:
            options: In a fixed order.
            forbidden: Lower-case options that may not be taken.
            *parts: What is asked.
        """
        start = self.number(*parts) % len(options)
        turned = (options[(start + i) % len(options)] for i in range(len(options)))
        return next((one for one in turned if one.casefold() not in forbidden), options[start])


def keyed(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA256 of some texts; where one ends and the next begins counts."""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        mac.update(len(raw).to_bytes(4, "big") + raw)
    return mac.digest()
