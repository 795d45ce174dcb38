"""The HTML report: what it says, what it refuses to run, and how it is drawn."""

import html
import json
import math
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from medloom.publish.report_html import (
    Row,
    clip,
    duration,
    moment,
    narrow_forest,
    outcome,
    printable,
    render,
    scale,
    signed,
    stage_view,
    task_rows,
    ticks,
    verdict_sentence,
    verdict_word,
    web_link,
    wide_forest,
)


class Page(HTMLParser):
    """Elements with their attributes, the text, and tags left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "wbr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.elements if tag in tags]


def spoiled(value: Any, text: str) -> Any:
    """The value with every text in it, and every key of an open mapping, replaced."""
    if isinstance(value, dict):
        return {text if key in ("no_text", "torch") else key: spoiled(held, text) for key, held in value.items()}
    if isinstance(value, list):
        return [spoiled(held, text) for held in value]
    return text if isinstance(value, str) else value


def rows_of(*figures: tuple[float, float, float]) -> list[Row]:
    return task_rows(
        {"name": f"task {i}", "base": 0.5, "tuned": 0.5 + delta, "delta": delta, "ci_low": low, "ci_high": high}
        for i, (low, delta, high) in enumerate(figures)
    )


def cells(page: str, heading: str) -> list[str]:
    """Texts of the cells in the row whose first cell is the heading."""
    for row in re.findall(r"<tr>.*?</tr>", page.replace("<wbr>", ""), re.S):
        found = [" ".join(re.sub(r"<[^>]+>", "", cell).split()) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]
        if found[0] == heading:
            return found
    raise AssertionError(f"no row {heading}")


def test_the_table_holds_every_figure(report: dict[str, Any]) -> None:
    page = render(report)
    assert cells(page, "TermLookup") == [
        "TermLookup", "Retrieval", "nDCG@10", "0.5127", "0.6391", "+0.1264", "+0.1012 to +0.1519", "1,840 queries",
        "better",
    ]  # fmt: skip
    assert cells(page, "OrganSystemClusters")[-3:] == [
        "−0.0085 to +0.0431",
        "200 resamples of documents",
        "no difference",
    ]
    assert cells(page, "GeneralQuestions")[-1] == "worse"
    for task in report["tasks"]:
        row = cells(page, task["name"])
        assert row[3:6] == [f"{task['base']:.4f}", f"{task['tuned']:.4f}", signed(task["delta"])]


def test_every_section_shows_its_facts(report: dict[str, Any]) -> None:
    text = Page(render(report)).text
    for expected in (
        "Better on 4 of 7 tasks, worse on 1; no difference shown on 2.",
        "2,387 dropped: 1,713 no text 674 exact duplicate",
        "Rows by reason: 71,220 synonym",
        "13 min 24 s, peak 2,318 MiB",
        "1,204 exact copies, 7,719 near duplicates, 2,441 that share",
        "First relevant text at rank 3",
        "✓ relevant, similarity 0.834",
        "CC BY 4.0",
        "12 March 2026, 10:22 UTC",
        report["model"]["hash"],
        report["base"]["hash"],
        "learning_rate: 2.0e-05",
        "sentence-transformers 6.0.1",
        "Linux x86_64, 8 cores, 32 GiB, no GPU",
    ):
        assert expected in text


def test_the_page_is_well_formed_and_accessible(report: dict[str, Any]) -> None:
    page = Page(render(report))
    assert page.open == []
    ids = [attrs["id"] for _, attrs in page.elements if attrs.get("id")]
    assert len(ids) == len(set(ids))
    named = {name for _, attrs in page.elements for name in (attrs.get("aria-labelledby") or "").split()}
    assert named <= set(ids)
    assert all(svg.get("role") == "img" and svg.get("aria-labelledby") for svg in page.all("svg"))
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) == 2
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_hostile_text_is_shown_and_never_runs(report: dict[str, Any], hostile: str) -> None:
    raw = render(spoiled(report, hostile))
    page = Page(raw)
    assert page.all("script", "img", "iframe", "object", "base") == []
    assert page.open == []
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7*7 }}" in page.text
    raw.encode("utf-8")


def test_the_page_loads_nothing(report: dict[str, Any]) -> None:
    page = Page(render(report))
    policy = next(m["content"] or "" for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "script-src 'none'" in policy
    assert not any("src" in attrs or "srcset" in attrs or "style" in attrs for _, attrs in page.elements)
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    for link in page.all("a"):
        assert (link["href"] or "").startswith(("#", "https://example.org/"))
    style = re.search(r"<style>(.*?)</style>", render(report), re.S)
    assert style
    assert not re.search(r"url\(|@import|@font-face", style[1])


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//x", "http://[", 7],
)
def test_only_web_addresses_become_links(report: dict[str, Any], url: object) -> None:
    report["sources"][0]["url"] = url
    assert web_link(url) == ""
    assert all((link["href"] or "").startswith("#") for link in Page(render(report)).all("a"))


def test_empty_lists_read_sensibly(report: dict[str, Any]) -> None:
    empty = {"verdict": {"better": 0, "worse": 0, "same": 0}, "settings": {}, "environment": {}}
    lists: dict[str, Any] = {"tasks": [], "stages": [], "examples": [], "sources": []}
    page = Page(render(report | empty | lists))
    assert page.open == []
    assert page.all("svg", "table", "ol") == []
    for said in ("No task was measured.", "measured no tasks", "No stages", "no example", "No sources", "No settings"):
        assert said in page.text


def test_optional_parts_may_be_absent(report: dict[str, Any]) -> None:
    needed = {key: report[key] for key in ("name", "created", "seed", "medloom_version", "base", "model")}
    assert Page(render(needed)).open == []
    report["sources"] = [{"name": "bare", "release": "", "licence": "", "citation": "", "documents": 1}]
    report["examples"] = [
        {
            "task": "t",
            "query": "q",
            "relevant": [],
            "base": [],
            "tuned": [{"text": "", "score": None, "relevant": False}],
        }
    ]
    text = Page(render(report)).text
    assert "Nothing was ranked" in text
    assert "No relevant text among the first 1" in text


def test_a_task_without_figures_is_listed_and_not_drawn(report: dict[str, Any]) -> None:
    report["tasks"] = report["tasks"][:2]
    report["tasks"][0] |= {"tuned": None, "delta": None, "ci_low": math.nan, "ci_high": None}
    page = render(report)
    assert cells(page, "TermLookup")[3:7] == ["0.5127", "–", "–", "– to –"]
    assert cells(page, "TermLookup")[-1] == "not measured"
    assert page.count('class="whisker') == 2


@pytest.mark.parametrize("draw", [wide_forest, narrow_forest])
@pytest.mark.parametrize(
    "figures",
    [
        [(0.01, 0.02, 0.03), (-0.4, -0.2, 0.1), (0.0, 0.0, 0.0)],
        [(0.2, 0.3, 0.4)],
        [(-0.4, -0.3, -0.2)],
        [(0.0, 0.0, 0.0)] * 3,
        [(1e-9, 2e-9, 3e-9)],
        [(-100.0, 3.0, 100.0)],
    ],
)
def test_marks_stand_inside_the_drawing(draw: Any, figures: list[tuple[float, float, float]]) -> None:
    forest = draw(rows_of(*figures))
    assert forest.left < forest.zero < forest.right
    for mark in forest.marks:
        assert forest.left <= mark.low <= mark.dot <= mark.high <= forest.right
        assert 0 < mark.y < forest.axis_y < forest.height
    assert [m.y for m in forest.marks] == sorted({m.y for m in forest.marks})
    places = [tick.x for tick in forest.ticks]
    assert places == sorted(set(places))
    assert all(forest.left <= x <= forest.right for x in places)
    assert [tick.label for tick in forest.ticks if tick.x == forest.zero] == ["0"]
    assert len({tick.label for tick in forest.ticks}) == len(places) >= 1


def test_all_marks_share_one_scale() -> None:
    forest = wide_forest(rows_of((0.1, 0.2, 0.3), (0.2, 0.2, 0.4)))
    assert forest.marks[0].dot == forest.marks[1].dot == forest.marks[1].low
    assert forest.marks[0].dot - forest.zero == pytest.approx(2 * (forest.marks[0].low - forest.zero), abs=0.3)


def test_an_axis_of_nothing_is_centred_on_zero() -> None:
    axis = scale([0.0, 0.0], 0, 100)
    assert axis.at(0) == 50
    assert [tick.label for tick in ticks(axis, 5)] == ["−0.010", "−0.005", "0", "+0.005", "+0.010"]


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.01, 0.02, "better"), (-0.2, -0.1, "worse"), (-0.1, 0.1, "no difference"), (0.0, 0.1, "no difference"),
        (-0.1, 0.0, "no difference"), (math.nan, 0.1, "not measured"),
    ],
)  # fmt: skip
def test_verdict_words(low: float, high: float, word: str) -> None:
    assert verdict_word(low, high) == word


def test_verdict_sentences() -> None:
    assert verdict_sentence({"better": 5, "worse": 0, "same": 2}) == (
        "Better on 5 of 7 tasks, worse on none; no difference shown on 2."
    )
    assert verdict_sentence({"better": 1, "worse": 0, "same": 0}) == "Better on 1 of 1 task, worse on none."
    assert verdict_sentence({"better": 0, "worse": 2, "same": 0}) == "Better on none of 2 tasks, worse on 2."
    assert [outcome({"better": b, "worse": w}) for b, w in ((1, 0), (0, 1), (1, 1), (0, 0))] == [
        "better", "worse", "no-difference", "no-difference",
    ]  # fmt: skip


def test_counts_are_called_dropped_only_where_they_add_up() -> None:
    stage = {"name": "guard", "rows_in": 10, "rows_out": 7, "counts": {"a_b": 1, "c": 2}}
    assert stage_view(stage)["dropped"] == 3
    assert stage_view(stage)["counts"] == [("c", 2), ("a b", 1)]
    assert stage_view(stage | {"counts": {"kept": 7}})["dropped"] == 0
    assert stage_view(stage | {"rows_out": 20})["dropped"] == 0


def test_figures_in_words() -> None:
    assert [signed(v) for v in (0.0, 0.00001, -0.25, math.nan)] == ["0.0000", "+1.0e−05", "−0.2500", "–"]
    assert [duration(v) for v in (0.04, 59.96, 3599.6, 7260)] == ["0.0 s", "1 min 00 s", "1 h 00 min", "2 h 01 min"]
    assert moment("2026-01-02T03:04:05Z") == "2 January 2026, 03:04 UTC"
    assert moment("yesterday") == "yesterday"


def test_labels_are_cut_to_their_room() -> None:
    assert clip("short", 200) == "short"
    assert clip("two\nlines", 200) == "two lines"
    assert clip("W" * 50, 135) == "W" * 9 + "…"
    assert len(clip("漢" * 50, 135)) < 10
    assert clip("x", 0) == "…"


def test_control_characters_become_visible() -> None:
    assert printable("a\x00\ud800\x1b\nb") == "a���\nb"
    assert printable(3) == 3


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_keep_the_contrast_of_wcag_aa(report: dict[str, Any]) -> None:
    themes = re.findall(r":root \{(.*?)\}", render(report))
    assert len(themes) == 2
    for theme in themes:
        colours = dict(re.findall(r"--(\w+): (#\w{6})", theme))
        for ground in ("bg", "wash"):
            for ink in ("ink", "soft", "better", "worse", "same", "link"):
                dark, light = sorted((_luminance(colours[ground]), _luminance(colours[ink])))
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ground, ink)


MEASURE = """<!doctype html><meta charset="utf-8"><body><script>
addEventListener("load", () => {
  const found = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument;
    const shown = [...page.querySelectorAll("svg")].filter(svg => svg.getBoundingClientRect().width > 0);
    const cut = shown.flatMap(svg => [...svg.querySelectorAll("text")].filter(text => {
      const outer = svg.getBoundingClientRect(), inner = text.getBoundingClientRect();
      return inner.left < outer.left - 1 || inner.right > outer.right + 1;
    }));
    found[frame.width] = {
      wide: page.documentElement.scrollWidth, drawn: shown.map(svg => svg.getAttribute("class")),
      cut: cut.map(text => text.textContent), scripts: page.querySelectorAll("script, img").length,
      ground: getComputedStyle(page.body).color, heading: page.querySelector("h1").textContent.length,
    };
  }
  document.body.innerHTML = "<output></output>";
  document.querySelector("output").textContent = JSON.stringify(found);
});
</script>"""


@pytest.mark.browser
@pytest.mark.parametrize("texts", ["realistic", "hostile"])
def test_the_page_fits_every_width(
    report: dict[str, Any], hostile: str, texts: str, tmp_path: Path, dump_dom: Callable[[Path], str]
) -> None:
    page = html.escape(render(spoiled(report, hostile) if texts == "hostile" else report))
    frames = "".join(f'<iframe width="{width}" height="800" srcdoc="{page}"></iframe>' for width in (320, 390, 760, 1200))
    outer = tmp_path / "outer.html"
    outer.write_text(MEASURE + frames, "utf-8")
    output = re.search(r"<output>(.*?)</output>", dump_dom(outer), re.S)
    assert output
    found = json.loads(html.unescape(output[1]))
    assert found.keys() == {"320", "390", "760", "1200"}
    for width, facts in found.items():
        assert facts["wide"] <= int(width)
        assert facts["drawn"] == ["forest-wide" if int(width) > 832 else "forest-narrow"]
        assert facts["cut"] == []
        assert facts["scripts"] == 0
        assert facts["heading"] <= 165
        assert facts["ground"] in ("rgb(23, 33, 43)", "rgb(228, 233, 238)")


@pytest.mark.browser
def test_the_file_opens_as_it_is(report: dict[str, Any], tmp_path: Path, dump_dom: Callable[[Path], str]) -> None:
    path = tmp_path / "report.html"
    path.write_text(render(report), "utf-8")
    dom = dump_dom(path)
    assert "<h1" in dom
    assert dom.count("<article>") == len(report["examples"])
    assert cells(dom, "SynonymPairs")[-1] == "better"
