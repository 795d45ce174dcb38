"""One name for a licence."""

import pytest

from medloom.clean.licences import licence_key


@pytest.mark.parametrize(
    ("licence", "key"),
    [
        ("CC0", "cc0"),
        ("CC0 1.0 Universal", "cc0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0"),
        ("CC BY", "cc-by"),
        ("CC-BY-4.0", "cc-by"),
        ("cc_by", "cc-by"),
        ("http://creativecommons.org/licenses/by/4.0/", "cc-by"),
        ("Creative Commons Attribution 4.0 International License", "cc-by"),
        ("CC BY-SA 4.0", "cc-by-sa"),
        ("cc_by_nc_nd", "cc-by-nc-nd"),
        ("CC BY-NC-SA 3.0 IGO", "cc-by-nc-sa"),
        ("https://creativecommons.org/licenses/by-nc/4.0", "cc-by-nc"),
        ("Creative Commons Attribution-NonCommercial-NoDerivatives License", "cc-by-nc-nd"),
        ("Attribution-ShareAlike 4.0", "cc-by-sa"),
        ("Public domain", "public-domain"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "public-domain"),
        ("NO-CC CODE", "no-cc-code"),
        ("cc_no", "cc-no"),
        ("MIT", "mit"),
        ("Apache-2.0", "apache-2.0"),
        ("not stated", "not-stated"),
        (" ", ""),
    ],
)
def test_names(licence: str, key: str) -> None:
    assert licence_key(licence) == key
    assert licence_key(key) == key
