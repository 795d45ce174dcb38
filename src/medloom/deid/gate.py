"""The gate: patient text that was not de-identified goes nowhere else."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from medloom.errors import MedloomError
from medloom.records import Document

PUBLISH = "publish"
CLUSTER = "cluster"
"""What machines of a cluster that is joined are called, all together."""


class GateError(MedloomError):
    """Text that may be about a patient was about to leave."""


def is_local(host: str | None) -> bool:
    """Whether a host is this machine: None (this process), ``localhost``, or a loopback address."""
    if host is None or host.casefold().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def may_pass(document: Document, host: str | None, allowed: Sequence[str]) -> bool:
    """Whether a document's text may be sent to a host (or, as :data:`PUBLISH`, be published in a model).

    A document that nobody has marked may be trained on and published, but is not sent away.
    """
    if is_local(host) or document.deidentified or document.contains_phi is False:
        return True
    if host is not None and host.casefold() in {name.casefold() for name in allowed}:
        return True
    return host == PUBLISH and document.contains_phi is None


def checked(documents: Iterable[Document], host: str | None, allowed: Sequence[str], what: str) -> Iterator[Document]:
    """The documents, each let through the gate.

    Args:
        documents: What is to be sent.
        host: Where to; None for this process, :data:`PUBLISH` for the published model.
        allowed: ``allow_phi_to`` of the recipe.
        what: Who asks, for the error.

    Raises:
        GateError: A document may not pass. The message names its source, never its id or text.
    """
    for document in documents:
        if not may_pass(document, host, allowed):
            raise GateError(refusal(document.source, document.contains_phi, host, what))
        yield document


def refusal(source: str, contains_phi: bool | None, host: str | None, what: str) -> str:
    """What the user is told."""
    if contains_phi is None:
        return (
            f"{what}: source {source!r} does not say whether its text is about patients, and {host} is not this machine. "
            "Write contains_phi: false in the source (--no-phi on the command line) if it is not; else contains_phi: true "
            "(--contains-phi), and add deid: {} to the recipe or run medloom deid"
        )
    places = {PUBLISH: "a model that is published", CLUSTER: "the machines of a cluster"}
    to = places.get(str(host), f"{host}, which is not this machine")
    return (
        f"{what}: source {source!r} holds patient text (contains_phi: true) that was not de-identified, and it would go to "
        f"{to}. Add deid: {{}} to the recipe or run medloom deid; if your agreements allow it as it is, write "
        f"allow_phi_to: [{host}] in the recipe (--allow-phi-to on the command line): it is recorded in the manifest and the "
        "model card"
    )
