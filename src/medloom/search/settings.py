"""What an index is made with, as its ``index.json`` keeps it."""

import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medloom.artifacts import write_json
from medloom.encode import Precision
from medloom.encode.token_codec import Stored
from medloom.errors import SearchError
from medloom.search.chunks import ChunkSettings
from medloom.search.store import Quantised, StoreSettings

INDEX = "index.json"
FORMAT = 1


class IndexSettings(BaseModel):
    """What an index is made with; fixed once it is begun."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(description="The model, as it was named.")
    model_hash: str = Field(description="Content hash of the model.")
    precision: Precision = Field(default="auto", description="Of the arithmetic that made the vectors.")
    dimensions: int = Field(gt=0, description="Of the vectors that are kept.")
    full_dimensions: int = Field(gt=0, description="Of the model's vectors; more than `dimensions` where they are cut.")
    chunking: ChunkSettings = Field(default_factory=ChunkSettings, description="How documents are cut.")
    quantised: Quantised = Field(default="none", description="Smaller copies of the vectors: none, int8 or binary.")
    late: str = Field(default="", description="Model whose token vectors are kept for late interaction; empty for none.")
    late_hash: str = Field(default="", description="Its content hash.")
    late_dimensions: int | None = Field(default=None, description="Of its token vectors.")
    late_stored: Stored = Field(
        default="float16", description="What they are kept as: float16 in the store, or int8 or binary in a table beside it."
    )
    late_pool: float = Field(default=1.0, ge=1, description="How many tokens of a chunk become one vector, about.")
    average_words: float = Field(default=100.0, gt=0, description="Words of a usual chunk, for BM25.")
    store: str = Field(default="", description="Address of the Qdrant cluster; empty for a folder.")
    collection: str = Field(default="", description="Name of the collection in the cluster.")

    def for_store(self) -> StoreSettings:
        """What the store has to know."""
        tokens = self.late_dimensions if self.late_stored == "float16" else None
        return StoreSettings(self.dimensions, self.quantised, tokens, self.average_words)


class IndexState(BaseModel):
    """All of an ``index.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = Field(default=FORMAT, description="Version of this layout.")
    state: Literal["building", "ready"] = Field(default="building", description="Whether it has ever been finished.")
    generation: int = Field(default=1, description="Which of the folders beside holds the chunks.")
    settings: IndexSettings = Field(description="What it is made with.")
    contains_phi: bool | None = Field(
        default=None, description="Whether it holds text about patients who can be told from it; null where nobody has said."
    )
    documents: int = Field(default=0, description="Documents in it.")
    chunks: int = Field(default=0, description="Chunks in it.")
    versions: dict[str, str] = Field(default_factory=dict, description="Versions of the packages that wrote it.")
    finished: str = Field(default="", description="When it was last finished, ISO 8601 UTC.")

    def write(self, folder: Path) -> None:
        """Write it in one rename."""
        write_json(folder / INDEX, self.model_dump())

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """What stands in a folder; None if it holds no index.

        Raises:
            SearchError: It is damaged, or of another medloom.
        """
        path = folder / INDEX
        try:
            raw: Any = json.loads(path.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, OSError) as error:
            raise SearchError(f"{path} is damaged: index the documents again into another folder") from error
        if isinstance(raw, dict) and raw.get("format") != FORMAT:
            raise SearchError(
                f"{path} has format {raw.get('format')}, this medloom reads {FORMAT}: index the documents again into "
                "another folder"
            )
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            raise SearchError(f"{path} is damaged: index the documents again into another folder") from error
