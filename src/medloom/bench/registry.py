"""Every suite by name."""

import difflib
from collections.abc import Callable

from medloom.bench.base import Suite
from medloom.errors import MedloomError


def suite(name: str) -> Suite:
    """The suite of that name.

    Raises:
        MedloomError: There is none; the message names the nearest.
    """
    if name not in _MAKERS:
        near = difflib.get_close_matches(name, _MAKERS, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise MedloomError(f"no suite {name!r}{hint}; the suites are: {', '.join(_MAKERS)}")
    return _MAKERS[name]()


def suite_names() -> list[str]:
    """Names of all suites."""
    return list(_MAKERS)


def _open() -> Suite:
    from medloom.bench.open import OpenSuite

    return OpenSuite()


def _checks() -> Suite:
    from medloom.bench.checks import ChecksSuite

    return ChecksSuite()


def _medteb(name: str, full: bool) -> Suite:
    from medloom.bench.medteb import MedtebSuite

    return MedtebSuite(name, full=full)


def _medembed() -> Suite:
    from medloom.bench.hub import medembed

    return medembed()


def _mteb_medical() -> Suite:
    from medloom.bench.hub import mteb_medical

    return mteb_medical()


_MAKERS: dict[str, Callable[[], Suite]] = {
    "open": _open,
    "checks": _checks,
    "medteb": lambda: _medteb("medteb", False),
    "medteb-full": lambda: _medteb("medteb-full", True),
    "medembed": _medembed,
    "mteb-medical": _mteb_medical,
}
