"""The 16 retrieval tasks, 13 of them kept."""

from medloom.bench.medteb.definition import Definition, SourceName
from medloom.bench.medteb.pair_classification import CAP, DISEASES, NOTE_COLUMNS, TRIAL_COLUMNS, TRIALS_FETCHED, note_task


def _pubmed(name: str, term: str, kept: bool) -> Definition:
    return Definition(
        name=f"retrieval_pubmed_{name}",
        type="Retrieval",
        source="pubmed",
        cap=CAP,
        kept=kept,
        query="title",
        document="text",
        category=term,
        fetched=16_384,
        written="question",
    )


def _preprints(source: SourceName) -> Definition:
    return Definition(
        name=f"retrieval_{source}_dataset",
        type="Retrieval",
        source=source,
        cap=CAP,
        query="title",
        document="text",
        fetched=32_768,
        written="question",
    )


RETRIEVAL: tuple[Definition, ...] = (
    Definition(
        name="retrieval_wiki_diseases_dataset",
        type="Retrieval",
        source="wikipedia",
        cap=CAP,
        kept=False,
        query="heading",
        document="section",
        category=DISEASES,
        fetched=16_384,
        written="question and answer",
    ),
    *(
        Definition(
            name=f"retrieval_{note_task(query, document)}",
            type="Retrieval",
            source="mimic",
            cap=CAP,
            query=query.lower(),
            document=document.lower(),
        )
        for query, document in NOTE_COLUMNS
    ),
    Definition(
        name="retrieval_medmcqa_retrieval",
        type="Retrieval",
        source="medmcqa",
        cap=CAP,
        query="title",
        document="text",
    ),
    _pubmed("retrieval", "medicine", kept=True),
    _pubmed("pathology", "Pathology", kept=False),
    _pubmed("clinical trials", "Clinical Trials", kept=False),
    *(
        Definition(
            name=f"retrieval_clinical_trials_officialTitle_vs{field}",
            type="Retrieval",
            source="clinicaltrials",
            cap=CAP,
            query="title",
            document=heading,
            fetched=TRIALS_FETCHED,
        )
        for field, heading in TRIAL_COLUMNS
    ),
    Definition(
        name="retrieval_medquad_dataset",
        type="Retrieval",
        source="medquad",
        cap=CAP,
        query="title",
        document="text",
        written="answer",
    ),
    _preprints("biorxiv"),
    _preprints("medrxiv"),
)
