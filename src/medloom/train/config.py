"""Settings of the fine-tuning."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

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


class TrainConfig(LoopConfig):
    """Settings of the fine-tuning of a dense encoder."""

    kind: Literal["dense"] = Field(default="dense", description="A dense encoder: one vector a text.")
    temperature: float = Field(default=0.05, gt=0, description="Of InfoNCE; similarities are divided by it.")
    symmetric: bool = Field(default=False, description="Also ask each positive to find its query (two-way InfoNCE).")
    max_seq_length: int = Field(
        default=128, ge=8, description="Longest text in training, in tokens; the model keeps its own."
    )
    dropout: float | None = Field(
        default=0.0, ge=0, lt=1, description="In training; null keeps the model's own. 0 is fastest on a CPU."
    )
