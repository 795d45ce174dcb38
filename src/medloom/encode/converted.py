"""A converted model on disk: a folder with the network, the tokenizer, and what an encoder must know besides.

The cache of ``load_encoder`` and the exports of ``medloom publish`` are such folders. ``converted.json`` is written last.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medloom.artifacts import write_json
from medloom.encode.reader import Reader
from medloom.encode.runtimes import MODEL_FILE, Runtime, Stored, open_network, settle_precision
from medloom.errors import ModelError
from medloom.identity import digest

if TYPE_CHECKING:
    from medloom.encode.compiled import CompiledEncoder

FACTS, TOKENIZER = "converted.json", "tokenizer.json"


class Parity(BaseModel):
    """How near a converted model's vectors are to its source's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    texts: int = Field(description="Texts that both encoded.")
    least: float = Field(description="Least cosine of the two vectors of a text.")
    mean: float = Field(description="Mean cosine.")


class Facts(BaseModel):
    """What ``converted.json`` says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = Field(1, description="Version of this layout.")
    runtime: Runtime = Field(description="What computes it.")
    stored: Stored = Field(description="What the weights are kept as.")
    model: str = Field(description="The source, as the user named it.")
    model_hash: str = Field(description="Content hash of the source.")
    dimensions: int = Field(description="Length of a vector.")
    max_seq_length: int = Field(description="Tokens that the model reads of a text.")
    pad_id: int = Field(description="Token of padding.")
    pads_left: bool = Field(description="Whether padding stands before the text.")
    pooling: str = Field(description="How token vectors become one.")
    prompts: dict[str, str] = Field(description="What goes before a text, by role.")
    versions: dict[str, str] = Field(description="Of the packages that converted it.")
    parity: Parity | None = Field(None, description="What the check of the conversion found.")

    @property
    def vectors_hash(self) -> str:
        """Identity of the model that gives the vectors: the source's, unless the weights were made coarser."""
        return self.model_hash if self.stored == "fp32" else digest([self.model_hash, self.runtime, self.stored])


def is_converted(folder: Path) -> bool:
    """Whether a folder is that of a converted model."""
    return (folder / FACTS).is_file()


def write_facts(folder: Path, facts: Facts) -> None:
    """Write ``converted.json``."""
    write_json(folder / FACTS, facts.model_dump(mode="json"))


def read_facts(folder: Path) -> Facts:
    """What ``converted.json`` says.

    Raises:
        ModelError: It is damaged, or of another version of medloom.
    """
    try:
        return Facts.model_validate(json.loads((folder / FACTS).read_text("utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise ModelError(f"{folder / FACTS} is damaged, or of another version of medloom: export the model again") from error


def open_converted(
    folder: Path, precision: Literal["auto", "fp32", "bf16", "int8"] = "auto", threads: int | None = None
) -> "CompiledEncoder":
    """Load a converted model for encoding; torch is not needed.

    Args:
        folder: Where it lies.
        precision: Of the arithmetic; int8 weights are computed as such whatever is said here.
        threads: To compute with; every usable core if not given.

    Raises:
        ModelError: A file is missing or damaged, or the precision is not to be had.
        ImportError: The runtime is not installed.
    """
    from tokenizers import Tokenizer

    from medloom.encode.compiled import CompiledEncoder

    facts = read_facts(folder)
    if precision == "int8" and facts.stored != "int8":
        raise ModelError(f"{folder} holds fp32 weights: publish an int8 export of {facts.model}, or give another precision")
    computed = settle_precision(facts.runtime, "int8" if facts.stored == "int8" else precision)
    for name in (TOKENIZER, MODEL_FILE[facts.runtime]):
        if not (folder / name).is_file():
            raise ModelError(f"{folder} lacks {name}: export the model again")
    reader = Reader(
        Tokenizer.from_file(str(folder / TOKENIZER)), facts.max_seq_length, facts.pad_id, pads_left=facts.pads_left
    )
    return CompiledEncoder(facts, reader, open_network(folder, facts.runtime, computed, threads), computed)
