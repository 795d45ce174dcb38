"""The detectors as wholes: what must go, what must stay, and that nothing depends on what else is asked."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.deid.marked import found, places, unmarked, wrong

import medloom.deid.detect as detect
from medloom.deid.detect import best_available, load_detector
from medloom.deid.spans import Detector, find
from medloom.errors import MedloomError

GOES = [
    "Seen by [[Dr. Hester O'Neil-Smith]] today.",
    "Mrs. [[de la Cruz]] reports pain.",
    "Patient: [[Nguyễn Văn An]]\nSex: M",
    "Letter c/o [[Martha Quill]], thank you.",
    "Discussed with [[Robert Hale Jr.]] and [[John Hale III]].",
    "DOB [[3/4/45]]; seen [[07-Feb-'61]].",
    "Fax: [[020 7946 0958]]; mobile [[07700 900123]]; phone [[+49 (0)30 901820]].",
    "Lives at [[12 High Street]], [[Leeds]] [[LS1 4DY]].",
    "Write to [[jörg.müller@klinik-süd.de]] or see [[https://portal.example.org/u/1]] from [[10.12.0.7]].",
    "PATIENT [[MARIA LOPEZ]] WAS SEEN BY [[DR. HELEN KRAUSE]] AT [[MERCY HOSPITAL]] ON [[MARCH 3, 2021]].",
    "patient [[john smith]] (mrn [[99887766]]) seen at [[stanford hospital]] on [[april 3rd 2023]] by dr. [[emily clark]].",
    "The [[92]]-year-old man; his mother died at [[101]], aged [[101]].",
    "PT [[ELIJAH MARSH]] ROOM [[288A]] TOLERATED DIET.",
    "Name: [[DOE, JANE A]]   MRN: [[00123456]]",
    "**MRN:** [[88213-A]]\n**Employer:** [[Acme Corp]]",
    "Serial No: [[XK-99812-B]]; DEA # [[BL1234563]], NPI: [[1245319599]]; VIN [[1HGCM82633A004352]].",
    "SSN: [[123 45 6789]]; license plate [[7ABC123]]; fingerprint ID [[99887766]]; see [[IMG_2231.JPG]].",
    "Transferred from [[Mercy General]] to [[St. Vincent's]], then to [[Sunny Acres Nursing Home]].",
    "He works as a cashier at [[Lowell, Bennett and Dougherty]].",
    "[[Emma Thompson]] is a 45-year-old woman.",
    "Signed, [[Jessica Dominguez]] ([[J.D.]])",
    "Last dose given [[2024-05-05T18:37:28]] per [[K. Boateng]] RN.",
]
STAYS = [
    "Strength 4/5 bilaterally, 2/6 systolic murmur, pain 7/10, take 1/2 tablet, vision 20/40, GCS 14/15.",
    "T2-T3 and L4-L5 discs; care 24/7; 12/80 lymph nodes; EF 45-50%; ferritin (normal 232-1137).",
    "BP 142/88, HR 96, RR 18, T 98.6 F, SpO2 94% on room air.",
    "BRCA1 mutation at 9p24; HLA-B27; CD4 count 88; viral load 12,400 copies; SARS-CoV-2 negative.",
    "Trial NCT01234567; PMID 31452104; doi:10.1000/xyz123; ICD-10 code E11.9.",
    "Parkinson disease, Hodgkin lymphoma, Graves disease, Crohn's disease, Bell's palsy, Kaposi sarcoma.",
    "A Foley catheter, Swan-Ganz catheter, Jackson-Pratt drain and Hickman line; Whipple procedure; Bier block.",
    "Glasgow Coma Scale 15, Apgar 8 and 9, Wells score 1.5, Braden 17; Romberg negative; Babinski positive.",
    "Escherichia coli, Klebsiella pneumoniae and Candida albicans grew.",
    "Started Lasix, Coreg, Eliquis and Humira; Allegra prn; heparin 5000 units; NPH 10/20 units.",
    "Skin is white and brown; she may march in place and will hope for joy.",
    "Seen last Tuesday, last week, last year; in 2011; 5 days ago.",
    "A 45-year-old woman, aged 89, for 90 minutes, weighs 95 kg.",
    "HISTORY OF PRESENT ILLNESS:\nPAST MEDICAL HISTORY:\nASSESSMENT AND PLAN:\n",
    "Ottawa ankle rules, Framingham Risk Score, Boston Naming Test, Lyme disease, Los Angeles grade B esophagitis.",
    "Seen in the Pain Clinic and the Emergency Department; admitted to ICU.",
    "African American male, Hispanic female, from Mexico, Chinese medicine.",
    "Miller Fisher variant; Ramsay Hunt syndrome; Marcus Gunn pupil; St. John's wort; Sister Mary Joseph nodule.",
    "Vitamin K, hepatitis B. Patient stable. Fall risk. May resume diet. Will follow.",
    "Stage IIIB T3N2M0; group A strep; a lot of pain; type 2 diabetes; 1-0-1 dosing; 1:1000.",
    "Dr. said no. The doctor noted no change. Head CT negative. Chest X-ray clear. Pap smear normal.",
    "Drops of Webril, Telfa and Duragen were used; Doyle splints and Sanger sequencing as well.",
]
NEEDS_MORE = ("Leeds", "stanford")


@pytest.fixture(scope="module", params=["cues", "rules", "rules+ner"])
def detector(request: pytest.FixtureRequest) -> Detector:
    """Each detector in turn."""
    return load_detector(request.param)


@pytest.fixture(scope="module")
def rules() -> Detector:
    """The detector with gazetteers."""
    return load_detector("rules")


@pytest.mark.parametrize("marked", GOES)
def test_identifiers_are_covered(detector: Detector, marked: str) -> None:
    """Every word of every identifier is covered, and none beside it but a title."""
    missed, touched = wrong(detector, marked)
    if detector.name.startswith("cues"):
        missed = [word for word in missed if word not in NEEDS_MORE and word != "hospital"]
    assert missed == []
    assert set(touched) <= {"Dr", "Mrs"}


@pytest.mark.parametrize("text", STAYS)
def test_what_is_no_identifier_stays(detector: Detector, text: str) -> None:
    """Eponyms, drugs, values, fractions, headings, ordinary words."""
    assert found(detector, text) == []


def test_names_of_detectors_carry_a_version() -> None:
    """Marks and manifests name them."""
    assert [load_detector(which).name for which in ("cues", "rules", "rules+ner")] == ["cues/1", "rules/1", "rules+ner/1"]


def test_a_name_is_found_again_where_nothing_gives_it_away(rules: Detector) -> None:
    """In another text of the note too, but not as an eponym or an ordinary word."""
    title, body = "Dr. Brown noted brown drainage; Dr. Foley replaced the Foley catheter.", "Then Foley left. Brown sputum."
    (spans,) = rules.find_many([[title, body]])
    assert [title[s.start : s.end] for s in spans[0]] == ["Brown", "Foley"]
    assert [body[s.start : s.end] for s in spans[1]] == ["Foley"]


def test_a_number_is_found_again(rules: Detector) -> None:
    """A record number in a link or a later line."""
    text = "MRN: AB12345. The form AB12345 is filed."
    assert found(rules, text) == [("AB12345", "MRN"), ("AB12345", "MRN")]


def test_kinds(rules: Detector) -> None:
    """Each identifier has the kind that a surrogate is drawn by."""
    text = (
        "Mr. Tapia (MRN 00123456, SSN 078-05-1120, member ID ZGP901234567) lives in Chattanooga; call 617-555-0199, "
        "fax 617-555-0188, write a@b.org; account no. 984707; DEA BL1234563; seen on 3/4/2021 at Mercy Hospital, age 93."
    )
    assert [kind for _, kind in found(rules, text)] == [
        *("NAME", "MRN", "SSN", "PLAN", "CITY", "PHONE", "FAX", "EMAIL", "ACCOUNT", "LICENSE", "DATE", "HOSPITAL", "AGE"),
    ]


@pytest.mark.parametrize(
    "marked",
    [
        "👩‍⚕️ 🏥 Seen by [[Dr. Jose\u0301 Pe\u0301rez]] on [[01/02/1960]].",
        "A\r\nDOB: [[01/02/1960]]\r\nMr. [[Tapia]]\r\n",
        "ﬁrst line\u2028Mr. [[Tapia]] ınd [[01/02/1960]]",
        "\x00\x07Mr. [[Tapia]]\x00",
    ],
)
def test_offsets_are_those_of_the_text_as_it_came(detector: Detector, marked: str) -> None:
    """Emoji, combining accents, odd line ends and control characters shift nothing."""
    assert set(places(marked)) <= {(span.start, span.end) for span in find(detector, unmarked(marked))}


def test_notes_are_read_lazily_and_given_in_order(detector: Detector) -> None:
    """A caller may stop; no more than a few notes were taken by then."""
    taken = 0

    def notes() -> Iterator[Sequence[str]]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield [f"Visit {number}: MRN {number + 100000}.", ""]

    results = iter(detector.find_many(notes()))
    first, second = next(results), next(results)
    assert taken <= 64
    assert [len(texts) for texts in (first, second)] == [2, 2]
    assert [[s.kind for s in texts[0]] for texts in (first, second)] == [["MRN"], ["MRN"]]
    assert first[1] == []


def test_a_note_gets_the_same_spans_among_others_and_alone(detector: Detector) -> None:
    """Names do not leak from one note to the next, and batches change nothing."""
    notes = [[unmarked(marked)] for marked in GOES] + [[text] for text in STAYS]
    together = list(detector.find_many(notes))
    assert together == [next(iter(detector.find_many([note]))) for note in notes]
    assert list(detector.find_many(reversed(notes))) == together[::-1]


def test_nothing_is_found_in_nothing(detector: Detector) -> None:
    """Empty notes, empty texts."""
    assert list(detector.find_many([])) == []
    assert list(detector.find_many([[], [""], ["", " \n"]])) == [[], [[]], [[], []]]


PIECES = st.sampled_from(
    [
        *(
            "Dr. ",
            "Mr. ",
            "Brown",
            "Foley",
            "Anna",
            "S.",
            ", ",
            " ",
            "\n",
            "MRN ",
            "123",
            "4567",
            "-",
            "/",
            "2021",
            "May ",
            "in ",
            "Boston",
        ),
        *(
            "é",
            "e\u0301",
            "🙂",
            "\x00",
            "(",
            ")",
            "St. ",
            "Hospital",
            "JOHN ",
            "SMITH",
            "a",
            "@",
            "b.org",
            "'s",
            "’s",
            "III",
            "ß",
            "İ",
            "van ",
        ),
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_spans_are_sound(text: str) -> None:
    """In order, apart, inside the text, never blank, and the same again."""
    detector = load_detector("rules")
    spans = find(detector, text)
    assert all(0 <= s.start < s.end <= len(text) for s in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert all(any(c.isalnum() for c in text[s.start : s.end]) for s in spans)
    assert find(detector, text) == spans


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the gazetteers the rules cannot be had, and the check falls back to cues."""
    import medloom.deid.gazetteers as gazetteers

    gazetteers.gazetteer.cache_clear()
    monkeypatch.setattr(gazetteers, "find_spec", lambda name: None)
    monkeypatch.setattr(detect, "find_spec", lambda name: None)
    with pytest.raises(MedloomError, match=r"pip install 'medloom\[deid\]'"):
        load_detector("rules")
    assert best_available().name == "cues/1"
    monkeypatch.undo()
    assert best_available().name == "rules/1"


def test_a_missing_model_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is never downloaded."""
    import medloom.deid.ner as ner

    ner.load_model.cache_clear()
    monkeypatch.setattr(ner, "_MODEL", "no_such_model_here")
    with pytest.raises(MedloomError, match=r"medloom\[deid\]"):
        load_detector("rules+ner")
    ner.load_model.cache_clear()
