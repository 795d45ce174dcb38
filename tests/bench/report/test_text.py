"""The leaderboard as Markdown and CSV."""

import csv
import html
import io
import math
from typing import Any

import pytest
from markdown_it import MarkdownIt

from medloom.bench.report import render_csv, render_markdown
from medloom.bench.report.text import CSV_COLUMNS


def lines_of(board: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv(board))))


def rendered(board: dict[str, Any]) -> str:
    return str(MarkdownIt("commonmark").enable("table").render(render_markdown(board)))


def spoiled(value: Any, text: str) -> Any:
    """The value with every text in it replaced, but for ids and the words that the board's code writes."""
    if isinstance(value, dict):
        kept = ("id", "model", "task", "a", "b", "verdict", "type", "kind")
        return {key: held if key in kept and isinstance(held, str) else spoiled(held, text) for key, held in value.items()}
    if isinstance(value, list):
        return [spoiled(held, text) for held in value]
    return text if isinstance(value, str) else value


def test_the_csv_has_a_line_for_each_model_and_task_and_each_macro_mean(board: dict[str, Any]) -> None:
    lines = lines_of(board)
    assert tuple(lines[0]) == CSV_COLUMNS
    assert sum(line["level"] == "task" for line in lines) == 5 * 24
    assert sum(line["level"] == "macro" for line in lines) == 5
    assert len({(line["model"], line["task"]) for line in lines}) == len(lines)


def test_the_csv_gives_every_figure_back_whole(board: dict[str, Any]) -> None:
    names = {m["id"]: m["name"] for m in board["models"]}
    held = {(line["model"], line["task"]): line for line in lines_of(board)}
    for score in board["scores"]:
        line = held[names[score["model"]], score["task"]]
        assert line["score"] == ("" if score["score"] is None else repr(score["score"]))
        assert line["rank"] == str(score["rank"] or "")
        assert line["error"] == (score["error"] or "")
    for macro in board["macro"]:
        line = held[names[macro["model"]], ""]
        assert float(line["score"]) == macro["score"]
        assert line["rank"] == str(macro["rank"] or "")
    overlap = held["quickstart/model", "HpoLayToTerm"]
    assert (overlap["overlap_share"], overlap["overlap_checked"], overlap["overlap_ngram"]) == ("0.0312", "1840", "44")
    assert held["bm25", "dose"]["parameters"] == ""
    assert held["all-MiniLM-L6-v2", "dose"]["parameters"] == "22713216"


def test_the_csv_says_what_kind_of_figure_it_is(board: dict[str, Any]) -> None:
    held = {(line["model"], line["task"]): line["status"] for line in lines_of(board)}
    assert held["bm25", "HpoOrganClusters"] == "not applicable"
    assert held["mini-late-interaction-96d", "TrialsArmsPairClassification"] == "failed"
    assert held["Published-base-v1.5", "HpoLayToTerm"] == "published"
    assert held["bm25", ""] == "incomplete"
    assert held["quickstart/model", ""] == "measured"


def test_hostile_names_come_back_from_the_csv(board: dict[str, Any]) -> None:
    board["models"][0]["name"] = 'a,"b"\nc; </script>'
    assert lines_of(board)[24]["model"] == 'a,"b"\nc; </script>'


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_text_of_the_csv_runs_as_a_formula(board: dict[str, Any], start: str) -> None:
    board["models"][0]["name"] = f"{start}1+1"
    board["scores"][0] |= {"score": -0.25}
    line = lines_of(board)[24]
    assert line["model"] == f"'{start}1+1"
    assert line["score"] == "-0.25"


def test_markdown_shows_means_marks_and_contamination(board: dict[str, Any]) -> None:
    text = render_markdown(board)
    macro = next(m for m in board["macro"] if m["model"] == "m1")
    row = next(line for line in text.splitlines() if line.startswith("| quickstart/model |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:4] == ["1", f"{macro['score']:.3f}", f"{macro['ci_low']:.3f} to {macro['ci_high']:.3f}"]
    task = next(line for line in text.splitlines() if line.startswith("| HpoLayToTerm |"))
    assert "‡ 3.1% ★" in task
    assert "not applicable" in next(line for line in text.splitlines() if line.startswith("| HpoOrganClusters |"))
    assert "†" in next(line for line in text.splitlines() if line.startswith("| MedQuadQuestionRetrieval |"))
    assert text.index("## Warnings") < text.index("## Leaderboard")


def test_markdown_without_tests_has_no_mark(board: dict[str, Any]) -> None:
    body = render_markdown(board | {"pairs": []}).split("## Scores by task")[1]
    rows = [line for line in body.splitlines() if line.startswith("| ")]
    assert rows
    assert not any("★" in row or "≈" in row for row in rows)


@pytest.mark.parametrize(
    "name", ["a|b", "`a`|`b`", "a\\|b", "\\", "|", "a\n| b | c |", "**a**", "[a](http://b)", "<b>a</b>"]
)
def test_markdown_tables_keep_their_columns(board: dict[str, Any], name: str) -> None:
    board["models"][0]["name"] = name
    board["tasks"][0]["name"] = name
    page = rendered(board)
    whole = rendered(board | {"models": [m | {"name": "plain"} if m["id"] == "m0" else m for m in board["models"]]})
    assert page.count("<td") == whole.count("<td")
    assert page.count("<tr") == whole.count("<tr")
    for tag in ("<b>", "<a ", "<strong>", "<code>"):
        assert tag not in page


@pytest.mark.parametrize(
    "text", ["- a", "# a", "1. a", "1) a", "=", "a_b_c", "&lt;b&gt;", "a & b", "<b>", "$x$", "~~a~~", "+ a"]
)
def test_markdown_gives_a_text_back_as_it_is(text: str) -> None:
    page = rendered({"warnings": [text], "command": text})
    assert f"<li>{html.escape(text, quote=False)}</li>" in page


def test_markdown_makes_no_markup_of_hostile_texts(board: dict[str, Any], hostile: str) -> None:
    text = render_markdown(spoiled(board, hostile))
    page = str(MarkdownIt("commonmark").enable("table").render(text))
    for tag in ("<script", "<img", "<a ", "<code", "<strong", "<em", "</style"):
        assert tag not in page
    assert "\x00" not in text
    assert "\u202e" not in text
    text.encode("utf-8")


@pytest.mark.parametrize("empty", [{}, {"models": [], "tasks": [], "scores": []}, {"models": [{"id": "m", "name": "m"}]}])
def test_empty_boards_have_texts(empty: dict[str, Any]) -> None:
    assert "nothing to compare" in render_markdown(empty)
    lines = lines_of(empty)
    assert len(lines) == len(empty.get("models", []))


def test_nan_is_never_written(board: dict[str, Any]) -> None:
    for row in (*board["scores"], *board["macro"]):
        row |= {"score": math.nan, "ci_low": math.nan, "ci_high": None}
    for model in board["models"]:
        model |= {"latency_ms": math.nan, "texts_per_second": None}
    for text in (render_markdown(board), render_csv(board)):
        assert "nan" not in text.lower().replace("nano", "")
