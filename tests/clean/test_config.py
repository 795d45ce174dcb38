"""Settings of cleaning, and those that would keep nothing."""

from typing import Any

import pytest
from pydantic import ValidationError

from medloom.clean import CleanConfig


def test_licences_have_one_spelling() -> None:
    config = CleanConfig(licences=("CC BY 4.0", "cc_by", "CC0"))
    assert config.licences == ("cc-by", "cc0")
    assert config == CleanConfig.model_validate(config.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"languages": ["english"]}, "no code of a language"),
        ({"languages": ["EN"]}, "no code of a language"),
        ({"languages": []}, "keeps nothing"),
        ({"licences": []}, "keeps nothing"),
        ({"licences": [" "]}, "keeps nothing"),
        ({"min_chars": 500, "max_chars": 200}, "nothing would be kept"),
        ({"max_chars": 5}, "greater than or equal to 100"),
        ({"language": ["en"]}, "Extra inputs"),
    ],
)
def test_what_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        CleanConfig.model_validate(settings)
