"""Queries without a model."""

import re
import time

import pytest

from medloom.generate.config import GenerateConfig, QueryKind
from medloom.generate.drafts import Draft, shown_text
from medloom.generate.extractive import extract
from medloom.generate.lexicon import lexicon, plain, stems
from medloom.generate.phrases import PhraseStats
from medloom.generate.questions import ABSENT
from medloom.generate.sorts import is_denied, is_plural, sort_of
from medloom.records import Document, Section
from medloom.text import text_key
from medloom.text.sentences import sentences

NOTE = """HISTORY OF PRESENT ILLNESS:
The potter came to the clinic with epistaxis and dyspnea that had begun three weeks before. She has a history of myocardial infarction and takes warfarin 5 mg daily. She denies hemoptysis and syncope.

IMAGING:
MRI of the left knee showed a complex tear of the medial meniscus with a joint effusion. Chest radiograph revealed a small right pleural effusion without pneumothorax.

PROCEDURE:
The patient underwent arthroscopic meniscectomy of the left knee because of the locking of the joint, and did well afterwards.

PLAN:
Warfarin was stopped and she was started on apixaban 5 mg twice a day for atrial fibrillation. Follow up in the cardiology clinic in two weeks.
"""  # noqa: E501
CONFIG = GenerateConfig(mode="extractive")


def note(text: str = NOTE, **fields: object) -> Document:
    return Document(**{"id": "n1", "source": "notes", "text": text, **fields})  # type: ignore[arg-type]


def drafts(document: Document, seed: int = 0, **kinds: int) -> list[Draft]:
    config = GenerateConfig(mode="extractive", kinds=kinds) if kinds else CONFIG
    return extract(document, config, PhraseStats.of([NOTE]), seed)


def test_all_kinds_in_the_numbers_asked_for() -> None:
    made = drafts(note())
    assert {kind: sum(d.kind == kind for d in made) for kind in CONFIG.kinds} == CONFIG.kinds
    assert drafts(note(), keyword=3, question=0) == [d for d in drafts(note(), keyword=3) if d.kind == "keyword"]
    assert len(drafts(note(), keyword=3)) == 3


@pytest.mark.parametrize("seed", range(6))
def test_evidence_is_verbatim_and_queries_are_no_copies(seed: int) -> None:
    document = note()
    made = drafts(document, seed, keyword=4, question=6, treatment=4, lay=3, absent=4)
    assert len({text_key(d.query) for d in made}) == len(made) > 12
    for draft in made:
        assert draft.evidence in shown_text(document)
        assert text_key(draft.query) not in {text_key(s) for s in sentences(draft.evidence)}
        assert not re.search(r"[{}]|  |\baccording to\b", draft.query)
        assert draft.query.strip() == draft.query
        if draft.kind in ("question", "absent"):
            assert draft.query[0].isupper() and draft.query.endswith("?")


def test_keywords_are_of_their_passage() -> None:
    for draft in drafts(note(), keyword=4):
        assert set(stems(draft.query)) <= set(stems(draft.evidence))
        assert len(draft.query.split()) >= 2


def test_questions_follow_what_is_said() -> None:
    asked = {seed: [d.query for d in drafts(note(), seed, question=6)] for seed in range(8)}
    every = {query for queries in asked.values() for query in queries}
    assert any(re.search(r"\bMRI\b.*\?", query) for query in every)
    assert len(every) > len(asked[0])
    assert not any(re.search(r"(?:treated|managed|diagnosed).*(?:hemoptysis|syncope)", query) for query in every)


def test_treatment_comes_from_passages_about_treatment() -> None:
    for seed in range(4):
        for draft in drafts(note(), seed, treatment=3):
            assert re.search(r"started on|underwent|Follow up|takes|5 mg", draft.evidence)


def test_lay_queries_hold_a_lay_name_for_a_term_of_the_evidence() -> None:
    for seed in range(4):
        for draft in drafts(note(), seed, lay=2):
            query = draft.query.casefold()
            assert not re.search(r"epistaxis|dyspnea|myocardial infarction", query)
            assert re.search(r"nose|breath|heart attack|fluid|faint|blood", query), query


def test_no_lay_query_without_a_term() -> None:
    assert (
        drafts(note("The table was moved to the window and the lamp was put next to it by the man from the shop."), lay=2)
        == []
    )


def test_absent_questions_are_not_answered_anywhere() -> None:
    cues = {t: cue for _, cue, templates in ABSENT for t in templates}
    for seed in range(8):
        for draft in drafts(note(), seed, absent=3):
            patterns = {t: re.escape(t).replace(r"\{p\}", ".+").replace(r"\{is\}", "(?:Is|Are)") for t in cues}
            mine = [cues[t] for t, pattern in patterns.items() if re.fullmatch(pattern, draft.query)]
            assert mine and not any(cue.search(NOTE) for cue in mine)


def test_an_aspect_that_the_document_mentions_is_not_asked_as_absent() -> None:
    every = {d.query for seed in range(20) for d in drafts(note(), seed, absent=4)}
    mentioned = {
        d.query
        for seed in range(20)
        for d in drafts(note(NOTE + "\nNo genetic testing; family history empty."), seed, absent=4)
    }
    assert any("genetic" in q or "inherited" in q or "family" in q for q in every)
    assert not any("genetic" in q or "inherited" in q or "family" in q for q in mentioned)


def test_same_seed_same_queries_whatever_else_there_is() -> None:
    assert drafts(note()) == drafts(note())
    assert drafts(note()) != drafts(note(), seed=1)
    assert [d for d in drafts(note(), keyword=2, question=2) if d.kind == "question"] == drafts(note(), question=2)


def test_title_that_asks() -> None:
    document = note(
        "Meniscal tears cause locking of the knee. An MRI of the knee shows the tear.",
        title="What shows a tear of the knee ?",
    )
    made = drafts(document, question=1)
    assert made[0].query == "What shows a tear of the knee?"
    assert made[0].evidence in document.text


def test_heading_that_asks() -> None:
    body = "Gout is caused by crystals of uric acid in a joint, often of the big toe, after a heavy meal."
    document = Document(id="1", source="s", sections=(Section("What causes gout?", body),))
    assert drafts(document, question=1) == [Draft("question", "What causes gout?", body)]


def test_sections_alone() -> None:
    sections = (Section("Plan", NOTE.split("PLAN:\n")[1]), Section("", "She slept well on the ward last night."))
    document = Document(id="1", source="s", sections=sections)
    made = drafts(document)
    assert made and all(d.evidence in shown_text(document) for d in made)


@pytest.mark.parametrize(
    "document",
    [note(""), note("", title="Asthma in children"), note(" \n "), note("."), note("1 2 3"), note("Fever."), note("\ud800")],
)
def test_too_little_gives_little(document: Document) -> None:
    assert len(drafts(document)) <= 3


def test_a_note_of_thirty_words() -> None:
    text = (
        "A gardener with knee pain for two weeks. Radiographs show osteophytes and joint space loss. Started on ibuprofen "
        "400 mg and referred to physical therapy. Return in six weeks."
    )
    made = drafts(note(text))
    assert {"keyword", "question", "treatment"} <= {d.kind for d in made}
    assert all(d.evidence in text for d in made)


@pytest.mark.parametrize(
    "text",
    [
        "Der Patient klagte seit drei Wochen über starke Kopfschmerzen und Übelkeit. Die Magnetresonanztomographie zeigte "
        "einen Tumor im linken Temporallappen. Er wurde operiert und nach zehn Tagen entlassen.",
        "El paciente de sesenta años presentó fiebre y tos durante dos semanas. La radiografía mostró una neumonía en el "
        "lóbulo inferior derecho. Recibió amoxicilina durante siete días con buena evolución.",
        "患者は三週間前から頭痛を訴えた。磁気共鳴画像で左側頭葉に腫瘍を認めた。手術を行い、十日後に退院した。",
    ],
)
def test_other_languages_get_keywords_only(text: str) -> None:
    assert {d.kind for d in drafts(note(text))} <= {"keyword"}


def test_only_the_first_words_are_used() -> None:
    config = GenerateConfig(mode="extractive", max_words=50, kinds={"keyword": 6})
    made = extract(note(), config, PhraseStats(), 0)
    assert made and all(NOTE.index(d.evidence) < NOTE.index("IMAGING") for d in made)


def test_a_long_note_takes_linear_time() -> None:
    config = GenerateConfig(mode="extractive", max_words=100_000)
    stats = PhraseStats.of([NOTE])
    lexicon()

    def seconds(copies: int) -> float:
        text = "\n".join(NOTE.replace("left", f"left{i}").replace("weeks", f"weeks{i}") for i in range(copies))
        start = time.process_time()
        assert extract(note(text), config, stats, 0)
        return time.process_time() - start

    assert seconds(160) < 14 * max(seconds(20), 0.05)


@pytest.mark.parametrize(
    ("phrase", "sort"),
    [
        ("chest MRI", "test"),
        ("skin biopsy", "test"),
        ("laparoscopic cholecystectomy", "procedure"),
        ("hip replacement", "procedure"),
        ("lisinopril", "drug"),
        ("broad antibiotics", "drug"),
        ("acute appendicitis", "problem"),
        ("back pain", "problem"),
        ("final diagnosis", "other"),
        ("left knee", "other"),
        ("prostate", "other"),
        ("brass doorknob", "plain"),
        ("alcohol", "plain"),
    ],
)
def test_sorts(phrase: str, sort: str) -> None:
    assert sort_of(phrase) == sort


@pytest.mark.parametrize(
    ("before", "denied"),
    [
        ("She denies fever, chills, or ", True),
        ("There is no evidence of ", True),
        ("Negative for cough and ", True),
        ("No fever. She has ", False),
        ("She had no fever but developed ", False),
        ("He has ", False),
    ],
)
def test_denials(before: str, denied: bool) -> None:
    assert is_denied(before) is denied


@pytest.mark.parametrize(
    ("phrase", "plural"),
    [
        ("renal cysts", True),
        ("biopsies", True),
        ("arthritis", False),
        ("diabetes", False),
        ("mass", False),
        ("fetus", False),
    ],
)
def test_plurals(phrase: str, plural: bool) -> None:
    assert is_plural(phrase) is plural


def test_plain_takes_whole_words_and_the_longest_term() -> None:
    assert plain("myocardial infarction in spring", "d") == "heart attack in spring"
    assert plain("Nephrolithiasis, then rest", "d") == "kidney stones, then rest"
    assert plain("the table", "d") is None
    assert plain("nephrolithiasislike", "d") is None
    assert plain("hepatic", "d") is None is not plain("hepatitis", "d")
    assert plain("epistaxis", "a") == plain("epistaxis", "a")


def test_kinds_that_are_not_asked_for_are_not_written() -> None:
    only: dict[QueryKind, int] = {"keyword": 1, "question": 0}
    drafts = extract(note(), GenerateConfig(mode="extractive", kinds=only), PhraseStats(), 0)
    assert {draft.kind for draft in drafts} == {"keyword"}
