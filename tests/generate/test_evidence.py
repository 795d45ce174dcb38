"""Which passages queries are made from."""

import pytest

from medloom.generate.evidence import TREATMENT, choose
from medloom.generate.phrases import PhraseStats
from medloom.text.sentences import sentence_spans

NOTE = """HISTORY OF PRESENT ILLNESS:
The patient was seen and examined. She is a potter with psoriatic arthritis who came with a red, swollen left ankle after a week of fever. Aspiration of the ankle joint yielded cloudy synovial fluid with calcium pyrophosphate crystals.

REVIEW OF SYSTEMS:
Denies chest pain, cough, dysuria, headache, rash, seizure, syncope, vertigo, nausea, vomiting, diarrhea, and melena.

VITAL SIGNS:
BP 118/76, HR 92, RR 16, T 38.4, SpO2 97% on room air, weight 64 kg, height 168 cm, pain 7/10, glucose 104.

IMAGING:
Ultrasound of the ankle showed a tense effusion with synovial thickening. Radiographs showed chondrocalcinosis of the tibiotalar joint without fracture.

PLAN:
Start colchicine 0.6 mg twice a day and prednisone 30 mg with a taper over ten days. Hold methotrexate until cultures of the synovial fluid are negative for infection.

FOLLOW-UP:
Rheumatology clinic in two weeks for removal of sutures and for a repeat of the uric acid and creatinine levels.
"""  # noqa: E501


def test_passages_are_whole_sentences_of_the_text() -> None:
    starts, ends = zip(*sentence_spans(NOTE), strict=True)
    passages = choose(NOTE, 4, PhraseStats())
    assert len(passages) == 4
    for passage in passages:
        assert NOTE[passage.start : passage.end] == passage.text
        assert passage.start in starts and passage.end in ends
        assert 10 <= len(passage.text.split()) <= 80


def test_formulas_vitals_and_denials_come_last() -> None:
    best = choose(NOTE, 4, PhraseStats())
    assert {p.heading for p in best} == {"HISTORY OF PRESENT ILLNESS", "IMAGING", "PLAN", "FOLLOW-UP"}
    assert not any("seen and examined" in p.text or "Denies" in p.text or "SpO2" in p.text for p in best)


def test_passages_are_different_and_do_not_overlap() -> None:
    passages = choose(NOTE, 9, PhraseStats())
    assert all(a.end <= b.start or b.end <= a.start for a in passages for b in passages if a is not b)
    repeated = "The biopsy of the thyroid nodule showed papillary carcinoma with nodal metastasis in the left neck. " * 6
    assert len(choose(repeated, 5, PhraseStats())) == 1


def test_preferred_headings_come_first() -> None:
    passages = choose(NOTE, 2, PhraseStats(), prefer=TREATMENT)
    assert {p.heading for p in passages} == {"PLAN", "FOLLOW-UP"}


def test_what_is_rare_in_the_corpus_is_preferred() -> None:
    asthma = "The child has asthma with wheezing and uses an inhaler with a spacer each morning before school."
    rare = "The child has cystinosis with photophobia and takes cysteamine eye drops each morning before going to school."
    stats = PhraseStats.of([asthma] * 50)
    assert choose(f"{asthma}\n\n{rare}", 1, stats)[0].text == rare


def test_short_sections_come_with_their_headings() -> None:
    note = (
        "PREOPERATIVE DIAGNOSIS:,  Acute appendicitis.,PROCEDURE: , Laparoscopic appendectomy.,ANESTHESIA: , General.,"
        "COURSE: , The appendix was inflamed but not perforated, and the patient went home on the first day after "
        "the operation in good health."
    )
    texts = [p.text for p in choose(note, 3, PhraseStats())]
    assert any(t.startswith("PREOPERATIVE DIAGNOSIS:,  Acute appendicitis.,PROCEDURE: , Laparoscopic") for t in texts)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" \n ", 0),
        ("Fever.", 1),
        ("The of and to.", 1),
        ("患者は発熱を訴えた。咳もあった。", 1),
        (
            "Knee pain for two weeks. No trauma. X-ray shows osteophytes. Plan: ibuprofen and physical therapy.",
            1,
        ),
    ],
)
def test_short_and_empty_texts(text: str, count: int) -> None:
    passages = choose(text, 3, PhraseStats())
    assert len(passages) >= count and (count > 0 or not passages)
    assert all(text[p.start : p.end] == p.text.strip() for p in passages)


def test_same_text_same_passages() -> None:
    stats = PhraseStats.of([NOTE])
    assert choose(NOTE, 6, stats) == choose(NOTE, 6, stats)
    assert choose(NOTE, 6, stats)[:3] != []
    assert choose(NOTE, 0, stats) == []
