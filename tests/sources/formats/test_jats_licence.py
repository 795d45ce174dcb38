"""Licences of articles, in the many ways in which JATS states them."""

import pytest
from lxml import etree

from medloom.sources.formats.jats_licence import Licence, licence_of

SPACES = 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:ali="http://www.niso.org/schemas/ali/1.0/"'
CC = "https://creativecommons.org/licenses"


def _of(inner: str) -> Licence:
    return licence_of(etree.fromstring(f"<article-meta {SPACES}>{inner}</article-meta>"))


def _licence(inner: str, attributes: str = "") -> Licence:
    return _of(f"<permissions><license {attributes}>{inner}</license></permissions>")


@pytest.mark.parametrize(
    ("address", "licence"),
    [
        (f"{CC}/by/4.0/", "cc-by"),
        ("http://creativecommons.org/licenses/by-sa/3.0/igo/", "cc-by-sa"),
        ("http://www.creativecommons.org/licenses/by-nd/2.0", "cc-by-nd"),
        (f"{CC}/by-nc/4.0/deed.en_GB", "cc-by-nc"),
        (f"{CC}/by-nc-sa/4.0", "cc-by-nc-sa"),
        (f"{CC}/by-nc-nd/4.0/legalcode", "cc-by-nc-nd"),
        (f"{CC}/by-nd-nc/1.0/", "cc-by-nc-nd"),
        ("https://creativecommons.org/licences/by/4.0/", "cc-by"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "other"),
        ("https://publisher.example/terms", "other"),
    ],
)
def test_addresses(address: str, licence: str) -> None:
    assert _licence("<license-p>Terms.</license-p>", f'xlink:href="{address}"') == licence
    assert _licence(f"<ali:license_ref>{address}</ali:license_ref>") == licence
    assert _licence(f'<license-p>See <ext-link xlink:href="{address}">this</ext-link>.</license-p>') == licence
    assert _of(f"<permissions><ali:license_ref>{address}</ali:license_ref></permissions>") == licence


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("This is an open access article under the CC BY-NC-ND license.", "cc-by-nc-nd"),
        ("Licensed under CC-BY 4.0.", "cc-by"),
        ("CC BY NC SA", "cc-by-nc-sa"),
        ("Under the Creative Commons Attribution License, which permits any use.", "cc-by"),
        ("Creative Commons Attribution Non-Commercial No Derivatives 4.0", "cc-by-nc-nd"),
        ("Creative Commons Attribution-NonCommercial-ShareAlike", "cc-by-nc-sa"),
        ("Creative Commons CC0 public domain dedication", "cc0"),
        ("Creative Commons Zero", "cc0"),
        ("All rights reserved. Read it for free.", "other"),
        ("Success by accident", "other"),
        ("", "other"),
    ],
)
def test_words(text: str, licence: str) -> None:
    assert _licence(f"<license-p>{text}</license-p>") == licence


def test_the_type_of_a_licence_may_say_it() -> None:
    assert _licence("<license-p>Free to read.</license-p>", 'license-type="CC BY-ND"') == "cc-by-nd"
    assert _licence("<license-p>Free to read.</license-p>", 'license-type="open-access"') == "other"


def test_the_strictest_of_several_counts() -> None:
    waiver = "http://creativecommons.org/publicdomain/zero/1.0/"
    text = f'<license-p><ext-link xlink:href="{CC}/by/4.0/"/> and for the data <ext-link xlink:href="{waiver}"/></license-p>'
    assert _licence(text) == "cc-by"


def test_addresses_count_before_words() -> None:
    assert _licence(f"<ali:license_ref>{CC}/by/4.0/</ali:license_ref><license-p>CC BY-NC</license-p>") == "cc-by"


def test_what_is_not_said() -> None:
    assert _of("<permissions><copyright-statement>(c) 2020</copyright-statement></permissions>") == "none"
    assert _of("") == "none"
    assert licence_of(None) == "none"
