"""Builds pair classification tasks."""

from collections import defaultdict
from collections.abc import Sequence

from medloom.bench.medteb.chat import written_pairs
from medloom.bench.medteb.definition import Definition
from medloom.bench.medteb.draw import draw, sample
from medloom.bench.medteb.material import Material, enough
from medloom.bench.medteb.negatives import authors_negatives, mixed_negatives
from medloom.bench.medteb.rows import Option, Pair, carriers, keyed, options, pairs
from medloom.evaluate.tasks import Task
from medloom.text import text_key

_OPTIONS_PER_QUESTION = 4


def build_paired(definition: Definition, material: Material) -> Task:
    """Build a pair classification task.

    Raises:
        StageError: There are too few pairs.
    """
    counts: dict[str, int] = {}
    if definition.neighbours:
        rows = (_authors_pairs if material.compat else _strict_pairs)(definition, material, counts)
    else:
        rows = (_authors_options if material.compat else _strict_options)(definition, material, counts)
    enough(len(rows), "pairs")
    return Task(
        name=definition.name,
        type=definition.type,
        source=definition.source,
        description=material.about(definition),
        data={
            "sentence1": [row.question for row in rows],
            "sentence2": [row.text for row in rows],
            "labels": [row.label for row in rows],
            "groups": [row.group for row in rows],
        },
        metric=definition.metric,
        facet=definition.facet,
        public=definition.source != "mimic",
        counts=counts,
    )


def _authors_options(definition: Definition, material: Material, counts: dict[str, int]) -> Sequence[Option]:
    """Every question with each of its options; where the answer is withheld all count as wrong."""
    rows = options(material.documents)
    kept = sample(rows, lambda row: row.id, definition.cap, material.salt(definition))
    counts |= {"pairs_found": len(rows), "capped": len(rows) - len(kept)}
    return kept


def _strict_options(definition: Definition, material: Material, counts: dict[str, int]) -> list[Option]:
    """Whole questions whose answer is known; equal questions are one, an option that is right and wrong is dropped."""
    by_question: dict[str, dict[str, list[Option]]] = defaultdict(lambda: defaultdict(list))
    answered = {d.id for d in material.documents if any(s.heading == "correct option" for s in d.sections)}
    known = options([d for d in material.documents if d.id in answered])
    counts |= {"questions_found": len(material.documents), "answer_withheld": len(material.documents) - len(answered)}
    counts |= dict.fromkeys(("without_words", "right_and_wrong", "without_clear_answer"), 0)
    usable: set[str] = set()
    for option in sorted(known, key=lambda option: option.id):
        if (question := text_key(option.question)) and (text := text_key(option.text)):
            by_question[question][text].append(option)
            usable.add(_question_id(option))
        else:
            counts["without_words"] += 1
    counts["equal_questions"] = len(usable) - len(by_question)
    drawn = draw(by_question, lambda q: q, definition.cap // _OPTIONS_PER_QUESTION, material.salt(definition))
    counts["capped"] = len(by_question) - len(drawn)
    rows: list[Option] = []
    for question in drawn:
        texts = by_question[question].values()
        clear = [same[0] for same in texts if len({one.label for one in same}) == 1]
        counts["right_and_wrong"] += len(texts) - len(clear)
        if len({one.label for one in clear}) < 2:
            counts["without_clear_answer"] += 1
            continue
        first = min(_question_id(one) for same in texts for one in same)
        rows += [Option(one.id, one.question, one.text, one.label, first) for one in clear]
    return rows


def _question_id(option: Option) -> str:
    return option.id.rpartition("|")[0]


def _authors_pairs(definition: Definition, material: Material, counts: dict[str, int]) -> Sequence[Option]:
    """Each pair with a neighbour of its second text; copies stay, and a copy may be a negative."""
    salt = material.salt(definition)
    found = carriers(definition, material.documents)
    taken = found[: definition.fetched or len(found)]
    if definition.written and material.chat is not None:
        rows: Sequence[Pair] = written_pairs(definition, taken, material.chat, counts)
    else:
        rows = sample(pairs(definition, taken), lambda row: row.id, definition.fetched or definition.cap, salt)
    enough(len(rows), "pairs that belong together")
    lowered = definition.source == "mimic"
    texts = [row.text.lower() if lowered else row.text for row in rows]
    wrong = authors_negatives(texts, material.vectors, definition.neighbours, definition.other_text)
    right = [Option(f"{row.id}|1", row.query, text, 1, row.group) for row, text in zip(rows, texts, strict=True)]
    both = right + [Option(f"{row.id}|0", row.query, texts[i], 0, row.group) for row, i in zip(rows, wrong, strict=True)]
    kept = sample(both, lambda row: row.id, definition.cap, salt)
    counts |= {"pairs_found": len(both), "capped": len(both) - len(kept)}
    return kept


def _strict_pairs(definition: Definition, material: Material, counts: dict[str, int]) -> list[Option]:
    """Each distinct pair with one negative from a mix of words and vectors, both up to half the cap."""
    salt = material.salt(definition)
    rows = pairs(definition, carriers(definition, material.documents))
    counts["pairs_found"] = len(rows)
    distinct: dict[tuple[str, str], Pair] = {}
    answers: dict[str, set[str]] = defaultdict(set)
    owners: dict[str, set[str]] = defaultdict(set)
    usable = 0
    for query, text, row in keyed(sorted(rows, key=lambda row: row.id), counts):
        usable += 1
        distinct.setdefault((query, text), row)
        answers[query].add(text)
        owners[text].add(row.group)
    drawn = draw(distinct.items(), lambda item: item[1].id, definition.cap // 2, salt)
    counts |= {"merged": usable - len(distinct), "capped": len(distinct) - len(drawn)}
    enough(len(drawn), "pairs that belong together")
    positives = [(query, text, row) for (query, text), row in drawn]
    wrong = mixed_negatives(positives, answers, owners, material.vectors, f"{salt}|{definition.name}", counts)
    both = []
    for (_, _, row), negative in zip(positives, wrong, strict=True):
        if negative is not None:
            both.append(Option(f"{row.id}|1", row.query, row.text, 1, row.group))
            both.append(Option(f"{row.id}|0", row.query, negative, 0, row.group))
    return both
