"""Settings of the fine-tuning."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from medloom.encode.encoder import Precision


class LoopConfig(BaseModel):
    """Settings of every kind of training loop."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: float = Field(default=1.0, gt=0, description="Passes over the training pairs.")
    batch_size: int = Field(default=64, ge=2, description="Pairs per step; each is a negative for all others.")
    learning_rate: float = Field(default=5e-5, gt=0, description="Peak learning rate of AdamW.")
    warmup: float = Field(default=0.1, ge=0, lt=1, description="Share of steps in which the learning rate rises.")
    schedule: Literal["linear", "cosine", "constant"] = Field(default="linear", description="Of the learning rate.")
    weight_decay: float = Field(default=0.01, ge=0, description="Of AdamW.")
    precision: Precision = Field(default="auto", description="bf16 where the processor computes in it, else fp32.")
    checkpoint_steps: int = Field(default=50, ge=1, description="Steps between checkpoints that a killed run resumes from.")


class LocalityConfig(BaseModel):
    """Batches of neighbours: harder in-batch negatives (the k-means curriculum of MedTE's later training)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batches: int = Field(
        default=8, ge=1, description="About how many batches a cluster of queries fills; fewer make harder negatives."
    )
    from_epoch: int = Field(
        default=0, ge=0, description="First epoch, counted from 0, that draws its batches from clusters."
    )


class DistillConfig(BaseModel):
    """What a teacher says of the same texts, learnt beside the contrastive loss."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    teacher: str = Field(
        default="base", description="base, the model to start from, or another: builtin:NAME, folder, hub id."
    )
    match: Literal["similarities", "embeddings", "margins"] = Field(
        default="similarities",
        description="What to match: how similar each query is to all texts of the batch (KL divergence), the vectors "
        "(cosine; the teacher needs as many dimensions), or how much nearer the positive is than each hard negative "
        "(margin-MSE).",
    )
    weight: float = Field(default=1.0, gt=0, description="Of this loss beside the contrastive one.")
    temperature: float = Field(default=0.05, gt=0, description="Of both softmaxes of the KL divergence.")


class DevConfig(BaseModel):
    """Evaluation while training, on pairs held out of the training set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(default=0.05, gt=0, lt=1, description="Share of the pairs to hold out, group by group.")
    most: int = Field(default=500, ge=1, description="Pairs to hold out at most.")
    distractors: int = Field(default=500, ge=0, description="Documents of the training set to search among as well.")
    every: int = Field(default=50, ge=1, description="Steps between evaluations; a checkpoint is written at each.")
    patience: int | None = Field(
        default=None, ge=1, description="Stop after this many evaluations without a new best; never if not set."
    )


class LoraConfig(BaseModel):
    """Small matrices trained beside frozen weights, and added to them in the end (LoRA)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(default=16, ge=1, description="Of the matrices.")
    scale: float = Field(default=2.0, gt=0, description="What is learnt is multiplied by this (alpha over rank).")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Of what goes into the matrices.")
    targets: tuple[str, ...] = Field(
        default=(), description="Names of the linear layers, such as [query, value]; all if empty."
    )


Tracker = Literal["tensorboard", "clearml", "comet_ml", "dvclive", "mlflow", "swanlab", "trackio", "wandb"]
Above0 = Annotated[float, Field(gt=0)]


class TrainConfig(LoopConfig):
    """Settings of the fine-tuning of a dense encoder."""

    kind: Literal["dense"] = Field(default="dense", description="A dense encoder: one vector a text.")
    temperature: float = Field(default=0.05, gt=0, description="Of InfoNCE; similarities are divided by it.")
    temperatures: dict[str, Above0] = Field(
        default={}, description="Temperatures of single sets (SOURCE/KIND) or sources that are to have their own."
    )
    symmetric: bool = Field(default=False, description="Also ask each positive to find its query (two-way InfoNCE).")
    contrast: tuple[Literal["queries", "documents"], ...] = Field(
        default=(),
        description="Further negatives: the batch's other queries for a query, other documents for a document.",
    )
    guide: str | None = Field(
        default=None,
        description="Who says which in-batch negatives are false, so that they are left out (GISTEmbed): self, the model as "
        "it learns; base; or another model. None are left out if not set.",
    )
    margin: float = Field(
        default=0.0,
        ge=-1,
        le=1,
        description="A negative is left out if the guide scores it above the positive's score less this; below 0, only if "
        "it is that much above.",
    )
    margin_of: Literal["absolute", "relative"] = Field(
        default="absolute", description="Whether the margin is a difference of cosines or a share of the positive's."
    )
    matryoshka: tuple[int, ...] = Field(
        default=(), description="Dimensions that the vector may be cut to afterwards, each trained; such as [384, 256, 128]."
    )
    anchor: float = Field(
        default=0.0, ge=0, description="Weight of staying near the base's own vectors (1 - cosine), against forgetting."
    )
    distill: DistillConfig | None = Field(default=None, description="A teacher to learn from; none if not set.")
    positives: Literal["first", "all"] = Field(
        default="first", description="Of a query with several positives: train on the first, or on a pair for each."
    )
    apart: Literal["texts", "positives", "documents"] = Field(
        default="texts",
        description="What a batch holds only once, so that none is a false negative: a text; also what is known to answer "
        "another's query; also the document or concept.",
    )
    batches: Literal["set", "source", "mixed"] = Field(
        default="set", description="What a batch is drawn from: one set (SOURCE/KIND), one source, or everything."
    )
    alpha: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of the batches that a set gets: its size to this power; 1 by size, 0 the same for each.",
    )
    locality: LocalityConfig | None = Field(
        default=None, description="Draw batches from clusters of like queries, found anew each epoch; at random if not set."
    )
    mini_batch: int | None = Field(
        default=None,
        ge=1,
        description="Texts in memory at once: GradCache, for a batch_size that does not fit; costs one more forward pass.",
    )
    lora: LoraConfig | None = Field(default=None, description="Train small matrices only; all weights if not set.")
    freeze_embeddings: bool = Field(default=False, description="Leave the vectors of the vocabulary as they are.")
    gradient_checkpointing: bool = Field(
        default=False, description="Compute activations again instead of keeping them: less memory, a third slower."
    )
    compile: bool = Field(default=False, description="Compile the network with torch.compile; needs a C++ compiler.")
    piece_tokens: int | None = Field(
        default=None,
        ge=1,
        description="Tokens sent through the network at once, texts of like length together; 1,024 on a CPU and 16,384 on a "
        "GPU if not set.",
    )
    dev: DevConfig | None = Field(
        default=None,
        description="Evaluate while training and keep the best checkpoint; the last one is kept, unevaluated, if not set.",
    )
    report_to: tuple[Tracker, ...] = Field(
        default=(),
        description="Who gets the curves and settings as well: tensorboard, in the stage's folder, or a tracker that is set "
        "up on this machine; some send them to a service.",
    )
    processes: int = Field(
        default=1,
        ge=1,
        description="Processes on this machine, one a GPU, that share each batch; for several machines, torchrun.",
    )
    max_seq_length: int = Field(
        default=128, ge=8, description="Longest text in training, in tokens; the model keeps its own."
    )
    dropout: float | None = Field(
        default=0.0, ge=0, lt=1, description="In training; null keeps the model's own. 0 is fastest on a CPU."
    )

    @model_validator(mode="after")
    def _fitting(self) -> "TrainConfig":
        """Refuse settings that do not go together."""
        if self.guide is None and (self.margin, self.margin_of) != (0, "absolute"):
            raise ValueError("margin and margin_of need a guide: set train.guide to self, base or a model")
        if len(set(self.matryoshka)) < len(self.matryoshka) or any(d < 1 for d in self.matryoshka):
            raise ValueError("matryoshka: give each dimension once, all of them 1 or more")
        if self.mini_batch is not None and self.mini_batch >= self.batch_size:
            raise ValueError(
                f"mini_batch ({self.mini_batch}) saves nothing unless it is below batch_size ({self.batch_size}): "
                "raise batch_size or leave it out"
            )
        if self.batches == "mixed" and self.alpha != 1:
            raise ValueError("alpha shares batches out among sets, and batches: mixed has only one: leave one of them out")
        if self.batch_size % self.processes:
            raise ValueError(f"batch_size ({self.batch_size}) must be a multiple of processes ({self.processes})")
        if self.lora and self.freeze_embeddings:
            raise ValueError("lora freezes the embeddings already: leave freeze_embeddings out")
        return self
