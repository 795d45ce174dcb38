"""What the tabular list of ICD-10-CM says of codes beyond their names: inclusion notes, cross references, blocks."""

import re
from collections.abc import Container, Iterable
from typing import Any

from medloom.errors import SourceError
from medloom.text.normalise import one_line

_REFERENCE = re.compile(r"(.*?\w.*?)\s*\(([A-Z]\d[\dA-Z](?:\.[\dA-Z]{1,4})?)(?:\.?-)?\)")
_CODE = re.compile(r"\b[A-Z]\d[\dA-Z](?:\.[\dA-Z]{1,4})?(?![\w])")
_FEWEST_WORDS = 2


def names_a_code(text: str) -> bool:
    """Whether a text sends the reader to codes ("conditions classifiable to G00-G99") instead of saying what it means."""
    return _CODE.search(text) is not None


def included(codes: Iterable[str]) -> list[tuple[str, str]]:
    """The terms of the "includes" notes of some codes, each with its code.

    Raises:
        SourceError: The package ``simple-icd-10-cm`` is not installed.
    """
    icd = _package()
    return [(one_line(text), code) for code in codes if icd.is_valid_item(code) for text in icd.get_includes(code)]


def references(codes: Container[str]) -> list[tuple[str, str]]:
    """What the "excludes" notes of all codes call the one code that they send the reader to, if it is one of ``codes``.

    A note that names several codes or a single word says too little and is left out.

    Raises:
        SourceError: The package ``simple-icd-10-cm`` is not installed.
    """
    icd = _package()
    found: dict[tuple[str, str], None] = {}
    for code in dict.fromkeys(icd.get_all_codes(True)):
        for note in (*icd.get_excludes1(code), *icd.get_excludes2(code)):
            match = _REFERENCE.fullmatch(one_line(note))
            if match and match[2] in codes and len(match[1].split()) >= _FEWEST_WORDS:
                found[match[1], match[2]] = None
    return list(found)


def blocks(codes: Iterable[str]) -> dict[str, str]:
    """The block (``E08-E13``) that each code stands in; codes that the package does not know are left out.

    Raises:
        SourceError: The package ``simple-icd-10-cm`` is not installed.
    """
    icd = _package()
    return {code: icd.get_ancestors(code)[-2] for code in codes if icd.is_valid_item(code) and icd.get_parent(code)}


def _package() -> Any:  # noqa: ANN401
    try:
        import simple_icd_10_cm
    except ImportError as error:
        raise SourceError("ICD-10-CM's notes need the package simple-icd-10-cm: pip install simple-icd-10-cm") from error
    return simple_icd_10_cm
