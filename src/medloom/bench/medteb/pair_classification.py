"""The 12 pair classification tasks, all kept."""

from medloom.bench.medteb.definition import Definition

CAP = 16_384
TRIALS_FETCHED = 17_000
DISEASES = "Diseases and disorders by system"
NOTE_COLUMNS = (
    ("Chief Complaint", "Discharge Diagnosis"),
    ("History of Present Illness", "Chief Complaint"),
    ("Discharge Instructions", "History of Present Illness"),
    ("Chief Complaint", "Discharge Instructions"),
    ("History of Present Illness", "Discharge Diagnosis"),
    ("Discharge Instructions", "Chief Complaint"),
)
TRIAL_COLUMNS = (("detailedDescription", "detailed description"), ("primaryOutcomes", "primary outcomes"))


def note_task(query: str, document: str) -> str:
    """The authors' name for a task on two sections of a note."""
    return f"mimic_{query.replace(' ', '_')}_vs_{document.replace(' ', '_')}"


PAIR_CLASSIFICATION: tuple[Definition, ...] = (
    Definition(
        name="pairclassification_wiki_diseases_dataset",
        type="PairClassification",
        source="wikipedia",
        cap=CAP,
        query="section",
        document="next section",
        category=DISEASES,
        fetched=16_384,
        neighbours=32,
        written="sentences",
    ),
    *(
        Definition(
            name=f"pairclassification_{note_task(query, document)}",
            type="PairClassification",
            source="mimic",
            cap=CAP,
            query=query.lower(),
            document=document.lower(),
            neighbours=128,
            other_text=True,
        )
        for query, document in NOTE_COLUMNS
    ),
    Definition(
        name="pairclassification_medmcqa_pair_classification",
        type="PairClassification",
        source="medmcqa",
        cap=CAP,
        query="title",
        document="option",
    ),
    Definition(
        name="pairclassification_medqa_pair_classification",
        type="PairClassification",
        source="medqa",
        cap=CAP,
        query="title",
        document="option",
    ),
    Definition(
        name="pairclassification_pubmed_pair_classification",
        type="PairClassification",
        source="pubmed",
        cap=CAP,
        query="first sentence",
        document="other sentences",
        category="medicine",
        fetched=16_384,
        neighbours=64,
        written="sentences",
    ),
    *(
        Definition(
            name=f"pairclassification_clinical_trials_officialTitle_vs{field}",
            type="PairClassification",
            source="clinicaltrials",
            cap=CAP,
            query="title",
            document=heading,
            fetched=TRIALS_FETCHED,
            neighbours=64,
        )
        for field, heading in TRIAL_COLUMNS
    ),
)
