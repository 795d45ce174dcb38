"""The training text of the models that have results: as the user says, or as it lies beside them."""

import json
from collections.abc import Mapping
from pathlib import Path

from medloom.bench.contamination import Overlap, find_training, training_texts
from medloom.bench.results import RUN
from medloom.errors import MedloomError


def overlaps_of(results: Path, given: Mapping[str, Path]) -> dict[str, Overlap]:
    """By model name, an index of what it was trained on.

    Args:
        results: Where the results lie.
        given: By model name or key, a medloom run; for other models the folder above the model is looked at.

    Raises:
        MedloomError: There are no results of a model that was named.
        ArtifactError: A folder that was named holds no training records.
    """
    folders = dict(given)
    names = {path.parent.name: json.loads(path.read_text("utf-8"))["system"]["name"] for path in results.glob(f"*/{RUN}")}
    if unknown := [name for name in folders if name not in {*names, *names.values()}]:
        known = ", ".join(sorted(set(names.values())))
        raise MedloomError(f"--training {unknown[0]}: no results of a model of that name: there are results of {known}")
    for key, name in sorted(names.items()):
        if not {key, name} & folders.keys() and (found := find_training(name)):
            folders[name] = found
    return {name: Overlap(training_texts(folder)) for name, folder in folders.items()}
