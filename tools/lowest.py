"""Print the lowest versions that pyproject.toml claims, as pip constraints.

``make lowest`` installs with them and runs the tests, so that a lower bound that no longer holds is found. Only the
standard library is used: the Python that creates the environment need not have anything installed. torch is left out,
because the Makefile installs the build of it that it was told to use.

Usage: ``python tools/lowest.py [pyproject.toml] > lowest.txt``
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
EXTRAS = ("test",)
LEFT_OUT = frozenset({"torch"})
_REQUIREMENT = re.compile(
    r"""
    (?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?) \s*
    (?:\[[^\]]*\])? \s*
    >= \s* (?P<version>[0-9][0-9A-Za-z.+!-]*) \s*
    (?:,[^;]*)?
    (?:;.*)?
    """,
    re.VERBOSE,
)


def lowest(requirements: Iterable[str]) -> Iterator[str]:
    """Yield ``name==version`` for each requirement's lower bound.

    Args:
        requirements: As pyproject.toml writes them: ``name[extras]>=version``, further bounds and markers allowed.

    Raises:
        ValueError: A requirement has no lower bound.
    """
    for requirement in requirements:
        found = _REQUIREMENT.fullmatch(requirement.strip())
        if found is None:
            raise ValueError(f"{requirement!r} has no lower bound of the form name>=version")
        if _normal(found["name"]) not in LEFT_OUT:
            yield f"{_normal(found['name'])}=={found['version']}"


def claimed(pyproject: Path) -> list[str]:
    """The project's dependencies and those of its extras for tests, with the extras that these name.

    Args:
        pyproject: The file.
    """
    project = tomllib.loads(pyproject.read_text("utf-8"))["project"]
    extras = project.get("optional-dependencies", {})
    lines, todo = list(project["dependencies"]), [line for extra in EXTRAS for line in extras.get(extra, ())]
    while todo:
        line = todo.pop(0)
        if own := re.fullmatch(rf"{re.escape(project['name'])}\[(.+)\]", line):
            todo += [inner for extra in own[1].split(",") for inner in extras[extra.strip()]]
        else:
            lines.append(line)
    return lines


def _normal(name: str) -> str:
    """A project's name in its normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main(arguments: list[str]) -> int:
    """Print the constraints of the file given, or of this project."""
    try:
        lines = list(lowest(claimed(Path(arguments[0]) if arguments else PYPROJECT)))
    except (OSError, KeyError, ValueError) as error:
        sys.stderr.write(f"lowest: {error}\n")
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
