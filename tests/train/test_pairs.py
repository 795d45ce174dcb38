"""Records as rows, and what of them may not meet in a batch."""

from medloom.records import TrainingRecord
from medloom.train.pairs import datasets_of_rows, keys_of, rows_of


def record(
    query: str,
    *positives: str,
    doc: str = "",
    kind: str = "title_text",
    source: str = "own",
    negatives: tuple[str, ...] = (),
) -> TrainingRecord:
    return TrainingRecord(query, positives, kind, source, doc, negatives)


def clash(keys: list[frozenset[int]], i: int, j: int) -> bool:
    return not keys[i].isdisjoint(keys[j])


def test_a_row_for_the_first_positive_or_for_each() -> None:
    records = [record("q1", "p1", "p2", doc="d1", negatives=("n",)), record("q2", "p3")]
    first, every = rows_of(records, "first"), rows_of(records, "all")
    assert [row.documents for row in first] == [("p1", "n"), ("p3",)]
    assert [(row.query, row.documents) for row in every] == [("q1", ("p1", "n")), ("q1", ("p2", "n")), ("q2", ("p3",))]
    assert [row.document for row in first] == ["own:d1", ""]
    assert first[0].task == "own/title_text"


def test_data_sets_by_what_batches_are_drawn_from() -> None:
    rows = rows_of(
        [
            record("a", "b", kind="x"),
            record("c", "d", kind="y", negatives=("n", "m")),
            record("e", "f", kind="x"),
            record("g", "h", source="other", kind="x"),
        ],
        "first",
    )
    names = {batches: list(datasets_of_rows(rows, batches)) for batches in ("set", "source", "mixed")}
    assert names == {
        "set": ["other/x/0", "own/x/0", "own/y/2"],
        "source": ["other/0", "own/0", "own/2"],
        "mixed": ["all/0", "all/2"],
    }
    data = datasets_of_rows(rows, "set")
    assert data["own/y/2"].column_names == ["anchor", "positive", "negative_1", "negative_2", "label"]
    assert data["own/x/0"]["label"][:] == [0, 2]


def test_texts_apart() -> None:
    records = [record("q1", "p1", negatives=("p2",)), record("q2", "p2"), record("q3", "p3"), record("p3", "p4")]
    keys = keys_of(rows_of(records, "first"), records, "texts")
    assert clash(keys, 0, 1)
    assert clash(keys, 2, 3)
    assert not clash(keys, 0, 2)


def test_known_positives_apart() -> None:
    """p2 answers q1 too, as another record says, so that it may not stand beside q1 as a negative."""
    records = [record("q1", "p1"), record("q1", "p2"), record("q3", "p2")]
    rows = rows_of(records, "first")
    assert not clash(keys_of(rows, records, "texts"), 0, 2)
    assert clash(keys_of(rows, records, "positives"), 0, 2)
    several = [record("q1", "p1", "p2"), record("q3", "p2")]
    assert clash(keys_of(rows_of(several, "first"), several, "positives"), 0, 1)


def test_documents_apart() -> None:
    records = [
        record("q1", "p1", doc="d"),
        record("q2", "p2", doc="d"),
        record("q3", "p3", doc="d", source="other"),
        record("q4", "p4"),
        record("q5", "p5"),
    ]
    rows = rows_of(records, "first")
    assert not clash(keys_of(rows, records, "positives"), 0, 1)
    keys = keys_of(rows, records, "documents")
    assert clash(keys, 0, 1)
    assert not clash(keys, 0, 2)
    assert not clash(keys, 3, 4)
