"""Names that are one name in another form."""

import pytest

from medloom.sources.formats.names import distinct_names, name_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Fibrosis, Cystic", "cystic fibroses"),
        ("Ollier's disease", "Diseases, Ollier"),
        ("Ollier’s disease", "olliers disease"),
        ("Nevus, Pigmented", "pigmented nevi"),
        ("melanomata of the skin", "skin melanoma"),
        ("Abdominal injuries", "abdominal injury"),
        ("Tachycardia, unspecified", "Tachycardia"),
        ("Iritis NOS", "iritides"),
    ],
)
def test_forms_of_one_name_share_a_key(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Pain with fever", "Pain without fever"),
        ("Diabetes Mellitus, Type 1", "Diabetes Mellitus, Type 2"),
        ("left eye", "right eye"),
        ("hypertension", "hypotension"),
        ("vein", "veil"),
        ("Hepatitis A", "Hepatitis"),
        ("Protein S deficiency", "Protein deficiency"),
        ("Nose injury", "Injury"),
    ],
)
def test_other_names_do_not(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


def test_distinct_names_take_one_spelling_of_each() -> None:
    names = ["mucoviscidosis", "fibrosis, cystic", "mucoviscidoses", "disease, pancreas", "pancreas disease", "..."]
    assert distinct_names("Cystic Fibrosis", names) == ["mucoviscidoses", "pancreas disease"]
    assert distinct_names("Cystic Fibrosis", names[::-1]) == distinct_names("Cystic Fibrosis", names)
