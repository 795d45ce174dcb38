"""From drafts to training records."""

from medloom.generate.config import TASK_KINDS, QueryKind
from medloom.generate.drafts import Draft, Reject
from medloom.generate.records import to_records
from medloom.mine.pairs import TARGETS
from medloom.records import Document, Section, TrainingRecord

FIRST = "Gout was diagnosed in the left toe."
SECOND = "Colchicine was started for the flare."
THIRD = "Blood pressure was well controlled on lisinopril."
NOTE = Document("n1", "ward", "Gout", f"{FIRST} {SECOND} {THIRD}", group="p1")


def draft(kind: QueryKind, query: str, evidence: str, prompt: str = "k", negative: str = "") -> Draft:
    return Draft(kind, query, evidence, 0.9, negative, prompt)


WHERE = draft("question", "Where was the gout?", FIRST, "k1")
DRUG = draft("treatment", "Which drug was started for a gout flare?", SECOND, "k2")
PRESSURE = draft("lay", "Which pill keeps my blood pressure down?", THIRD, "k3")
WORDS = draft("keyword", "gout left toe", FIRST, "k4", "Gout in the knee was ruled out.")


def turned(*drafts: Draft, document: Document = NOTE) -> list[TrainingRecord]:
    records, rejects = to_records(document, drafts, "m")
    assert rejects == []
    return [record for record in records if record.kind == "passage_question"]


def test_queries_look_for_their_evidence() -> None:
    records, rejects = to_records(NOTE, [WHERE, WORDS, DRUG, PRESSURE], "model-7")
    assert rejects == []
    assert records[0] == TrainingRecord(
        WHERE.query, (FIRST,), "question_passage", "ward", "n1", model="model-7", prompt="k1"
    )
    assert records[1].negatives == (WORDS.negative,)
    assert [record.kind for record in records[1:]] == ["keyword_passage", "treatment_passage", "lay_passage"]
    assert all(record.scores == () for record in records)


def test_every_kind_has_a_target() -> None:
    assert {TARGETS[kind] for kind in TASK_KINDS.values()} == {"passage", "question"}


def test_an_absent_answer_turns_the_pair_round() -> None:
    absent = draft("absent", "Which diet prevents gout?", f"{SECOND} {THIRD[:14]}", "k9")
    assert turned(WHERE, DRUG, PRESSURE, absent) == [
        TrainingRecord(
            SECOND, (DRUG.query,), "passage_question", "ward", "n1", negatives=(absent.query,), model="m", prompt="k9"
        )
    ]


def test_overlap_goes_before_words() -> None:
    absent = draft("absent", "Which drug was stopped for a gout flare?", THIRD)
    assert turned(WHERE, DRUG, PRESSURE, absent)[0].positives == (PRESSURE.query,)


def test_words_decide_where_nothing_overlaps() -> None:
    absent = draft("absent", "Is a gout flare helped by another drug?", FIRST)
    assert turned(PRESSURE, DRUG, absent)[0].positives == (DRUG.query,)
    assert turned(DRUG, PRESSURE, absent)[0].positives == (DRUG.query,)


def test_the_first_of_equals() -> None:
    absent = draft("absent", "Who sings?", FIRST)
    assert turned(PRESSURE, DRUG, absent)[0].positives == (PRESSURE.query,)


def test_without_a_question_there_is_no_partner() -> None:
    absent = draft("absent", "Which diet prevents gout?", FIRST, "k9")
    told = draft("treatment", "colchicine for gout flares", SECOND)
    records, rejects = to_records(NOTE, [absent, WORDS, told], "m")
    assert [record.kind for record in records] == ["keyword_passage", "treatment_passage"]
    assert rejects == [Reject("n1", "ward", "no_partner", "absent", absent.query, FIRST, "k9")]


def test_the_same_question_is_no_partner() -> None:
    absent = draft("absent", "Where was the gout ?", FIRST)
    records, rejects = to_records(NOTE, [WHERE, absent], "m")
    assert [record.kind for record in records] == ["question_passage"]
    assert [reject.reason for reject in rejects] == ["no_partner"]
    assert turned(WHERE, DRUG, absent)[0].positives == (DRUG.query,)


def test_absent_questions_with_one_partner_make_one_record() -> None:
    absent = [draft("absent", query, FIRST, f"k{i}") for i, query in enumerate(("Who had gout before?", "Why the toe?"))]
    (record,) = turned(WHERE, *absent, absent[0])
    assert record.negatives == ("Who had gout before?", "Why the toe?")
    assert record.prompt == "k0"


def test_evidence_in_sections() -> None:
    document = Document("n2", "ward", sections=(Section("A", FIRST), Section("Plan", f"{SECOND} {THIRD}")))
    absent = draft("absent", "Which diet prevents gout?", f"{SECOND} {THIRD}")
    assert turned(WHERE, DRUG, absent, document=document)[0].query == SECOND


def test_nothing_makes_nothing() -> None:
    assert to_records(NOTE, [], "m") == ([], [])
