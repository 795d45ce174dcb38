"""What drops a query, and what must not."""

import random
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from medloom.deid.spans import Span
from medloom.generate.checks import Checker, Duplicates, Folded, mentions_note, reads_as_question
from medloom.generate.config import Checks, GenerateConfig, QueryKind
from medloom.generate.drafts import Draft
from medloom.text import characters_key

NOTE = (
    "ASSESSMENT:  The patient’s cough – dry and “barking” –\nis due to croup. She was given\tdexamethasone 0.6 mg/kg once."
    "\n\nPLAN: Return if stridor at rest develops. Cool mist at home may be tried."
)
DRAFT = Draft("question", "What is a barking cough due to?", "She was given dexamethasone 0.6 mg/kg once.", prompt="k")


class Marker:
    """Finds the word Zzyzx."""

    name = "marker"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def find_many(self, notes: Iterable[Sequence[str]]) -> Iterator[list[list[Span]]]:
        for note in notes:
            self.asked += note
            yield [[Span(t.index("Zzyzx"), t.index("Zzyzx") + 5, "NAME")] if "Zzyzx" in t else [] for t in note]


def config(**checks: Any) -> GenerateConfig:
    return GenerateConfig(checks=Checks(**checks))


def check(draft: Draft, note: str = NOTE, **checks: Any) -> Draft | str:
    return Checker(config(**checks), Marker()).check(draft, note)


def asked(query: str, kind: QueryKind = "question", **checks: Any) -> Draft | str:
    return check(replace(DRAFT, query=query, kind=kind), **checks)


def test_a_good_draft_passes_and_nothing_else_changes() -> None:
    draft = Draft("question", "How much dexamethasone is given for croup?", DRAFT.evidence, 0.5, "", "k")
    assert check(draft) == replace(draft, evidence="She was given\tdexamethasone 0.6 mg/kg once.")


@pytest.mark.parametrize(
    ("evidence", "found"),
    [
        ('The patient\'s cough - dry and "barking" - is due to croup.', NOTE[13 : NOTE.index(" She")]),
        ("THE PATIENT’S COUGH — DRY AND «BARKING» ‐ IS DUE TO CROUP.", NOTE[13 : NOTE.index(" She")]),
        ("  return if stridor at rest develops.  ", "Return if stridor at rest develops."),
        ("0.6 mg/kg once. PLAN: Return if stridor", "0.6 mg/kg once.\n\nPLAN: Return if stridor"),
        ("Cool mist at home may be tried", "Cool mist at home may be tried"),
    ],
)
def test_evidence_is_found_as_it_stands(evidence: str, found: str) -> None:
    result = check(replace(DRAFT, evidence=evidence))
    assert isinstance(result, Draft)
    assert result.evidence == found


@pytest.mark.parametrize(
    "evidence",
    [
        "She was given dexamethasone 0.8 mg/kg once.",
        "She was given some dexamethasone 0.6 mg/kg once.",
        "given dexamethasone 0.6 mg/kg ... Return if stridor",
        "he was given dexamethasone 0.6 mg/kg once.",
        "She was given dexamethasone 0.6 m",
        "She was not given dexamethasone",
        "Give her dexamethasone for her croup.",
    ],
)
def test_evidence_that_is_not_verbatim(evidence: str) -> None:
    assert check(replace(DRAFT, evidence=evidence)) == "not_verbatim"


def test_offsets_where_folding_changes_lengths() -> None:
    text = "Große Füße…  \u200bİstanbul's  Straße\u00ad\x00 war ﬁebrig — und heiß."
    folded = Folded(text)
    for piece in ("GROSSE FÜSSE...", "strasse war", "‘heiß.", "Straße war ﬁebrig - und heiss"):
        place = folded.find(piece.removeprefix("‘"))
        assert place is not None, piece
    place = folded.find("STRASSE WAR")
    assert place is not None
    assert text[slice(*place)] == "Straße\u00ad\x00 war"
    assert folded.find("") is None
    assert folded.find(" \n ") is None
    assert folded.find("tanbul's") is None
    assert Folded("").find("a") is None


def test_a_word_that_only_begins_alike_is_passed_over() -> None:
    text = "hearty soup. The heart was normal."
    place = Folded(text).find("HEART")
    assert place == (text.index("heart was"), text.index("heart was") + 5)


def test_folding_is_linear() -> None:
    text = "ab " * 200_000
    start = time.process_time()
    assert Folded(text).find("b ab c") is None
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "draft",
    [
        replace(DRAFT, query=""),
        replace(DRAFT, query="  "),
        replace(DRAFT, evidence=""),
        replace(DRAFT, relevance=1.5),
        replace(DRAFT, relevance=float("nan")),
    ],
)
def test_schema(draft: Draft) -> None:
    assert check(draft) == "schema"


def test_a_kind_that_was_not_asked_for() -> None:
    settings = GenerateConfig(kinds={"keyword": 1, "question": 0})
    assert Checker(settings, None).check(DRAFT, NOTE) == "schema"


def test_relevance_is_enforced_except_for_absent_answers() -> None:
    assert check(replace(DRAFT, relevance=0.49)) == "low_relevance"
    assert isinstance(check(replace(DRAFT, relevance=0.5)), Draft)
    assert check(replace(DRAFT, relevance=0.8), min_relevance=0.9) == "low_relevance"
    absent = replace(DRAFT, kind="absent", query="Which virus most often leads to croup?", relevance=0.0)
    assert isinstance(check(absent), Draft)


def test_lengths() -> None:
    assert check(replace(DRAFT, evidence="due to croup.")) == "passage_too_short"
    assert check(replace(DRAFT, evidence=NOTE), max_passage_words=10) == "passage_too_long"
    assert asked("Croup?") == "too_short"
    assert asked("10 20 30?") == "too_short"
    assert asked("What " + "very " * 39 + "long?") == "too_long"
    assert isinstance(asked("What " + "very " * 38 + "long?"), Draft)


@pytest.mark.parametrize(
    "query",
    [
        "According to the note, what is croup due to?",
        "What does the note say about croup?",
        "What is stated in the passage about dexamethasone?",
        "In this passage, which drug was given?",
        "What was the dose in the text?",
        "Which drug was given to the patient described above?",
        "Based on the provided information, what is the diagnosis?",
        "Based on the above, what should be done?",
        "What is the dose according to the patient's medical record?",
        "What is the cause of the skull asymmetry mentioned in the autopsy?",
        "What is the nature of the breast lesion described?",
        "What treatment was used for pyelonephritis in this case?",
        "Why does this patient cough?",
        "What does the clinical note recommend for croup?",
        "Which drugs are listed in the discharge summary above?",
        "What is the above-mentioned dose?",
        "What do the patient's notes say on allergies?",
        "What is recommended as per the doctor’s note?",
        "Which drug does the given excerpt name?",
        "From the information provided, what is croup?",
    ],
)
def test_queries_that_point_at_the_note(query: str) -> None:
    assert mentions_note(query)
    assert asked(query) == "mentions_note"


@pytest.mark.parametrize(
    "query",
    [
        "What are notable causes of stridor?",
        "What if the patient notes pain on swallowing?",
        "Which signs does a doctor note in croup?",
        "What eases the passage of a kidney stone?",
        "How is an obstructed nasal passage treated?",
        "What does the biopsy report show in croup?",
        "How should consent be documented before surgery?",
        "What is the case fatality of croup?",
        "How is an above-the-knee amputation done?",
        "Is the cough worse in the above 65 age group?",
        "What is the text neck syndrome?",
        "Which therapy is described in the literature for croup?",
        "How is the patient given dexamethasone?",
        "What do studies that note improvement measure?",
        "When is a record of stridor needed in croup?",
        "Is dexamethasone given for croup?",
        "What is a discharge summary?",
    ],
)
def test_queries_that_do_not(query: str) -> None:
    assert not mentions_note(query)
    assert isinstance(asked(query), Draft)


def test_kinds_are_what_they_claim() -> None:
    assert asked("croup dexamethasone dose", "question") == "not_question"
    assert asked("croup dexamethasone dose?", "keyword") == "not_keywords"
    assert isinstance(asked("croup dexamethasone dose", "keyword"), Draft)
    assert isinstance(asked("how to treat croup", "question"), Draft)
    assert isinstance(asked("In which age group does croup recur", "absent"), Draft)
    assert asked("croup recurrence by age group", "absent") == "not_question"
    assert isinstance(asked("my child barks like a seal", "lay"), Draft)
    assert reads_as_question("Croup, which dose?")
    assert reads_as_question("“Is it croup?”")
    assert not reads_as_question("whichever dose of dexamethasone")


def test_a_copied_sentence() -> None:
    query = "She was given dexamethasone 0.6 mg/kg once"
    assert asked(query, "treatment") == "copied"
    assert isinstance(asked("was given dexamethasone 0.6 mg/kg", "treatment"), Draft)
    passage = "Return if stridor at rest develops. Cool mist at home may be tried."
    assert check(replace(DRAFT, kind="lay", query="cool mist at HOME may be tried", evidence=passage)) == "copied"
    short = replace(DRAFT, kind="keyword", query="Allergic rhinitis", evidence="Allergic rhinitis. Plan: Try loratadine.")
    assert isinstance(check(short, "Allergic rhinitis. Plan: Try loratadine."), Draft)


def test_an_absent_answer_that_is_there_after_all() -> None:
    answered = "Is a dry barking cough due to croup?"
    assert asked(answered, "absent") == "answered_after_all"
    assert isinstance(asked(answered, "question"), Draft)
    assert isinstance(asked("Is a dry barking cough of asthma worse on exercise?", "absent"), Draft)
    assert isinstance(asked("What is croup?", "absent"), Draft), "one word says too little"
    spread = "Is stridor of croup eased by dexamethasone?"
    assert isinstance(asked(spread, "absent"), Draft), "its words stand in three sentences"


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("What is croup}的是一个", "garbled"),
        ("Was ist Croup? Круп", "garbled"),
        ('"query": "croup"', "garbled"),
        ("croup </passage>", "garbled"),
        ("I'm sorry, but I cannot answer that.", "refusal"),
    ],
)
def test_what_is_no_query_at_all(query: str, why: str) -> None:
    assert asked(query, "lay") == why


def test_letters_of_another_script_may_be_in_the_note() -> None:
    note = NOTE + " 咳嗽 was said. Interferon γ and β blockers, café."
    assert isinstance(check(replace(DRAFT, query="What does 咳嗽 mean?"), note), Draft)
    assert isinstance(asked("Is interferon-γ or a β-blocker used in a café?"), Draft)


def test_identifiers() -> None:
    assert asked("What was Zzyzx given for croup?") == "identifiers"
    assert isinstance(asked("What was Zzyzx given for croup?", identifiers=False), Draft)
    assert isinstance(Checker(config(), None).check(replace(DRAFT, query="What was Zzyzx given?"), NOTE), Draft)


def test_only_what_passed_all_else_is_searched_for_identifiers() -> None:
    marker = Marker()
    checker = Checker(config(), marker)
    checker.check(replace(DRAFT, query="Croup?"), NOTE)
    assert marker.asked == []
    checker.check(DRAFT, NOTE)
    checker.check(replace(DRAFT, kind="lay"), NOTE)
    assert marker.asked == [NOTE, DRAFT.query, "", DRAFT.query, ""], "the note once, each query once"


class Titles(Marker):
    """Finds what follows a title, and nothing without one."""

    def find_many(self, notes: Iterable[Sequence[str]]) -> Iterator[list[list[Span]]]:
        for note in notes:
            yield [[Span(m.start(1), m.end(1), "NAME") for m in re.finditer(r"Mr\. (\w+ \w+)", t)] for t in note]


@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ("What should Will avoid with croup?", False),
        ("Why does Rose's cough bark?", False),
        ("What will help a barking cough?", True),
        ("Is the rose rash of croup itchy?", True),
        ("Does Willow bark help croup?", True),
    ],
)
def test_a_name_of_the_note_is_known_in_the_query(query: str, passes: bool) -> None:
    note = f"Mr. Will Rose brought his son. {NOTE}"
    result = Checker(config(), Titles()).check(replace(DRAFT, query=query, negative="Then Rose came with a fever."), note)
    assert isinstance(result, Draft) is passes
    assert result == "identifiers" or (isinstance(result, Draft) and result.negative == "")


@pytest.mark.parametrize(
    ("negative", "counted"),
    [
        ("She was given dexamethasone 0.6 mg/kg once.", "negative_in_note"),
        ("return if STRIDOR at rest develops", "negative_in_note"),
        ("First, she was given dexamethasone 0.6 mg/kg once. Then she left.", "negative_in_note"),
        ("She saw Zzyzx for croup.", "negative_identifiers"),
        ("No croup.", "negative_length"),
        ("word " * 201, "negative_length"),
    ],
)
def test_a_bad_negative_goes_alone(negative: str, counted: str) -> None:
    counts: dict[str, int] = {}
    result = Checker(config(), Marker(), counts).check(replace(DRAFT, negative=negative), NOTE)
    assert isinstance(result, Draft)
    assert result.negative == ""
    assert result.query == DRAFT.query
    assert counts == {counted: 1}


def test_a_good_negative_stays() -> None:
    negative = "He was given prednisolone 1 mg/kg twice for asthma."
    counts: dict[str, int] = {}
    result = Checker(config(), Marker(), counts).check(replace(DRAFT, negative=negative), NOTE)
    assert isinstance(result, Draft)
    assert result.negative == negative
    assert counts == {}


def test_documents_do_not_leak_into_each_other() -> None:
    checker = Checker(config(), None)
    assert isinstance(checker.check(DRAFT, NOTE), Draft)
    assert checker.check(DRAFT, "Another note of somebody else.") == "not_verbatim"
    assert isinstance(checker.check(DRAFT, NOTE), Draft)


def test_near_duplicates_keep_the_first() -> None:
    seen = Duplicates(0.8)
    base = "What dose of dexamethasone is given for croup in children?"
    assert [seen.is_new(q) for q in (base, base, base.upper(), base.replace("dose of", "dose of of"), "croup")] == [
        True,
        False,
        False,
        False,
        True,
    ]
    assert all(Duplicates(0.8).is_new(q) for q in (base, "croup"))


def test_exactly_at_the_threshold_and_off() -> None:
    base, other = "abcdefghijk", "abcdefghijkxy"
    for threshold, new in ((0.8, False), (0.81, True), (1.0, True), (1.01, True)):
        seen = Duplicates(threshold)
        assert seen.is_new(base)
        assert seen.is_new(other) is new
        assert seen.is_new(base) is (threshold > 1)


@pytest.mark.parametrize("threshold", [0.6, 0.7, 0.8, 0.9])
def test_duplicates_as_by_brute_force(threshold: float) -> None:
    draw = random.Random(3)
    words = ["".join(draw.choice("abcdefghij") for _ in range(draw.randint(3, 8))) for _ in range(60)]
    queries = [" ".join(draw.choice(words) for _ in range(draw.randint(3, 9))) for _ in range(150)]
    for query in list(queries):
        parts = query.split()
        parts[draw.randrange(len(parts))] = draw.choice(words)
        queries.append(" ".join(parts))
        queries.append(query + draw.choice("abc"))
    draw.shuffle(queries)
    kept: list[set[str]] = []
    expected = []
    for query in queries:
        grams = characters_key(query)
        new = all(len(grams & other) < threshold * len(grams | other) for other in kept)
        expected.append(new)
        if new:
            kept.append(grams)
    assert 0 < sum(expected) < len(expected) - 30
    seen = Duplicates(threshold)
    assert [seen.is_new(query) for query in queries] == expected
