"""What is known of two concepts: names, ancestry, siblings."""

import pytest

from medloom.mine.relations import Concept, Relations
from medloom.records import CONCEPT, Document, Synonym

#       root
#      /    \
#   heart   lung
#    / \    /  \
#  big  both  small
DOCUMENTS = [
    Document("root", "s", "Anything"),
    Document("heart", "s", "Heart", parents=("root",)),
    Document("lung", "s", "Lung", parents=("root",)),
    Document("big", "s", "Big heart", parents=("heart",), synonyms=(Synonym("Cardiomegaly"),)),
    Document("both", "s", "Both", parents=("heart", "lung")),
    Document("small", "s", "Small lung", parents=("lung",)),
    Document("X1", "other", "cardio-megaly", synonyms=(Synonym("CARDIOMEGALY!"),)),
    Document("lung", "other", "Something else"),
]


@pytest.fixture
def relations() -> Relations:
    return Relations(iter(DOCUMENTS))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (("s", "big"), ("s", "big"), "same_concept"),
        (("s", "big"), ("other", "X1"), "same_concept"),
        (("s", "big"), ("s", "heart"), "ancestor_or_descendant"),
        (("s", "big"), ("s", "root"), "ancestor_or_descendant"),
        (("s", "both"), ("s", "lung"), "ancestor_or_descendant"),
        (("s", "both"), ("s", "heart"), "ancestor_or_descendant"),
        (("s", "big"), ("s", "lung"), None),
        (("s", "big"), ("s", "both"), None),
        (("s", "big"), ("s", "small"), None),
        (("s", "both"), ("other", "lung"), None),
        (("s", "unknown"), ("s", "root"), None),
        (("s", "unknown"), ("s", "unknown"), "same_concept"),
    ],
)
def test_related_both_ways(relations: Relations, a: Concept, b: Concept, expected: str | None) -> None:
    assert relations.related(a, b) == expected
    assert relations.related(b, a) == expected


def test_names(relations: Relations) -> None:
    assert relations.is_name("cardiomegaly", ("s", "big"))
    assert relations.is_name("BIG  heart!", ("s", "big"))
    assert not relations.is_name("big", ("s", "big"))
    assert not relations.is_name("cardiomegaly", ("s", "heart"))
    assert not relations.is_name("cardiomegaly", ("s", "unknown"))


def test_siblings(relations: Relations) -> None:
    concepts = [("s", d.id) for d in DOCUMENTS if d.source == "s"]
    siblings = relations.siblings(concepts)
    assert list(siblings) == concepts
    assert siblings["s", "big"] == [("s", "both")]
    assert siblings["s", "both"] == [("s", "big"), ("s", "small")]
    assert siblings["s", "heart"] == [("s", "lung")]
    assert siblings["s", "root"] == []


def test_siblings_are_looked_for_among_the_given(relations: Relations) -> None:
    assert relations.siblings([("s", "small"), ("s", "big")]) == {("s", "small"): [], ("s", "big"): []}


def test_siblings_of_one_name_or_line_are_none() -> None:
    relations = Relations(
        [
            Document("a", "s", "Same", parents=("p",)),
            Document("b", "s", "same", parents=("p",)),
            Document("c", "s", "Child", parents=("p", "a")),
            Document("d", "s", "Other", parents=("p",)),
        ]
    )
    siblings = relations.siblings([("s", i) for i in "abcd"])
    assert siblings["s", "a"] == [("s", "d")]
    assert siblings["s", "c"] == [("s", "b"), ("s", "d")]


def test_a_circle_of_parents_ends() -> None:
    relations = Relations([Document("a", "s", "A", parents=("b",)), Document("b", "s", "B", parents=("a",))])
    assert relations.related(("s", "a"), ("s", "b")) == "ancestor_or_descendant"


def test_names_without_words_do_not_make_two_concepts_one() -> None:
    relations = Relations([Document("a", "s", "???"), Document("b", "s", "!!!")])
    assert relations.related(("s", "a"), ("s", "b")) is None


def test_notes_of_one_patient_are_a_group() -> None:
    relations = Relations(
        [
            Document("1", "notes", "One", "Text.", group="p1"),
            Document("2", "notes", "Two", "Text.", group="p1"),
            Document("3", "notes", "Three", "Text.", group="p2"),
            Document("4", "notes", "Four", "Text."),
            Document("5", "notes", "Five", "Text."),
            Document("1", "others", "Six", "Text.", group="p1"),
        ]
    )
    notes = {i: ("notes", str(i)) for i in range(1, 6)}
    assert relations.same_group(notes[1], notes[2])
    assert not relations.same_group(notes[1], notes[3])
    assert not relations.same_group(notes[4], notes[5]), "no group is no common group"
    assert not relations.same_group(notes[1], ("others", "1")), "another source's p1 is another patient"
    assert not relations.same_group(notes[1], ("notes", "unknown"))


def test_a_category_of_codes_is_no_group() -> None:
    codes = [Document(c, "icd", c, group="A01", categories=("Infections",), metadata=(CONCEPT,)) for c in ("A01.1", "A01.2")]
    relations = Relations(codes)
    assert not relations.same_group(("icd", "A01.1"), ("icd", "A01.2"))
    assert relations.is_entry(("icd", "A01.1"))
    assert not relations.is_entry(("icd", "unknown"))
