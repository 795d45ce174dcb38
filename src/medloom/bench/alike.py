"""Whether results may be compared: the same tasks, scored in the same way."""

from collections.abc import Iterable, Sequence

from packaging.version import Version

from medloom.bench.results import Result

_BY_MTEB = ("Clustering", "Classification")
_LIBRARIES = ("mteb", "scikit-learn")


def differences(results: Sequence[Result]) -> list[str]:
    """What differs between results of the same task that bears on the comparison, a sentence each.

    The tasks' data and settings (by fingerprint), the suite's mode, the way of scoring, and, where mteb does the scoring,
    its version and scikit-learn's to the minor. Models of unlike arithmetic (fp32 and bf16) are told too. What belongs to a
    model (prompts, pooling, longest text) may differ: it is part of what is compared.

    Args:
        results: Of several models.
    """
    found: list[str] = []
    by_task: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        by_task.setdefault((result.block["suite"], result.task.name), []).append(result)
    for (suite, name), same in by_task.items():
        for what, values in _properties(same):
            if len(values) > 1:
                found.append(f"{suite}/{name}: {what} differs: {', '.join(sorted(map(str, values)))}")
    by_name: dict[str, dict[str, set[str]]] = {}
    for result in results:
        by_name.setdefault(result.task.name, {}).setdefault(result.block["fingerprint"], set()).add(result.block["suite"])
    for name, prints in by_name.items():
        suites = set().union(*prints.values())
        if len(prints) > 1 and len(suites) > 1:
            found.append(
                f"{name}: the suites {', '.join(sorted(suites))} have unlike data under this name: choose one of them"
            )
    precisions = {r.model: r.block["system"]["settings"].get("precision") for r in results}
    known = {p for p in precisions.values() if p}
    if len(known) > 1:
        found.append(f"precision differs: {', '.join(f'{m} {p}' for m, p in sorted(precisions.items()) if p)}")
    return found


def _properties(results: Sequence[Result]) -> Iterable[tuple[str, set[str]]]:
    yield "the task's data", {r.block["fingerprint"][:12] for r in results}
    yield "the mode", {r.block["mode"] for r in results}
    yield "the scoring", {f"protocol {r.block['protocol']}" for r in results}
    if results[0].task.type in _BY_MTEB:
        for library in _LIBRARIES:
            yield library, {_minor(r.block["versions"].get(library, "0")) for r in results}


def _minor(version: str) -> str:
    release = Version(version).release
    return ".".join(str(part) for part in release[:2])
