"""Settings of merging."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Method = Literal["linear", "slerp", "greedy"]
Chosen = Literal["sweep", "found", "equal"]


class MergeConfig(BaseModel):
    """How the tuned model is averaged with its base, and with further models."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: tuple[str, ...] = Field(
        default=(), description="Further models of the same architecture, between the tuned model and the base."
    )
    method: Method = Field(
        default="linear",
        description="linear: weighted sum of parameters (LM-Cocktail); slerp: along the arc between two models; greedy: "
        "models join one by one while the dev score does not fall (model soup).",
    )
    weights: Chosen | tuple[float, ...] = Field(
        default="sweep",
        description="sweep: score a grid and pick one; found: from each model's loss on dev examples (LM-Cocktail); equal; "
        "or one number for each model, in order, the base's last.",
    )
    top_weights: tuple[float, ...] | None = Field(
        default=None,
        description="Weights of the last block, where they are to change with depth; weights are then the embeddings'.",
    )
    depth: bool = Field(default=False, description="In a sweep, also try weights that change with depth.")
    step: float = Field(default=0.1, gt=0, le=1, description="Of the grid of a sweep: 1 over a whole number.")
    rule: Literal["mean", "each"] = Field(
        default="mean",
        description="What may fall below the base's by the tolerance at most: the mean of the general scores, or each.",
    )
    tolerance: float = Field(default=0.01, ge=0, le=1, description="What a general score may lose against the base.")
    temperature: float = Field(
        default=5.0, gt=0, description="With weights: found. The lower, the more the best model gets (LM-Cocktail's is 5)."
    )
    examples: int = Field(default=64, ge=2, description="With weights: found. Examples drawn from the dev sets.")
    dev: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Share of the training documents, by group, held out to choose the weights by.",
    )
    general: tuple[str, ...] = Field(
        default=(),
        description="Sets outside the field: folders in BEIR's layout, SUITE:TASK of a suite that builds here, mteb:NAME.",
    )
    max_queries: int = Field(default=500, ge=10, description="Queries of each set, drawn by seed.")
    max_corpus: int = Field(default=5_000, ge=10, description="Texts of each set; those that answer a query always stay.")
    prompts_from: str | None = Field(default=None, description="Whose prompts to keep, where the models' differ.")

    @property
    def scored(self) -> bool:
        """Whether dev sets choose the weights."""
        return self.method == "greedy" or self.weights in ("sweep", "found")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        given = isinstance(self.weights, tuple)
        if self.top_weights is not None and (not given or self.method != "linear"):
            raise ValueError("top_weights go with method: linear and weights that are given")
        if self.method == "slerp" and self.models:
            raise ValueError("slerp is between two models: name no further ones")
        if self.method == "greedy" and given:
            raise ValueError("a greedy soup finds its weights: leave them out")
        if self.depth and (self.weights != "sweep" or self.method != "linear"):
            raise ValueError("depth goes with method: linear and weights: sweep")
        return self
