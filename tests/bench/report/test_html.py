"""The leaderboard's page as it is without a browser: what it says, escapes and forbids."""

import base64
import hashlib
import math
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from medloom.bench.report import render_html

BEFORE_TASKS = 14
VOID = ("meta", "link", "wbr", "input")


class Page(HTMLParser):
    """Elements with their attributes, the text outside scripts and styles, and tags left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.elements if tag in tags]


def spoiled(value: Any, text: str) -> Any:
    """The value with every text in it replaced, ids aside."""
    if isinstance(value, dict):
        kept = ("id", "model", "a", "b")
        return {key: held if key in kept else spoiled(held, text) for key, held in value.items()}
    if isinstance(value, list):
        return [spoiled(held, text) for held in value]
    return text if isinstance(value, str) else value


def row_of(page: str, model: str) -> list[str]:
    """Texts of the cells of a model's row in the leaderboard."""
    table = page[page.index('<table id="board"') :]
    for row in re.findall(r"<tr.*?</tr>", table[: table.index("</table>")].replace("<wbr>", ""), re.S):
        cells = [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]
        if cells[0].startswith(model):
            return cells
    raise AssertionError(f"no row {model}")


def test_the_table_holds_every_figure(board: dict[str, Any]) -> None:
    page = render_html(board)
    for model in board["models"]:
        cells = row_of(page, model["name"])[BEFORE_TASKS:]
        scores = [s for s in board["scores"] if s["model"] == model["id"]]
        assert len(cells) == len(scores) == 24
        for cell, score in zip(cells, scores, strict=True):
            expected = "failed" if score["error"] else "not" if score["score"] is None else f"{score['score']:.3f}"
            assert cell.split()[0] == expected
            if score["ci_low"] is not None:
                assert f"{score['ci_low']:.3f} to {score['ci_high']:.3f}" in cell
                assert f"rank {score['rank']}" in cell


def test_means_and_costs_stand_before_the_tasks(board: dict[str, Any]) -> None:
    page = render_html(board)
    macro = next(m for m in board["macro"] if m["model"] == "m1")
    scores = [s["score"] for s in board["scores"] if s["model"] == "m1"]
    assert row_of(page, "quickstart/model")[1:BEFORE_TASKS] == [
        "1",
        f"{macro['score']:.3f} {macro['ci_low']:.3f} to {macro['ci_high']:.3f}",
        f"{math.fsum(scores) / 24:.3f}",
        *(f"{value:.3f}" for value in macro["types"].values()),
        *("406", "14.4", "90.9", "384", "912"),
    ]
    bm25 = row_of(page, "bm25")
    assert bm25[1] == "–"
    assert bm25[2].endswith("not every task")
    assert bm25[3].endswith("17 of 24 tasks")
    assert bm25[9:BEFORE_TASKS] == ["21,500", "0.41", "–", "–", "912"]


def test_published_rows_are_told_apart_and_not_ranked(board: dict[str, Any]) -> None:
    page = render_html(board)
    cells = row_of(page, "Published-base-v1.5")
    assert "published, not measured here" in cells[0]
    assert cells[1] == "not ranked"
    assert page.count('class="published"') == 1
    assert "Table 3 of an invented paper" in Page(page).text


def test_stars_need_tests(board: dict[str, Any]) -> None:
    assert render_html(board).count('aria-label="best">★') >= 24
    without = render_html(board | {"pairs": []})
    assert 'aria-label="best"' not in without
    assert 'aria-label="not told apart from the best"' not in without


def test_contamination_is_marked_and_explained(board: dict[str, Any]) -> None:
    page = render_html(board)
    text = Page(page).text
    assert "‡ 3.1%" in row_of(page, "quickstart/model")[BEFORE_TASKS]
    assert "‡" not in row_of(page, "quickstart/model")[BEFORE_TASKS + 7]
    assert "† declared" in row_of(page, "Published-base-v1.5")[BEFORE_TASKS + 3]
    assert "trained on question and answer pairs of the same site (model card)" in text
    assert "3.1% 1,840 12 31 44" in text
    for score in board["scores"]:
        score |= {"declared": [], "overlap": None}
    assert "Nothing is declared" in Page(render_html(board)).text


def test_the_page_says_how_it_was_measured(board: dict[str, Any]) -> None:
    board["models"][0]["settings"]["prompts"] = {"query": "find: "}
    text = Page(render_html(board)).text
    for expected in (
        "bm25 and mini-late-interaction-96d cannot do clustering or classification",
        "First of 2 ranked models by macro mean: quickstart/model.",
        "12 March 2026, 10:22 UTC",
        "Linux x86_64, 2 cores",
        'query: "find: "',
        "Holm",
        "StageError: the token vectors of 12 texts do not fit",
        board["suites"][0]["fingerprint"],
        board["models"][0]["hash"],
        "1,200 resamples of documents",
    ):
        assert expected in text
    assert text.index("cannot do clustering") < text.index("First of 2 ranked")


def test_the_policy_names_the_script_and_nothing_else(board: dict[str, Any]) -> None:
    page = render_html(board)
    policy = next(m["content"] for m in Page(page).all("meta") if "http-equiv" in m)
    script = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert policy is not None
    assert dict(part.strip().split(" ", 1) for part in policy.split(";")) == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{digest}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_page_asks_nothing_of_the_network(board: dict[str, Any]) -> None:
    page = Page(render_html(board))
    for _, attrs in page.elements:
        for key in ("src", "href", "srcset", "action", "data", "poster"):
            assert (attrs.get(key) or "#").startswith(("#", "data:,"))
        assert not any(key.startswith("on") for key in attrs)
    assert not re.search(r"url\(|@import|https?:", render_html(board))


def test_tags_are_closed_and_ids_unique(board: dict[str, Any]) -> None:
    page = Page(render_html(board))
    assert page.open == []
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {href[1:] for attrs in page.all("a") if (href := attrs.get("href"))}
    assert targets <= set(ids)


def test_hostile_texts_stay_texts(board: dict[str, Any], hostile: str) -> None:
    harmless, harmed = Page(render_html(spoiled(board, "x"))), Page(render_html(spoiled(board, hostile)))
    assert harmed.open == []
    for tag in ("script", "img", "style", "svg", "title"):
        assert len(harmed.all(tag)) == len(harmless.all(tag))
    assert not harmed.all("img")
    assert len(harmed.all("script")) == 1
    assert not any(key.startswith("on") for _, attrs in harmed.elements for key in attrs)
    assert "{{ 7*7 }}" in harmed.text
    render_html(spoiled(board, hostile)).encode("utf-8")


@pytest.mark.parametrize(
    "empty",
    [
        {},
        {"models": [], "tasks": [], "scores": [], "macro": [], "pairs": [], "map": None, "warnings": [], "suites": []},
        {"models": [{"id": "m0", "name": "one"}]},
        {"tasks": [{"name": "t", "type": "Retrieval"}]},
    ],
)
def test_an_empty_board_says_so(empty: dict[str, Any]) -> None:
    page = Page(render_html(empty))
    assert page.open == []
    assert "nothing to compare" in page.text
    assert "No two models were compared" in page.text
    assert "There are no means to draw" in page.text
    assert not page.all("table") or "models" in empty or "tasks" in empty


def test_one_model_and_one_task_are_enough() -> None:
    board = {
        "models": [{"id": "m", "name": "one"}],
        "tasks": [{"name": "t", "type": "STS"}],
        "scores": [{"model": "m", "task": "t", "score": 0.5}],
    }
    page = render_html(board)
    assert row_of(page, "one")[3] == "0.500"
    assert 'name="type"' not in page
    assert 'name="show"' in page


def test_none_and_nan_are_dashes(board: dict[str, Any]) -> None:
    keys = ("score", "ci_low", "ci_high", "delta", "p", "p_holm", "macro_delta", "macro_low", "macro_high")
    for row in (*board["scores"], *board["macro"], *board["pairs"], *(d for p in board["pairs"] for d in p["tasks"])):
        row |= {key: math.nan for key in keys if key in row}
    for model in board["models"]:
        model |= {key: None for key in model if key not in ("id", "name", "kind", "reference")}
    page = render_html(board)
    assert not re.search(r"\bnan\b|\binf\b|\bNone\b", Page(page).text)
    assert 'd="M nan' not in page
    assert not re.search(r'="nan', page)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_colours_keep_the_contrast_of_wcag_aa() -> None:
    themes = re.findall(r":root \{(.*?)\}", render_html({}), re.S)
    assert len(themes) == 2
    for theme in themes:
        colours = dict(re.findall(r"--(\w+): (#\w{6})", theme))
        for ground in ("bg", "wash"):
            for ink in ("ink", "soft", "better", "worse", "same", "link", "warn"):
                assert _contrast(colours[ground], colours[ink]) >= 4.5, (ground, ink)
        for ink in ("ink", "warn"):
            assert _contrast(colours["warnwash"], colours[ink]) >= 4.5
        for mark in ("edge", *(f"c{k}" for k in range(8))):
            assert _contrast(colours["bg"], colours[mark]) >= 3, mark
