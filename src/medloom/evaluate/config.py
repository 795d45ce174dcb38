"""Settings of the evaluation."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from medloom.encode import Precision

BuiltType = Literal["Retrieval", "PairClassification", "Clustering"]


class EvaluateConfig(BaseModel):
    """What base and tuned model are compared on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    types: tuple[BuiltType, ...] = Field(
        default=("Retrieval", "PairClassification", "Clustering"), description="Task types to build where data allow."
    )
    max_queries: int = Field(default=1_000, ge=1, description="Queries (or positive pairs) of a task, drawn by seed.")
    max_corpus: int = Field(default=20_000, ge=1, description="Texts to search; those that answer a query always stay.")
    max_documents: int = Field(default=2_000, ge=1, description="Documents of a clustering task, drawn by seed.")
    min_items: int = Field(default=20, ge=2, description="A task with fewer queries or pairs is left out, and said so.")
    resamples: int = Field(default=2_000, ge=100, description="Bootstrap resamples for intervals over queries or pairs.")
    clusterings: int = Field(default=30, ge=5, description="Resamples of the documents in clustering, each clustered anew.")
    examples: int = Field(default=5, ge=0, description="Example queries in the report, drawn by seed.")
    precision: Precision = Field(default="auto", description="Arithmetic of encoding, in mining and in the comparison.")
