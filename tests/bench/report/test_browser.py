"""The leaderboard in a headless browser: sorting, filters, the pairs, and its fit at every width."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medloom.bench.report import render_html

pytestmark = pytest.mark.browser
Open = Callable[[Path], Any]

PROBE = """
window.troubles = [];
addEventListener("error", (event) => troubles.push(String(event.message)));
document.addEventListener("securitypolicyviolation", (event) => troubles.push(event.violatedDirective));
"""
DRIVER = """
const board = document.getElementById("board");
const names = () => [...board.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[0].dataset.v);
const heads = () => [...board.tHead.rows[0].cells];
const head = (text) => heads().find((th) => th.textContent.includes(text));
const press = (text) => head(text).querySelector("button").click();
const shown = () => heads().filter((th) => !th.hidden && "task" in th.dataset).length;
const column = (text) => {
  const at = heads().indexOf(head(text));
  return Object.fromEntries([...board.querySelectorAll("tbody tr")].map((row) =>
    [row.cells[0].dataset.v, row.cells[at].innerText.trim()]));
};
const tick = (name, value) => document.querySelector(`[name=${name}][value="${value}"]`).click();
const only = (name, value) =>
  document.querySelectorAll(`[name=${name}]`).forEach((box) => { if (box.checked !== (box.value === value)) box.click(); });
const status = () => document.getElementById("shown").textContent;
const sorted = () => heads().filter((th) => th.hasAttribute("aria-sort")).map((th) => th.getAttribute("aria-sort"));
const opened = () => [...document.querySelectorAll("details.duel[open] > div")].map((panel) => panel.id);
(() => {
  const told = {};
  try { (() => { STEPS })(); } catch (error) { troubles.push(String(error)); }
  told.troubles = troubles;
  told.requests = performance.getEntriesByType("resource").map((entry) => entry.name);
  const output = document.createElement("output");
  output.textContent = JSON.stringify(told);
  document.body.append(output);
})();
"""


def _hash(script: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"


@pytest.fixture
def drive(board: dict[str, Any], tmp_path: Path, open_page: Open) -> Callable[[str], dict[str, Any]]:
    """Runs steps in the page, with its policy in force but for these two scripts, and gives what they told."""

    def run(steps: str) -> dict[str, Any]:
        driver = DRIVER.replace("STEPS", steps)
        page = render_html(board).replace("script-src ", f"script-src {_hash(PROBE)} {_hash(driver)} ", 1)
        page = page.replace("<title>", f"<script>{PROBE}</script><title>", 1)
        path = tmp_path / "driven.html"
        path.write_text(page.replace("</body>", f"<script>{driver}</script></body>"), "utf-8")
        found = re.search(r"<output>(.*?)</output>", open_page(path).dom, re.S)
        assert found
        told: dict[str, Any] = json.loads(html.unescape(found[1]))
        assert told.pop("troubles") == []
        assert told.pop("requests") == []
        return told

    return run


def test_sorting_by_a_column_changes_the_order(drive: Callable[[str], dict[str, Any]]) -> None:
    told = drive("""
        told.start = names();  told.first = sorted();
        press("Latency");  told.latency = names();  told.ascending = sorted();
        press("Latency");  told.slowest = names();  told.descending = sorted();
        press("Model");  told.model = names();
        press("Macro mean");  told.macro = names();
        press("Clustering");  told.clustering = names();
        press("HpoLayTo");  told.task = names();
        told.all = [...board.tBodies[1].rows].length;
    """)
    assert told["start"] == ["quickstart/model", "all-MiniLM-L6-v2", "mini-late-interaction-96d", "bm25"]
    assert told["latency"] == ["bm25", "all-MiniLM-L6-v2", "quickstart/model", "mini-late-interaction-96d"]
    assert told["slowest"] == told["latency"][::-1]
    assert (told["first"], told["ascending"], told["descending"]) == (["ascending"], ["ascending"], ["descending"])
    assert told["model"] == ["all-MiniLM-L6-v2", "bm25", "mini-late-interaction-96d", "quickstart/model"]
    assert told["macro"] == told["start"]
    assert told["clustering"][:2] == ["quickstart/model", "all-MiniLM-L6-v2"]
    assert told["task"][0] == "quickstart/model"
    assert told["all"] == 1


def test_filters_hide_columns_and_mean_over_the_rest(board: dict[str, Any], drive: Callable[[str], dict[str, Any]]) -> None:
    told = drive("""
        told.before = [shown(), status(), column("Mean of shown")];
        only("type", "Retrieval");
        told.retrieval = [shown(), status(), column("Mean of shown"), head("plain mean").textContent];
        told.types = heads().filter((th) => "kind" in th.dataset && !th.hidden).map((th) => th.dataset.kind);
        tick("facet", "trials");
        told.less = [shown(), column("Mean of shown"), column("Retrieval"), head("Retrieval").textContent];
        tick("suite", "open");
        told.two = shown();
        document.querySelector("#filters button").click();
        told.after = [shown(), status(), column("Mean of shown")];
        document.querySelectorAll("[name=type]").forEach((box) => { if (box.checked) box.click(); });
        told.none = [shown(), status(), column("Mean of shown")["quickstart/model"]];
    """)

    def mean(model: str, *facets: str) -> str:
        kept = [t["name"] for t in board["tasks"] if t["type"] == "Retrieval" and (not facets or t["facet"] in facets)]
        scores = [s["score"] for s in board["scores"] if s["model"] == model and s["task"] in kept]
        return f"{sum(scores) / len(scores):.3f}"

    assert told["before"][:2] == [24, "Showing 24 of 24 tasks and 5 of 5 models."]
    held = [s["score"] for s in board["scores"] if s["model"] == "m2" and s["score"] is not None]
    assert told["before"][2]["bm25"].split() == [f"{sum(held) / 17:.3f}", "17", "of", "24", "tasks"]
    count, status, means, heading = told["retrieval"]
    assert count == 7
    assert status == "Showing 7 of 24 tasks and 5 of 5 models. Ranks and macro means are still over all tasks."
    assert means["bm25"] == mean("m2")
    assert means["Published-base-v1.5"] == mean("m4")
    assert "7 tasks" in heading
    assert told["types"] == ["Retrieval"]
    count, means, type_means, heading = told["less"]
    facets = ("terminology", "consumer", "exams")
    assert count == 5
    assert means["quickstart/model"] == type_means["quickstart/model"] == mean("m1", *facets)
    assert "5 of 7 tasks" in heading
    assert told["two"] == 2
    assert told["after"] == told["before"]
    assert told["none"] == [
        0,
        "Showing 0 of 24 tasks and 5 of 5 models. Ranks and macro means are still over all tasks.",
        "–",
    ]


def test_models_are_filtered_by_size_and_columns_by_kind(drive: Callable[[str], dict[str, Any]]) -> None:
    told = drive("""
        tick("size", "under 50 M");
        told.models = names();  told.status = status();
        tick("show", "costs");  tick("show", "tasks");  tick("show", "types");
        told.heads = heads().filter((th) => !th.hidden).length;
        told.shown = column("Mean of shown")["bm25"];
        tick("show", "tasks");  tick("show", "details");
        told.more = [...board.querySelectorAll("td:not([hidden]) .more")].filter((one) => one.offsetWidth).length;
    """)
    assert told["models"] == ["bm25"]
    assert told["status"] == "Showing 24 of 24 tasks and 2 of 5 models."
    assert told["heads"] == 4
    assert "17 of 24" in told["shown"]
    assert told["more"] == 0


def test_sorting_follows_the_filtered_mean(board: dict[str, Any], drive: Callable[[str], dict[str, Any]]) -> None:
    for score in board["scores"]:
        if (score["model"], score["task"]) == ("m2", "negation"):
            score["score"] = 0.999
    told = drive("""
        press("Mean of shown");  told.before = names();
        only("type", "MinimalPairs");  told.pairs = names();
        document.querySelectorAll("[name=show][value=details]").forEach((box) => box.click());
        told.sorted = sorted();
    """)
    means = {
        m["name"]: sum(s["score"] for s in board["scores"] if s["model"] == m["id"] and s["task"] in _CHECKS) / 6
        for m in board["models"][:4]
    }
    assert told["pairs"] == sorted(means, key=lambda name: -means[name])
    assert told["before"][:2] == ["quickstart/model", "all-MiniLM-L6-v2"]
    assert told["sorted"] == ["descending"]


_CHECKS = ("negation", "laterality", "dose", "family-history", "abbreviation", "lay-terms")


def test_a_field_of_the_matrix_opens_its_pair_on_click_and_on_focus(drive: Callable[[str], dict[str, Any]]) -> None:
    told = drive("""
        const links = [...document.querySelectorAll("#matrix a")];
        told.before = opened();
        links[0].click();  told.click = [opened(), links[0].hash];
        const other = links.find((link) => link.hash !== links[0].hash);
        other.focus();  told.focus = [opened(), other.hash];
        const panel = document.querySelector("details.duel[open]");
        told.rows = panel.querySelectorAll("tbody tr").length;
        told.drawn = [...panel.querySelectorAll("tbody svg.strip")].filter((svg) => svg.clientWidth > 100).length;
        told.says = links[0].getAttribute("aria-label");
    """)
    assert told["before"] == []
    for opened, link in (told["click"], told["focus"]):
        assert opened == [link[1:]]
    assert told["rows"] == told["drawn"] == 17
    assert told["says"].startswith("quickstart/model against all-MiniLM-L6-v2: better on 23, worse on 0")


def test_many_pairs_show_only_the_one_chosen(board: dict[str, Any], drive: Callable[[str], dict[str, Any]]) -> None:
    board["models"].append(board["models"][0] | {"id": "m5", "name": "another"})
    board["pairs"] += [board["pairs"][0] | {"a": "m5", "b": other} for other in ("m0", "m1")]
    told = drive("""
        const seen = () => [...document.querySelectorAll("details.duel")].filter((one) => !one.hidden).length;
        told.before = seen();
        document.querySelector("#matrix a").click();
        told.after = [seen(), opened().length];
    """)
    assert told == {"before": 0, "after": [1, 1]}


def test_the_legend_of_the_map_picks_out_a_label(drive: Callable[[str], dict[str, Any]]) -> None:
    told = drive("""
        const dim = () => document.querySelectorAll("#map path.dim").length;
        const buttons = document.querySelectorAll("#legend button");
        told.labels = buttons.length;
        buttons[2].click();  told.one = [dim(), buttons[2].getAttribute("aria-pressed")];
        buttons[2].click();  told.all = [dim(), buttons[2].getAttribute("aria-pressed")];
    """)
    assert told == {"labels": 10, "one": [18, "true"], "all": [0, "false"]}


def test_the_file_opens_as_it_is_without_a_word_in_the_console(
    board: dict[str, Any], tmp_path: Path, open_page: Open
) -> None:
    path = tmp_path / "board.html"
    path.write_text(render_html(board), "utf-8")
    opened = open_page(path)
    assert "CONSOLE" not in opened.log
    assert 'aria-sort="ascending"' in opened.dom
    path.write_text(render_html(board).replace('"use strict";', '"use strict";;'), "utf-8")
    changed = open_page(path)
    assert "CONSOLE" in changed.log
    assert 'aria-sort="' not in changed.dom
    assert "quickstart" in changed.dom


def test_a_hostile_board_runs_its_script_and_no_other(
    board: dict[str, Any], hostile: str, tmp_path: Path, open_page: Open
) -> None:
    for model in board["models"]:
        model["name"] = hostile
    for task in board["tasks"][:3]:
        task |= {"type": hostile, "facet": hostile, "suite": hostile}
    path = tmp_path / "board.html"
    path.write_text(render_html(board), "utf-8")
    opened = open_page(path)
    assert "CONSOLE" not in opened.log
    assert "Showing 24 of 24 tasks" in opened.dom


MEASURE = """<!doctype html><meta charset="utf-8"><body><script>
addEventListener("load", () => {
  const found = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument;
    page.querySelectorAll("details").forEach((one) => (one.open = true));
    const drawn = [...page.querySelectorAll("figure > svg")].filter((svg) => svg.getBoundingClientRect().width > 0);
    const cut = drawn.flatMap((svg) => [...svg.querySelectorAll("text")].filter((text) => {
      const outer = svg.getBoundingClientRect(), inner = text.getBoundingClientRect();
      return inner.left < outer.left - 1 || inner.right > outer.right + 1;
    }));
    const meets = (a, b) => a.left < b.right && b.left < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom;
    const overlaps = drawn.flatMap((svg) => {
      const boxes = [...svg.querySelectorAll("text.label")].map((text) => text.getBoundingClientRect());
      return boxes.filter((one, k) => boxes.slice(k + 1).some((other) => meets(one, other)));
    });
    const box = page.querySelector("#leaderboard .scroll");
    const first = page.querySelector("#board tbody th"), left = () => Math.round(first.getBoundingClientRect().left);
    const before = left();
    box.scrollLeft = 300;
    found[frame.width] = {
      wide: page.documentElement.scrollWidth, cut: cut.map((text) => text.textContent), overlaps: overlaps.length,
      drawn: [...new Set(drawn.map((svg) => svg.getAttribute("class")))], scrolled: box.scrollLeft, moved: left() - before,
      sorted: page.querySelectorAll("#board th[aria-sort]").length,
    };
  }
  document.body.innerHTML = "<output></output>";
  document.querySelector("output").textContent = JSON.stringify(found);
});
</script>"""


@pytest.mark.parametrize("texts", ["realistic", "hostile"])
def test_the_page_fits_every_width(board: dict[str, Any], hostile: str, texts: str, tmp_path: Path, open_page: Open) -> None:
    if texts == "hostile":
        board["title"] = board["machine"] = board["command"] = hostile
        board["warnings"] = [hostile]
        for row in (*board["models"], *board["tasks"]):
            row["name"] = hostile[:400] + row["name"] if "id" in row else row["name"]
        for row in board["tasks"]:
            row |= {"description": hostile, "source": hostile, "facet": hostile}
    page = html.escape(render_html(board))
    frames = "".join(f'<iframe width="{width}" height="800" srcdoc="{page}"></iframe>' for width in (320, 390, 760, 1200))
    outer = tmp_path / "outer.html"
    outer.write_text(MEASURE + frames, "utf-8")
    output = re.search(r"<output>(.*?)</output>", open_page(outer).dom, re.S)
    assert output
    found = json.loads(html.unescape(output[1]))
    assert found.keys() == {"320", "390", "760", "1200"}
    for width, facts in found.items():
        assert facts["wide"] <= int(width)
        assert facts["drawn"] == ["wide" if int(width) > 832 else "narrow"]
        assert facts["cut"] == []
        assert facts["overlaps"] == 0
        assert (facts["scrolled"], facts["moved"]) == (300, 0)
        assert facts["sorted"] == 1
