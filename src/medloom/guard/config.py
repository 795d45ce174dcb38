"""Settings of the guard, and what it reports."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from medloom.engine import Sharing


class GuardConfig(Sharing):
    """How test text is kept out of training."""

    holdout: float = Field(default=0.2, gt=0, lt=1, description="Share of concepts (groups) held out for evaluation.")
    near_duplicate: float = Field(
        default=0.8, ge=0.6, le=1, description="Overlap of character 4-grams from which short texts count as duplicates."
    )
    ngram: int = Field(default=13, ge=3, description="Training text sharing a run of so many words with test text goes.")
    max_per_kind: int | None = Field(
        default=None,
        ge=1,
        description="Training pairs to keep of each kind of each source, drawn by seed; all if not set.",
    )
    duplicates: Literal["off", "tie", "drop"] = Field(
        default="off",
        description="Near-duplicate documents, over all sources: tie keeps them on one side of the split together, drop "
        "keeps the first of them alone, off does not look for them (equal texts stay on one side in any case).",
    )
    duplicate_overlap: float = Field(
        default=0.8, ge=0.5, le=1, description="Overlap of runs of three words from which documents are near-duplicates."
    )
    common: int = Field(
        default=20,
        ge=2,
        description="A text that more than so many groups hold whole (None, Home, a frequent diagnosis) is nobody's: it "
        "ties no documents together, and counts as no test text; nor does a run of words that more than so many held-out "
        "texts hold.",
    )
    against: tuple[str, ...] = Field(
        default=(),
        description="Benchmarks that the model will be judged on beside the held-out text: paths of tasks (a folder in "
        "BEIR's layout, a table) and of built suites. Training text that shares text with them goes, as with held-out text.",
    )


@dataclass
class GuardCounts:
    """What the guard did.

    Attributes:
        reasons: Training pairs dropped, by reason.
        train: Training pairs kept.
        test: Held-out pairs.
        held_out: Held-out documents.
        evaluation_texts: Distinct texts that training was checked against.
        largest_tie: Documents in the largest set that equal texts (and near-duplicates, where asked for) keep on one side.
        negatives: Negatives taken from training pairs that came with some, since they are evaluation texts.
        common: Distinct texts that so many groups hold that they are nobody's.
        clusters: Sets of near-duplicate documents.
        duplicates: Documents beyond the first of these sets, by their source and that of the first.
        crowded: How many groups of documents that looked alike were too large to compare all with all.
    """

    reasons: dict[str, int] = field(default_factory=dict)
    train: int = 0
    test: int = 0
    held_out: int = 0
    evaluation_texts: int = 0
    largest_tie: int = 0
    negatives: int = 0
    common: int = 0
    clusters: int = 0
    duplicates: dict[str, int] = field(default_factory=dict)
    crowded: int = 0

    def drop(self, reason: str, count: int = 1) -> None:
        """Count dropped pairs."""
        if count:
            self.reasons[reason] = self.reasons.get(reason, 0) + count
