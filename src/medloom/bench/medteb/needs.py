"""What must be collected for the tasks, as settings of the sources."""

from collections.abc import Iterable
from typing import Any

from medloom.bench.medteb.definition import Definition, SourceName
from medloom.bench.medteb.pair_classification import DISEASES

FROM_FILES: tuple[SourceName, ...] = ("mimic",)
"""Sources that nobody may fetch for a user."""
_FROM_HUB: tuple[SourceName, ...] = ("medmcqa", "medqa", "medquad")
_PREPRINTS: tuple[SourceName, ...] = ("biorxiv", "medrxiv")
_AUTHORS_DAYS = {"posted_from": "2018-01-01", "posted_to": "2022-12-20"}
_A_YEAR_OF_TRIALS = {"posted_from": "2019-01-01", "posted_to": "2019-12-31"}
_DEPTH, _DISEASES_DEPTH = 1, 2


def settings_for(source: SourceName, definitions: Iterable[Definition]) -> dict[str, Any]:
    """Settings of a source that collect what its tasks need.

    Terms, categories, days and numbers are the authors'. Of ClinicalTrials.gov they take the first 17,000 that the registry
    happens to list; here it is the studies first posted in 2019, some 30,000, since these stay the same.

    Args:
        source: One that can be fetched.
        definitions: The tasks; those of other sources are passed over.
    """
    if source in _FROM_HUB:
        return {"hub": True}
    if source in _PREPRINTS:
        return dict(_AUTHORS_DAYS)
    if source == "clinicaltrials":
        return dict(_A_YEAR_OF_TRIALS)
    wanted: dict[str, int] = {}
    for definition in definitions:
        if definition.source != source:
            continue
        for name in [value for _, values in definition.classes for value in values] or [definition.category]:
            wanted[name] = max(wanted.get(name, 0), definition.per_class or definition.fetched)
    if source == "wikipedia":
        depths = {name: _DISEASES_DEPTH if name == DISEASES else _DEPTH for name in wanted}
        return {"categories": tuple(wanted), "depth": depths, "most": wanted, "on_error": "skip"}
    return {"terms": wanted}
