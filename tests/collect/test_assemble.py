"""Parts put together: every document once, as it came last, under all its categories."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from medloom.collect.assemble import assembled
from medloom.collect.parts import GONE, write_part
from medloom.records import Document


def _doc(identity: str, text: str = "t", *categories: str) -> Document:
    return Document(identity, "s", text=text, categories=categories)


def _gone(identity: str) -> Document:
    return Document(identity, GONE)


def _put_together(folder: Path, *parts: list[Document]) -> tuple[list[Document], dict[str, int]]:
    paths = []
    for number, rows in enumerate(parts):
        paths.append(folder / f"{number}.parquet")
        write_part(paths[-1], rows)
    counts: dict[str, int] = {}
    return list(assembled(paths, counts)), counts


def test_a_document_that_comes_twice_is_there_as_it_came_last_under_all_categories(tmp_path: Path) -> None:
    rows, counts = _put_together(
        tmp_path,
        [_doc("1", "old", "a"), _doc("2", "t", "a"), _doc("3", "t", "a")],
        [_doc("1", "new", "b"), _doc("3", "t", "a")],
    )
    assert rows == [_doc("2", "t", "a"), _doc("1", "new", "a", "b"), _doc("3", "t", "a")]
    assert counts == {"again": 2, "withdrawn": 0}


def test_what_was_withdrawn_is_gone_unless_it_came_back(tmp_path: Path) -> None:
    rows, counts = _put_together(
        tmp_path,
        [_doc("1"), _doc("2", "t", "a"), _doc("3")],
        [_gone("1"), _gone("2"), _gone("9")],
        [_doc("2", "again", "b")],
    )
    assert rows == [_doc("3"), _doc("2", "again", "a", "b")]
    assert counts == {"again": 1, "withdrawn": 1}


def test_nothing_gives_nothing(tmp_path: Path) -> None:
    assert _put_together(tmp_path) == ([], {"again": 0, "withdrawn": 0})
    assert _put_together(tmp_path, []) == ([], {"again": 0, "withdrawn": 0})


EVENTS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from((None, "x", "y")), st.sampled_from("12")), max_size=12)


@given(EVENTS, st.integers(1, 4))
def test_it_is_what_going_through_the_rows_gives(events: list[tuple[str, str | None, str]], size: int) -> None:
    rows = [_gone(i) if category is None else _doc(i, text, category) for i, category, text in events]
    expected: dict[str, str] = {}
    categories: dict[str, list[str]] = {}
    for identity, category, text in events:
        expected.pop(identity, None)
        if category is not None:
            expected[identity] = text
            if category not in categories.setdefault(identity, []):
                categories[identity].append(category)
    with tempfile.TemporaryDirectory() as folder:
        found, _ = _put_together(Path(folder), *(rows[i : i + size] for i in range(0, len(rows), size)))
    assert [(d.id, d.text, list(d.categories)) for d in found] == [(i, t, categories[i]) for i, t in expected.items()]
