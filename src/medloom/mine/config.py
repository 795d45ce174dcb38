"""How hard negatives are mined."""

from typing import Annotated

from pydantic import AfterValidator, Field

from medloom.engine import Sharing
from medloom.mine.candidates import Method


def _distinct(methods: tuple[Method, ...]) -> tuple[Method, ...]:
    if not methods or len(set(methods)) < len(methods):
        raise ValueError("name each method once, and at least one")
    return methods


class NegativesConfig(Sharing):
    """How hard negatives are mined and false ones kept out."""

    per_query: int = Field(default=1, ge=0, le=16, description="Hard negatives to keep for each query; 0 mines none.")
    methods: Annotated[tuple[Method, ...], AfterValidator(_distinct)] = Field(
        default=("dense",), description="Where to look: dense, the base model; bm25; or both, merged by the best rank."
    )
    depth: int = Field(default=64, ge=1, description="Nearest candidates of each method to look at for each query.")
    margin: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="A candidate must be at least this much less similar (cosine) to the query than the positive is.",
    )
    like_positive: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="A candidate at least this similar to the positive counts as a paraphrase.",
    )
    same_group: bool = Field(
        default=True,
        description="Drop candidates of a document of the same group (patient). Terminologies are left alone.",
    )
    contained: bool = Field(
        default=True,
        description="Drop candidates that hold the query or the positive, or are held in one, word for word, where what is "
        "held has five words or more. Terminologies are left alone.",
    )
    guide: str | None = Field(
        default=None, description="Another embedding model, under which the margin must hold too; none if not set."
    )
    cross_encoder: str | None = Field(
        default=None, description="A cross-encoder that has the last word on each candidate; none if not set."
    )
    cross_margin: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="A candidate must score at least this much less than the positive under the cross-encoder (0 to 1).",
    )
