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
    makers = _makers()
    if name not in makers:
        near = difflib.get_close_matches(name, makers, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise MedloomError(f"no suite {name!r}{hint}; the suites are: {', '.join(makers)}")
    return makers[name]()


def suite_names() -> list[str]:
    """Names of all suites."""
    return list(_makers())


def _makers() -> dict[str, Callable[[], Suite]]:
    from medloom.bench.checks import ChecksSuite
    from medloom.bench.hub import medembed, mteb_medical
    from medloom.bench.medteb import MedtebSuite
    from medloom.bench.open import OpenSuite

    return {
        "open": OpenSuite,
        "checks": ChecksSuite,
        "medteb": lambda: MedtebSuite("medteb", full=False),
        "medteb-full": lambda: MedtebSuite("medteb-full", full=True),
        "medembed": medembed,
        "mteb-medical": mteb_medical,
    }
