"""The gate: which text may go where."""

import pytest

from medloom.deid.gate import PUBLISH, GateError, checked, is_local, may_pass
from medloom.records import Document

AWAY = "api.example.org"
PATIENT = Document("Zebediah Quux", "notes", text="Zebediah Quux was seen", contains_phi=True)
CLEANED = Document(
    "1", "notes", text="Adam Ashbrook was seen", contains_phi=True, deidentified="safe-harbor/1 surrogate rules/1"
)
UNSAID = Document("2", "notes", text="was seen")
PUBLIC = Document("3", "hpo", text="a cough", contains_phi=False)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        (None, True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("192.168.1.7", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("", False),
        (PUBLISH, False),
    ],
)
def test_what_counts_as_this_machine(host: str | None, local: bool) -> None:
    assert is_local(host) is local


@pytest.mark.parametrize(
    ("document", "here", "away", "published"),
    [
        (PATIENT, True, False, False),
        (CLEANED, True, True, True),
        (UNSAID, True, False, True),
        (PUBLIC, True, True, True),
    ],
)
def test_who_may_pass(document: Document, here: bool, away: bool, published: bool) -> None:
    assert may_pass(document, None, ()) is here
    assert may_pass(document, AWAY, ()) is away
    assert may_pass(document, PUBLISH, ()) is published


def test_a_host_is_allowed_by_its_own_name_alone() -> None:
    assert may_pass(PATIENT, AWAY, [AWAY])
    assert may_pass(PATIENT, "API.Example.org", [AWAY])
    assert not may_pass(PATIENT, AWAY, ["example.org"])
    assert not may_pass(PATIENT, PUBLISH, [AWAY])
    assert may_pass(PATIENT, PUBLISH, [PUBLISH])


@pytest.mark.parametrize("document", [PATIENT, UNSAID])
def test_the_refusal_says_what_to_do_and_quotes_nothing(document: Document) -> None:
    passed = checked([PUBLIC, CLEANED, document], AWAY, (), "generate")
    assert next(passed) is PUBLIC
    assert next(passed) is CLEANED
    with pytest.raises(GateError) as refused:
        next(passed)
    said = str(refused.value)
    assert "Quux" not in said
    for part in ("generate", "'notes'", AWAY, "deid: {}"):
        assert part in said
    assert ("allow_phi_to: [api.example.org]" in said) is (document is PATIENT)


def test_publishing_says_so() -> None:
    with pytest.raises(GateError, match="a model that is published"):
        list(checked([PATIENT], PUBLISH, (), "publish"))
