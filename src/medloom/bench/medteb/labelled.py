"""Builds classification and clustering tasks."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from medloom.bench.medteb.definition import Definition
from medloom.bench.medteb.draw import draw, rank, sample
from medloom.bench.medteb.material import Material, enough_of_each
from medloom.bench.medteb.rows import Labelled, labelled
from medloom.errors import StageError
from medloom.evaluate.tasks import Task
from medloom.text import text_key

_TEST_SHARE = 0.3
_MOST_TEST = 0.5
_AUTHORS_SEED = 42
_PER_LABEL = 8
_SETTINGS = {
    "Classification": {"n_experiments": 10, "samples_per_label": _PER_LABEL},
    "Clustering": {"n_clusters": 10},
}


def build_labelled(definition: Definition, material: Material) -> Task:
    """Build a classification or clustering task.

    Raises:
        StageError: A class has too few texts, or they come from too few groups to be split.
    """
    counts: dict[str, int] = {}
    found = labelled(definition, material.documents, material.compat, material.salt(definition))
    counts["texts_found"] = len(found)
    rows = (_authors_rows if material.compat else _strict_rows)(definition, material, found, counts)
    enough_of_each(definition, Counter(row.label for row in rows))
    if definition.type == "Clustering":
        data: dict[str, Any] = _columns("sentences", "labels", rows)
        data["groups"] = [row.group for row in rows]
    else:
        train, test = (_authors_split if material.compat else _split)(rows, f"{material.salt(definition)}|split")
        data = _columns("texts", "labels", test) | _columns("train_texts", "train_labels", train)
        data["groups"] = [row.group for row in test]
    return Task(
        name=definition.name,
        type=definition.type,
        source=definition.source,
        description=material.about(definition),
        data=data,
        metric=definition.metric,
        facet=definition.facet,
        public=definition.source != "mimic",
        counts=counts,
        settings=_SETTINGS[definition.type],
    )


def _columns(texts: str, labels: str, rows: Sequence[Labelled]) -> dict[str, Any]:
    return {texts: [row.text for row in rows], labels: [row.label for row in rows]}


def _authors_rows(
    definition: Definition, material: Material, rows: Sequence[Labelled], counts: dict[str, int]
) -> Sequence[Labelled]:
    """All rows, copies and contradictions included, up to the cap."""
    salt = material.salt(definition)
    if _is_balanced(definition):
        by_label = _by_label(rows)
        least = min(len(by_label[label]) for label in definition.labels)
        rows = [r for label in definition.labels for r in draw(by_label[label], lambda row: row.id, least, salt)]
    kept = sample(rows, lambda row: f"{row.id}|{row.label}", definition.cap, salt)
    counts["capped"] = counts["texts_found"] - len(kept)
    return kept


def _strict_rows(
    definition: Definition, material: Material, rows: Sequence[Labelled], counts: dict[str, int]
) -> Sequence[Labelled]:
    """One row for each distinct text, none that stands in two classes, classes cut to an equal share of the cap."""
    distinct: dict[str, Labelled] = {}
    labels: dict[str, set[str]] = defaultdict(set)
    usable = 0
    for row in sorted(rows, key=lambda row: row.id):
        if key := text_key(row.text):
            usable += 1
            distinct.setdefault(key, row)
            labels[key].add(row.label)
    by_label = _by_label([row for key, row in distinct.items() if len(labels[key]) == 1])
    counts["in_two_classes"] = sum(len(found) > 1 for found in labels.values())
    counts["merged"] = usable - sum(map(len, labels.values()))
    limit = definition.cap // len(definition.classes)
    if _is_balanced(definition):
        limit = min(limit, *(len(by_label[label]) for label in definition.labels))
    kept = [
        r for label in definition.labels for r in draw(by_label[label], lambda row: row.id, limit, material.salt(definition))
    ]
    counts["capped"] = sum(map(len, by_label.values())) - len(kept)
    return kept


def _is_balanced(definition: Definition) -> bool:
    return not all(values for _, values in definition.classes)


def _by_label(rows: Sequence[Labelled]) -> dict[str, list[Labelled]]:
    found: dict[str, list[Labelled]] = defaultdict(list)
    for row in rows:
        found[row.label].append(row)
    return found


def _authors_split(rows: Sequence[Labelled], salt: str) -> tuple[list[Labelled], list[Labelled]]:
    """70% and 30% of the rows, groups torn apart."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(list(rows), test_size=_TEST_SHARE, random_state=_AUTHORS_SEED)
    return train, test


def _split(rows: Sequence[Labelled], salt: str) -> tuple[list[Labelled], list[Labelled]]:
    """About 70% and 30% of each class, whole groups on one side.

    Raises:
        StageError: A class lacks texts on a side.
    """
    side: dict[str, bool] = {}
    for label, members in sorted(_by_label(rows).items()):
        sizes = Counter(row.group for row in members)
        held = sum(n for group, n in sizes.items() if side.get(group))
        for group in sorted(sizes, key=lambda group: rank(salt, group)):
            if group not in side:
                side[group] = held < _TEST_SHARE * len(members) and held + sizes[group] <= _MOST_TEST * len(members)
                held += sizes[group] * side[group]
        if not held or len(members) - held < _PER_LABEL:
            raise StageError(
                f"class {label} cannot be split: its {len(members)} texts come from {len(sizes)} groups (pages, patients, "
                f"articles), and {_PER_LABEL} texts must be left to train on and one to test"
            )
    return [row for row in rows if not side[row.group]], [row for row in rows if side[row.group]]
