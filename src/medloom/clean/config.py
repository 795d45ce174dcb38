"""What is put right in documents, and which of them are kept."""

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from medloom.clean.licences import licence_key

NOT_STATED = "not-stated"


class CleanConfig(BaseModel):
    """Cleaning, between reading documents and all that is done with them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repair: bool = Field(
        default=True, description="Undo wrong decodings, entities, invisible characters, odd white space and torn words."
    )
    boilerplate: bool = Field(
        default=True,
        description="Take out notices of copyright and licence, publishers' notes, reference sections and page furniture.",
    )
    languages: tuple[str, ...] | None = Field(
        default=None,
        description="Keep documents in these languages (ISO 639 codes: en, de, zh) and those too short to tell; all if not "
        "set.",
    )
    min_chars: int = Field(
        default=0, ge=0, description="Drop documents with less text; those that are a name without text stay."
    )
    max_chars: int | None = Field(
        default=None, ge=100, description="Cut longer text after the last sentence that fits; not cut if not set."
    )
    drop_retracted: bool = Field(default=True, description="Drop documents that their source marks as retracted.")
    licences: tuple[str, ...] | None = Field(
        default=None,
        description="Keep documents under these licences (cc0, cc-by, cc-by-nc, public-domain, ...; versions are not told "
        "apart); not-stated keeps those whose source states none. All if not set.",
    )

    @field_validator("languages")
    @classmethod
    def _codes(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for code in value or ():
            if not (code.isascii() and code.isalpha() and code.islower() and len(code) in (2, 3)):
                raise ValueError(f"{code!r} is no code of a language: give ISO 639's, such as en")
        if value is not None and not value:
            raise ValueError("an empty list keeps nothing: name a language, or leave it out")
        return value

    @field_validator("licences")
    @classmethod
    def _keys(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is None:
            return None
        keys = tuple(dict.fromkeys(licence_key(name) for name in value))
        if not keys or "" in keys:
            raise ValueError("an empty list or name keeps nothing: name a licence, or leave it out")
        return keys

    @model_validator(mode="after")
    def _in_order(self) -> "CleanConfig":
        if self.max_chars is not None and self.min_chars > self.max_chars:
            raise ValueError("min_chars is above max_chars: nothing would be kept")
        return self
