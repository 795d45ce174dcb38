"""Settings of the server."""

import ipaddress

from pydantic import BaseModel, ConfigDict, Field

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class ServeSettings(BaseModel):
    """How the server listens, what it takes, and how it batches."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(
        "127.0.0.1", min_length=1, description="Address to listen on. Any but this machine's own demands keys."
    )
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on; 0 lets the system choose.")
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="Host names that requests may use, without the port. On loopback, those of this machine if none is "
        "given, so that no web page can reach the server under a name of its own; else any.",
    )
    body_bytes: int = Field(8_388_608, ge=1_024, description="Longest body of a request.")
    body_seconds: float = Field(15.0, gt=0, description="Seconds that a client may take to send a body.")
    header_seconds: float = Field(10.0, gt=0, description="Seconds that a client may take to send its headers.")
    items: int = Field(2_048, ge=1, description="Texts in one request.")
    chars: int = Field(100_000, ge=1, description="Characters of one text.")
    requests: int = Field(512, ge=1, description="Requests in work at once; more are answered 429.")
    held_bytes: int = Field(134_217_728, ge=1_024, description="Bytes of all bodies in work at once; more are answered 429.")
    batch_tokens: int = Field(2_048, ge=1, description="Tokens that the model reads at once.")
    queue_tokens: int = Field(262_144, ge=1, description="Tokens that wait for a model; more are answered 429.")
    timeout_seconds: float = Field(60.0, gt=0, description="Seconds until a request is given up and answered 504.")
    drain_seconds: float = Field(30.0, ge=0, description="Seconds that requests in work have to end after SIGTERM.")
    threads: int | None = Field(
        None, ge=1, description="Threads of torch's arithmetic; as many as there are cores if none, as other backends take."
    )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def host_names(self) -> frozenset[str]:
        """Host names that requests may use; empty for any."""
        names = self.allowed_hosts or (_LOOPBACK_NAMES if self.is_loopback else ())
        return frozenset(name.lower() for name in names)
