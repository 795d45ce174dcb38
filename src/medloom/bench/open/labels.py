"""Clustering and classification: the organ system, chapter, block, branch or class that a text belongs to."""

from collections import Counter
from collections.abc import Callable, Iterable

from medloom.bench.open import icd
from medloom.bench.open.draw import draw, share
from medloom.bench.open.material import VAGUE_BRANCHES, Material
from medloom.bench.open.phenotypes import main_systems
from medloom.bench.open.retrieval import concept
from medloom.evaluate.tasks import Task
from medloom.records import Document
from medloom.text import text_key

Labelled = tuple[str, str, str]
MOST_TEXTS = 2_500
LEAST_TEXTS = 50
_LEAST_PER_LABEL = 15
_TRAINING = 0.4
_MOST_TRAINING_PER_LABEL = 60
_LONGEST_CODE = 5
Build = Callable[[Material, str], Task | str]


def clustering(items: Callable[[Material], Iterable[Labelled]], source: str) -> Build:
    """Builder of a clustering task from texts with a label and a group each."""

    def build(material: Material, name: str) -> Task | str:
        drawn = draw(_once(items(material)), MOST_TEXTS, material.salt(name))
        sizes = Counter(label for _, label, _ in drawn)
        kept = [item for item in drawn if sizes[item[1]] >= _LEAST_PER_LABEL]
        if problem := _too_few(kept):
            return problem
        return Task(
            name=name,
            type="Clustering",
            source=source,
            description="",
            data={
                "sentences": [text for text, _, _ in kept],
                "labels": [label for _, label, _ in kept],
                "groups": [group for _, _, group in kept],
            },
            counts=material.counts([source]) | {"in_small_labels": len(drawn) - len(kept)},
            settings={"n_clusters": 30},
        )

    return build


def classification(items: Callable[[Material], Iterable[Labelled]], source: str) -> Build:
    """Builder of a classification task; whole groups go to the training side, two fifths of them."""

    def build(material: Material, name: str) -> Task | str:
        salt = material.salt(name)
        both: tuple[list[Labelled], list[Labelled]] = ([], [])
        for item in _once(items(material)):
            both[share(f"{salt}|side", item[2]) < _TRAINING].append(item)
        judged, fitted = both
        least = [Counter(label for _, label, _ in side) for side in both]
        labels = {label for label in least[0] if all(sizes[label] >= _LEAST_PER_LABEL for sizes in least)}
        test = draw((item for item in judged if item[1] in labels), MOST_TEXTS, f"{salt}|test")
        train = [
            item
            for label in sorted(labels)
            for item in draw((i for i in fitted if i[1] == label), _MOST_TRAINING_PER_LABEL, f"{salt}|train")
        ]
        if problem := _too_few(test):
            return problem
        return Task(
            name=name,
            type="Classification",
            source=source,
            description="",
            data={
                "texts": [text for text, _, _ in test],
                "labels": [label for _, label, _ in test],
                "groups": [group for _, _, group in test],
                "train_texts": [text for text, _, _ in train],
                "train_labels": [label for _, label, _ in train],
            },
            counts=material.counts([source]) | {"labels_too_small": len(least[0] | least[1]) - len(labels)},
            settings={"n_experiments": 10, "samples_per_label": 8},
        )

    return build


def hpo_names(material: Material) -> list[Labelled]:
    """Terms of one organ system."""
    return _of_one_category(material.usable("hpo"))


def hpo_definitions(material: Material) -> list[Labelled]:
    """Definitions of terms of one organ system."""
    return [(d.text, d.categories[0], concept(d)) for d in material.usable("hpo") if d.text and len(d.categories) == 1]


def icd_chapters(material: Material) -> list[Labelled]:
    """Codes of up to four characters, so that sides and encounters of one disease do not crowd in."""
    return [(d.title, d.categories[0], d.split_key) for d in _short_codes(material) if d.categories]


def icd_blocks(material: Material) -> list[Labelled]:
    """The same codes by block (``E08-E13``), of which a chapter has up to two dozen."""
    documents = {d.id: d for d in _short_codes(material)}
    return [(documents[code].title, block, documents[code].split_key) for code, block in icd.blocks(documents).items()]


def mesh_branches(material: Material) -> list[Labelled]:
    """Headings that stand in one branch, branches of mere signs and of animals aside."""
    return [item for item in _of_one_category(material.usable("mesh_diseases")) if item[1] not in VAGUE_BRANCHES]


def disease_systems(material: Material) -> list[Labelled]:
    """Rare diseases by the organ system of most of their phenotypes."""
    return main_systems(material)


def drug_classes(material: Material) -> list[Labelled]:
    """Drugs of one chemical class."""
    return _of_one_category(material.usable("drug_names"))


def _of_one_category(documents: Iterable[Document]) -> list[Labelled]:
    return [(d.title, d.categories[0], concept(d)) for d in documents if len(d.categories) == 1]


def _short_codes(material: Material) -> list[Document]:
    return [d for d in material.usable("icd10cm") if len(d.id) <= _LONGEST_CODE]


def _once(items: Iterable[Labelled]) -> list[Labelled]:
    """Each text once; a text under two labels not at all."""
    items = list(items)
    labels: dict[str, set[str]] = {}
    for text, label, _ in items:
        labels.setdefault(text_key(text), set()).add(label)
    first = {text_key(text): (text, label, group) for text, label, group in reversed(items)}
    return [item for key, item in first.items() if key and len(labels[key]) == 1]


def _too_few(items: list[Labelled]) -> str | None:
    labels = len({label for _, label, _ in items})
    if len(items) < LEAST_TEXTS or labels < 2:
        return f"{len(items)} texts of {labels} labels: the packages hold too little text that was not trained on"
    return None
