"""From drafts that passed the checks to training records."""

from collections.abc import Sequence

from medloom.generate.checks import reads_as_question, stems
from medloom.generate.config import TASK_KINDS
from medloom.generate.drafts import Draft, Reject, shown_text
from medloom.records import Document, TrainingRecord
from medloom.text import characters_key

_SAME_QUESTION = 0.8


def to_records(document: Document, drafts: Sequence[Draft], model_name: str) -> tuple[list[TrainingRecord], list[Reject]]:
    """The training records of one document.

    A query looks for its evidence. A question whose answer is absent turns the pair round: the passage that answers
    another question of the document looks for that question, and the absent one is its negative. The other question is
    the one whose evidence overlaps most with the passage near the absent answer; where none does, the one that shares
    most words with the absent question. Absent questions with one partner make one record.

    Args:
        document: Where the drafts are from.
        drafts: Those that passed, their evidence as it stands in the document.
        model_name: What wrote them.

    Returns:
        The records, and the absent questions that no other question of the document goes with (``no_partner``).
    """
    records = [_record(document, draft, model_name) for draft in drafts if draft.kind != "absent"]
    questions = [draft for draft in drafts if draft.kind not in ("absent", "keyword") and reads_as_question(draft.query)]
    text = shown_text(document)
    rejects: list[Reject] = []
    pairs: dict[Draft, list[Draft]] = {}
    for draft in drafts:
        if draft.kind != "absent":
            continue
        partner = _partner(draft, questions, text)
        if partner is None:
            rejects.append(
                Reject(document.id, document.source, "no_partner", draft.kind, draft.query, draft.evidence, draft.prompt)
            )
        else:
            pairs.setdefault(partner, []).append(draft)
    records += [
        TrainingRecord(
            query=partner.evidence,
            positives=(partner.query,),
            kind=TASK_KINDS["absent"],
            source=document.source,
            doc_id=document.id,
            negatives=tuple(dict.fromkeys(draft.query for draft in absent)),
            model=model_name,
            prompt=absent[0].prompt,
        )
        for partner, absent in pairs.items()
    ]
    return records, rejects


def _record(document: Document, draft: Draft, model_name: str) -> TrainingRecord:
    return TrainingRecord(
        query=draft.query,
        positives=(draft.evidence,),
        kind=TASK_KINDS[draft.kind],
        source=document.source,
        doc_id=document.id,
        negatives=(draft.negative,) if draft.negative else (),
        model=model_name,
        prompt=draft.prompt,
    )


def _partner(absent: Draft, questions: Sequence[Draft], text: str) -> Draft | None:
    """The answered question that an absent one is nearest to without being the same; the first of equals."""
    near = _place(absent.evidence, text)
    words = stems(absent.query)

    def nearness(question: Draft) -> tuple[int, float]:
        place = _place(question.evidence, text)
        overlap = max(0, min(near[1], place[1]) - max(near[0], place[0]))
        other = stems(question.query)
        return overlap, len(words & other) / max(1, len(words | other))

    others = [question for question in questions if not _same(question.query, absent.query)]
    return max(others, key=nearness, default=None)


def _place(evidence: str, text: str) -> tuple[int, int]:
    """Where evidence stands; nowhere (an empty span) if it does not."""
    start = text.find(evidence)
    return (start, start + len(evidence)) if start >= 0 else (-1, -1)


def _same(one: str, other: str) -> bool:
    """Whether two questions have nearly the same letters."""
    a, b = characters_key(one), characters_key(other)
    return len(a & b) >= _SAME_QUESTION * len(a | b)
