"""Tasks from held-out documents and pairs: what is asked, of what, and what is right."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from medloom.evaluate.config import EvaluateConfig
from medloom.evaluate.tasks import Task, TaskType
from medloom.identity import text_hash
from medloom.mine import target_of
from medloom.mine.relations import Relations
from medloom.records import Document, TrainingRecord
from medloom.text import text_key

_ASKS = {
    "lay_name": "find the term from a layperson's phrase",
    "synonym_name": "find the term from a synonym",
    "name_definition": "find the definition from the term's name",
    "title_text": "find the text from its title or question",
    "heading_section": "find the section from its title and heading",
    "paragraph_next": "find the paragraph that follows",
    "section_section": "find the section that belongs to another",
    "keyword_passage": "find the passage from keywords that were written for it",
    "question_passage": "find the passage from a question that was written for it",
    "treatment_passage": "find the passage from a question on treatment that was written for it",
    "lay_passage": "find the passage from a layperson's question that was written for it",
    "passage_question": "find the question that the passage answers",
}
_MIN_PER_LABEL = 10


def build_suite(
    documents: Sequence[Document],
    records: Iterable[TrainingRecord],
    config: EvaluateConfig,
    seed: int,
    left_out: dict[str, str],
) -> list[Task]:
    """Build every task that the held-out side allows.

    Retrieval: a task for each kind of pair of each source; the corpus is the held-out documents of that source, so no text
    in it was trained on. Pair classification: a synonym with its own term's name against a sibling's name. Clustering:
    names by the one category that their source gives them.

    Args:
        documents: Held-out documents of all sources.
        records: Held-out pairs.
        config: Sizes and types.
        seed: Draws queries and documents where there are more than wanted.
        left_out: Filled with tasks that could not be built, and why.
    """
    by_source: dict[str, list[Document]] = {}
    for document in documents:
        by_source.setdefault(document.source, []).append(document)
    by_task: dict[str, list[TrainingRecord]] = {}
    for record in records:
        by_task.setdefault(record.task, []).append(record)
    builders: list[tuple[str, TaskType, Callable[[], Task | str | None]]] = []
    for task, ours in sorted(by_task.items()):
        name = task.replace("/", "-").replace("_", "-")
        builders.append((name, "Retrieval", _bind(_retrieval, name, ours, by_source[ours[0].source], config, seed)))
    for source, held in sorted(by_source.items()):
        name = f"{source}-synonym-pairs"
        builders.append((name, "PairClassification", _bind(_pairs, name, held, config, seed)))
        name = f"{source}-categories"
        builders.append((name, "Clustering", _bind(_clusters, name, held, config, seed)))
    suite = []
    for name, type_, build in builders:
        built = build() if type_ in config.types else None
        if isinstance(built, Task):
            suite.append(built)
        elif built:
            left_out[name] = built
    return suite


def _bind(build: Callable[..., Task | str | None], *args: object) -> Callable[[], Task | str | None]:
    return lambda: build(*args)


def _retrieval(
    name: str, records: Sequence[TrainingRecord], held: Sequence[Document], config: EvaluateConfig, seed: int
) -> Task | str:
    kind, source = records[0].kind, records[0].source
    answers: dict[str, tuple[str, set[str]]] = {}
    for record in records:
        _, right = answers.setdefault(text_key(record.query), (record.query, set()))
        right.update(text_key(p) for p in record.positives)
    drawn = _draw(list(answers), config.max_queries, f"{seed}|{name}")
    corpus = _corpus(records, held, kind)
    needed = {key for query in drawn for key in answers[query][1]}
    others = _draw([key for key in corpus if key not in needed], config.max_corpus - len(needed), f"{seed}|{name}|corpus")
    ids = {key: f"d{i}" for i, key in enumerate(sorted({*needed, *others}))}
    if len(drawn) < config.min_items:
        return f"{len(drawn)} held-out queries, fewer than evaluate.min_items ({config.min_items})"
    queries = {f"q{i}": query for i, query in enumerate(drawn)}
    return Task(
        name=name,
        type="Retrieval",
        source=source,
        description=f"{source}: {_ASKS[kind]} among {len(ids):,} held-out texts",
        data={
            "queries": {q: answers[key][0] for q, key in queries.items()},
            "corpus": {ids[key]: corpus[key] for key in ids},
            "qrels": {
                q: dict.fromkeys(sorted(ids[k] for k in (answers[key][1] | {key}) if k in ids), 1)
                for q, key in queries.items()
            },
        },
    )


def _corpus(records: Sequence[TrainingRecord], held: Sequence[Document], kind: str) -> dict[str, str]:
    """What is searched, by normalised text: equal texts are one entry."""
    corpus = {text_key(p): p for record in records for p in record.positives}
    target = target_of(kind)
    answering = {record.doc_id for record in records}
    if target in ("title", "text"):
        for document in held:
            text = document.title if target == "title" else document.text
            if document.id not in answering and (key := text_key(text)):
                corpus.setdefault(key, text)
    return corpus


def _pairs(name: str, held: Sequence[Document], config: EvaluateConfig, seed: int) -> Task | str | None:
    concepts = {(d.source, d.id): d for d in held if d.title}
    if not any(d.synonyms for d in held):
        return None
    siblings = Relations(held).siblings(concepts)
    rows: dict[tuple[str, str], tuple[str, str]] = {}
    for concept, document in concepts.items():
        others = siblings[concept]
        for number, synonym in enumerate(s.text for s in document.synonyms if s.scope == "exact"):
            if others and text_key(synonym) != text_key(document.title):
                rows[synonym, document.title] = (synonym, concepts[others[number % len(others)]].title)
    drawn = _draw(list(rows), config.max_queries, f"{seed}|{name}")
    if len(drawn) < config.min_items:
        return f"{len(drawn)} held-out synonyms with a held-out sibling, fewer than evaluate.min_items"
    pairs = [(*pair, 1) for pair in drawn] + [(*rows[pair], 0) for pair in drawn]
    return Task(
        name=name,
        type="PairClassification",
        source=held[0].source,
        description=f"{held[0].source}: tell a term's synonym from the name of its sibling ({len(pairs):,} pairs)",
        data={
            "sentence1": [a for a, _, _ in pairs],
            "sentence2": [b for _, b, _ in pairs],
            "labels": [label for _, _, label in pairs],
        },
    )


def _clusters(name: str, held: Sequence[Document], config: EvaluateConfig, seed: int) -> Task | str | None:
    if not any(d.categories for d in held):
        return None
    labels = {d.title: d.categories[0] for d in held if len(d.categories) == 1 and d.title}
    drawn = _draw(list(labels), config.max_documents, f"{seed}|{name}")
    sizes = Counter(labels[title] for title in drawn)
    kept = [title for title in drawn if sizes[labels[title]] >= _MIN_PER_LABEL]
    groups = {labels[title] for title in kept}
    if len(groups) < 2:
        return f"fewer than two categories with {_MIN_PER_LABEL} held-out documents"
    return Task(
        name=name,
        type="Clustering",
        source=held[0].source,
        description=f"{held[0].source}: group {len(kept):,} names into {len(groups)} categories",
        data={"sentences": kept, "labels": [labels[title] for title in kept]},
        settings={"n_clusters": config.clusterings},
    )


def _draw(items: list[Any], limit: int, salt: str) -> list[Any]:
    """Up to ``limit`` items, in an order set by the salt alone."""

    def rank(item: object) -> bytes:
        return text_hash(f"{salt}|{item}")

    return sorted(items, key=rank)[: max(0, limit)]
