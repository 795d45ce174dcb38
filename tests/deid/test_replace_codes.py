"""Numbers, addresses on the network, ages."""

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.deid.keys import Draw
from medloom.deid.spans import SAFE_HARBOR, Kind
from medloom.deid.surrogates import NoteSurrogates
from medloom.deid.surrogates.ages import grouped

KEY = bytes(range(32))


def _of(kind: Kind, *texts: str, patient: str = "p") -> list[str | None]:
    note = NoteSurrogates(Draw(KEY, patient), [(kind, text, "") for text in texts])
    return [note.of(kind, text, "") for text in texts]


def _shape(text: str) -> str:
    return re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", re.sub(r"\d", "9", text)))


@pytest.mark.parametrize("kind", ["MRN", "PLAN", "ACCOUNT", "LICENSE", "VEHICLE", "DEVICE", "ZIP", "BIOMETRIC", "OTHER"])
@pytest.mark.parametrize("text", ["E18693000", "1035333-B", "(01)83315794821540", "YEE-1633", "006-48-64", "ab12 CD"])
def test_a_number_keeps_its_pattern(kind: Kind, text: str) -> None:
    new = _of(kind, text)[0]
    assert new is not None
    assert _shape(new) == _shape(text)
    assert new != text


def test_a_number_is_one_whatever_its_punctuation_and_kind() -> None:
    a, b = _of("MRN", "123-45-6789", "123456789")
    assert a is not None and b is not None
    assert a.replace("-", "") == b
    assert _of("ACCOUNT", "123456789") == [b]
    assert _of("MRN", "123456789", patient="q") != [b]


@given(st.lists(st.text("0123456789", min_size=1, max_size=2), min_size=1, max_size=8, unique=True))
def test_no_number_becomes_another_of_the_note(texts: list[str]) -> None:
    new = [one for one in _of("OTHER", *texts) if one is not None]
    assert not set(new) & set(texts)


def test_where_every_number_of_the_pattern_is_taken_there_is_none() -> None:
    assert _of("OTHER", *"0123456789") == [None] * 10


@pytest.mark.parametrize("text", ["photo", "left thumb", "---", "none"])
def test_words_are_no_number(text: str) -> None:
    assert _of("PHOTO", text) == _of("MRN", text) == [None]


def test_words_beside_the_number_stay() -> None:
    new = _of("MRN", "Patient ID: ABCD1234")[0]
    assert new is not None
    assert re.fullmatch(r"Patient ID: [A-Z]{4}\d{4}", new)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("(617) 234-5678", r"\([2-9]\d\d\) 555-01\d\d"),
        ("617-234-5678 ext. 12", r"[2-9]\d\d-555-01\d\d ext\. \d\d"),
        ("1-617-234-5678", r"1-[2-9]\d\d-555-01\d\d"),
        ("+1 617 234 5678", r"\+1 [2-9]\d\d 555 01\d\d"),
        ("6172345678", r"[2-9]\d\d55501\d\d"),
        ("234-5678", r"555-01\d\d"),
        ("x1234", r"x\d{4}"),
        ("+44 20 7946 0958", r"\+\d\d \d\d \d{4} \d{4}"),
        ("1-800-FLOWERS", r"\d-\d{3}-[A-Z]{7}"),
    ],
)
def test_telephone_numbers_are_of_the_range_for_fiction(text: str, shape: str) -> None:
    for patient in "abcd":
        for kind in ("PHONE", "FAX"):
            new = _of(kind, text, patient=patient)[0]
            assert new is not None
            assert re.fullmatch(shape, new)
            assert new != text


@pytest.mark.parametrize("text", ["123-45-6789", "123456789", "123 45 6789"])
def test_social_security_numbers_were_never_issued(text: str) -> None:
    for patient in "abcdefgh":
        new = _of("SSN", text, patient=patient)[0]
        assert new is not None
        assert new[0] == "9"
        assert _shape(new) == _shape(text)
        assert re.sub(r"\D", "", new)[3] in "1234"


def test_a_shortened_social_security_number_keeps_its_mask() -> None:
    new = _of("SSN", "XXX-XX-6789")[0]
    assert new is not None
    assert re.fullmatch(r"XXX-XX-\d{4}", new)
    assert new != "XXX-XX-6789"


def test_addresses_on_the_network_are_for_documentation() -> None:
    for patient in "abcd":
        mail, url, page, four, port, six, mac = (
            _of(kind, text, patient=patient)[0] or ""  # type: ignore[arg-type]
            for kind, text in (
                ("EMAIL", "jgilbert72@hospital.org"),
                ("URL", "https://miles.com:8080/patients/janice-gilbert?id=8933"),
                ("URL", "www.gilbert.com"),
                ("IP", "15.92.175.76"),
                ("IP", "10.1.2.3:80"),
                ("IP", "fe80::1ff:fe23:4567:890a"),
                ("IP", "00-1B-44-11-3A-B7"),
            )
        )
        assert re.fullmatch(r"[a-z]+\d\d@example\.(?:org|com|net)", mail)
        assert re.fullmatch(r"https://[a-z]+\.example\.(?:org|com|net):\d{4}/[a-z]+/[a-z]+-[a-z]+\?[a-z]+=\d{4}", url)
        assert re.fullmatch(r"www\.[a-z]+\.example\.(?:org|com|net)", page)
        assert not {"miles", "janice", "gilbert", "patients"} & set(re.findall(r"[a-z]+", mail + url + page))
        nets = [ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
        assert any(ipaddress.ip_address(four) in net for net in nets)
        assert any(ipaddress.ip_address(port.removesuffix(":80")) in net for net in nets)
        assert ipaddress.ip_address(six) in ipaddress.ip_network("2001:db8::/32")
        assert mac.startswith("00-00-5E-00-53-")


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("94", "90+"),
        ("94-year-old", "90+-year-old"),
        ("102", "90+"),
        ("90", "90+"),
        ("89", "89"),
        ("97.5", "90+"),
        ("in her 90s", "in her 90+"),
        ("ninety-four", "90+"),
        ("One hundred and two years", "90+ years"),
        ("nonagenarian", "90+"),
    ],
)
def test_ages_over_89_are_one_group(text: str, new: str) -> None:
    assert grouped(text) == new


@given(st.sampled_from(list(SAFE_HARBOR)), st.text(min_size=1, max_size=40))
def test_any_text_of_any_kind_has_an_answer(kind: Kind, text: str) -> None:
    new = _of(kind, text)[0]
    assert new is None or new
    assert _of(kind, text)[0] == new
