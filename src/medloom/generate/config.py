"""What is generated, by which model, within which limits."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from medloom.engine import Sharing

QueryKind = Literal["keyword", "question", "treatment", "lay", "absent"]
Mode = Literal["one-shot", "evidence-first", "extractive"]
TASK_KINDS: dict[QueryKind, str] = {
    "keyword": "keyword_passage",
    "question": "question_passage",
    "treatment": "treatment_passage",
    "lay": "lay_passage",
    "absent": "passage_question",
}
"""Kind of the training records that each kind of query makes. An absent answer turns the pair round: the passage asks,
the question that it answers is the positive, the near question that it does not answer is the negative."""


class Checks(BaseModel):
    """What a generated query must pass."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_relevance: float = Field(default=0.5, ge=0, le=1, description="The model's own score, as in MedEmbed, enforced.")
    min_words: int = Field(default=2, ge=1, description="Shortest query.")
    max_words: int = Field(default=40, ge=3, description="Longest query.")
    max_passage_words: int = Field(default=200, ge=10, description="Longest evidence.")
    identifiers: bool = Field(default=True, description="Drop a query in which the identifier rules find something.")
    near_duplicate: float = Field(
        default=0.8,
        ge=0.6,
        le=1.01,
        description="Overlap of 4-grams from which two queries are one; above 1: off.",
    )
    round_trip: Literal["bm25", "base", "off"] = Field(
        default="bm25",
        description="What must find the query's passage again among all passages: BM25, or the base.",
    )
    round_trip_k: int = Field(default=20, ge=1, description="In how many of its first results.")
    judge: bool = Field(
        default=False, description="Ask the model, in a call of its own, whether the passage answers the query."
    )


class GenerateConfig(Sharing):
    """Queries from documents: by a language model, or from the text itself."""

    mode: Mode = Field(
        default="one-shot",
        description="one-shot: the model writes queries and copies the evidence; evidence-first: code picks the passages, "
        "the model writes one query for each (better with small models); extractive: no model at all.",
    )
    model: str | None = Field(
        default=None,
        description="openai:http://HOST/v1#MODEL, or gguf:PATH for a model that runs here; not needed for extractive.",
    )
    kinds: dict[QueryKind, NonNegativeInt] = Field(
        default={"keyword": 2, "question": 2, "treatment": 2, "lay": 1, "absent": 1},
        description="How many queries of each kind to ask for, for each document.",
    )
    sources: tuple[str, ...] | None = Field(default=None, description="Sources to generate from; all if not set.")
    limit: int | None = Field(default=None, ge=1, description="Documents to generate from, drawn by seed; all if not set.")
    written_negatives: bool = Field(
        default=False, description="Also have the model write, for each query, a near passage that does not answer it."
    )
    min_words: int = Field(default=30, ge=1, description="Shorter documents are left out.")
    max_words: int = Field(default=3000, ge=50, description="Longer documents are cut here, at a sentence's end.")
    temperature: float = Field(default=0.8, ge=0, le=2, description="Of the sampling.")
    max_tokens: int = Field(default=2048, ge=16, description="Longest answer, in tokens.")
    concurrency: int = Field(default=8, ge=1, le=512, description="Calls in flight at once.")
    timeout: float = Field(default=120.0, gt=0, description="Seconds to wait for an answer.")
    retries: int = Field(
        default=6,
        ge=0,
        description="Tries after the first, with growing pauses; only those count that others got answered in.",
    )
    max_wait: float = Field(
        default=900.0, ge=0, description="Seconds to go on trying while the server answers nothing at all, before giving up."
    )
    max_calls: int | None = Field(default=None, ge=1, description="Stop after so many calls.")
    max_cost: float | None = Field(default=None, gt=0, description="Stop when the calls have cost so much (see price).")
    max_total_tokens: int | None = Field(default=None, ge=1, description="Stop after so many tokens, prompts included.")
    price: tuple[float, float] = Field(
        default=(0.0, 0.0), description="Cost of a million tokens: of prompts, of answers; in the currency of max_cost."
    )
    on_budget: Literal["stop", "go_on"] = Field(
        default="stop",
        description="When a limit is reached: stop, to be gone on with under a higher one; or go on with what is there.",
    )
    checks: Checks = Field(default=Checks(), description="What a generated query must pass.")

    @model_validator(mode="after")
    def _limits_can_be_told(self) -> Self:
        if self.max_cost is not None and not any(self.price):
            raise ValueError("max_cost needs price: the cost of a million tokens of prompts and of answers")
        if not any(self.kinds.values()):
            raise ValueError("kinds asks for no query at all: give one of them a number above 0")
        return self
