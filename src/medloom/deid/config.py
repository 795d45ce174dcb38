"""How identifiers are found and what takes their place."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class DeidConfig(BaseModel):
    """De-identification: HIPAA's Safe Harbor, all 18 identifiers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["surrogate", "tag", "remove"] = Field(
        default="surrogate",
        description="What takes an identifier's place: an invented one of its kind, the same throughout a patient's notes; "
        "its kind in brackets; or nothing.",
    )
    detector: Literal["rules", "rules+ner"] = Field(
        default="rules+ner",
        description="Rules and gazetteers alone, or with a named-entity model as a second opinion (slower, finds more).",
    )
    ids: Literal["hash", "keep"] = Field(
        default="hash", description="Ids and groups of documents often are record numbers: replace them by a keyed hash."
    )
    key_file: Path | None = Field(
        default=None,
        description="The secret that surrogates and date shifts are drawn from; made beside the output if not set. Keep it "
        "as you keep the notes: whoever has it can undo the date shift.",
    )
