"""What one task of MedTEB is made of, as data."""

from dataclasses import dataclass
from typing import Literal

from medloom.evaluate.tasks import Facet, TaskType

SourceName = Literal[
    "wikipedia", "pubmed", "pmc", "mimic", "medmcqa", "medqa", "medquad", "clinicaltrials", "biorxiv", "medrxiv"
]
Written = Literal["", "question", "question and answer", "sentences", "answer"]
Classes = tuple[tuple[str, tuple[str, ...]], ...]

METRICS: dict[TaskType, str] = {
    "Classification": "f1",
    "Clustering": "v_measure",
    "PairClassification": "similarity_f1",
    "Retrieval": "ndcg_at_10",
}
FACETS: dict[SourceName, Facet] = {
    "wikipedia": "consumer",
    "pubmed": "literature",
    "pmc": "literature",
    "mimic": "notes",
    "medmcqa": "exams",
    "medqa": "exams",
    "medquad": "consumer",
    "clinicaltrials": "trials",
    "biorxiv": "literature",
    "medrxiv": "literature",
}
_WHAT: dict[SourceName, str] = {
    "wikipedia": "sections of Wikipedia pages",
    "pubmed": "titles with abstracts of PubMed articles",
    "pmc": "titles with texts of PMC articles",
    "mimic": "chief complaints with histories of MIMIC-IV discharge notes",
    "medmcqa": "MedMCQA questions",
    "medqa": "MedQA questions",
    "medquad": "MedQuAD questions",
    "clinicaltrials": "ClinicalTrials.gov records",
    "biorxiv": "bioRxiv preprints",
    "medrxiv": "medRxiv preprints",
}
_ASKS: dict[Written, str] = {
    "question": "find the text that answers a question",
    "question and answer": "find the answer to a question",
    "sentences": "tell whether two texts belong together",
    "answer": "find the answer to a question",
}


@dataclass(frozen=True)
class Definition:
    """One task as its authors define it.

    Attributes:
        name: The authors' name.
        type: mteb's task type.
        source: Where its text comes from.
        cap: Rows in all: texts, pairs, or queries.
        kept: Whether it is one of the 52 that the authors' evaluation keeps.
        classes: For classification and clustering, each label with the values that a document must carry one of:
            categories, or discharge diagnoses. A label without values is for documents that fit no other label, and makes
            the classes equally large.
        per_class: Documents of a class before the cap; 0 is all.
        query: For the other types, the column of the first text: ``title``, ``text``, or a section's heading.
        document: The column of the second text.
        category: Category that documents must carry; empty if all are used.
        fetched: Documents that the authors take, the first of their source; 0 is all.
        neighbours: Nearest texts among which the authors draw a negative; 0 where negatives come with the source.
        other_text: Whether the authors keep a negative from having the positive's very text.
        written: What an LLM wrote for the authors; empty if nothing.
    """

    name: str
    type: TaskType
    source: SourceName
    cap: int
    kept: bool = True
    classes: Classes = ()
    per_class: int = 0
    query: str = ""
    document: str = ""
    category: str = ""
    fetched: int = 0
    neighbours: int = 0
    other_text: bool = False
    written: Written = ""

    @property
    def metric(self) -> str:
        """Main score."""
        return METRICS[self.type]

    @property
    def facet(self) -> Facet:
        """Kind of text."""
        return FACETS[self.source]

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(label for label, _ in self.classes)

    @property
    def description(self) -> str:
        """What the model must do, in a sentence."""
        what = _WHAT[self.source]
        if self.type == "Classification":
            return f"Say to which of {len(self.classes)} classes {what} belong: {', '.join(self.labels)}."
        if self.type == "Clustering":
            return f"Group {what} into {len(self.classes)} classes: {', '.join(self.labels)}."
        start = what[0].upper() + what[1:]
        if self.written:
            return f"{start}: {_ASKS[self.written]}."
        if self.type == "PairClassification":
            return f"{start}: tell whether {self.query} and {self.document} belong together."
        return f"{start}: find {self.document} from {self.query}."

    @property
    def stand_in(self) -> str:
        """What ``strict`` takes for the text that an LLM wrote; empty if none did."""
        return f"{self.query} and {self.document}, as they are" if self.written else ""
