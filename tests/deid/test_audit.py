"""The audit's page: what it shows, escapes and forbids, and its filter in a browser."""

import html
import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.deid.scripted import Scripted

from medloom.deid.audit import LONGEST_NOTE, AuditSample, kind_rows, render_audit
from medloom.deid.config import DeidConfig
from medloom.deid.replace import Deidentifier, PartSpans
from medloom.deid.spans import SAFE_HARBOR, Kind, Span
from medloom.records import Document, Section

HOSTILE = "</script><script>alert(1)</script>\"><img src=x onerror=alert(2)>'{{ 7*7 }} </style></title> \u202e\u0000 حمى 🤒 "
TOLD: dict[str, Kind] = {"Gilbert": "NAME", "10/12/2023": "DATE", "Springfield": "CITY", HOSTILE: "OTHER"}
Notes = list[tuple[Document, list[PartSpans]]]


def _notes(*texts: str) -> tuple[Notes, Counter[Kind]]:
    deidentifier = Deidentifier(DeidConfig(method="tag"), Scripted(TOLD), b"k" * 32)
    documents = [
        Document(f"n{i}", "s", title="About Gilbert" if i == 0 else "", text=text, sections=(Section("Plan", "rest"),))
        for i, text in enumerate(texts)
    ]
    found = [parts for _, parts in deidentifier.many(documents)]
    return list(zip(documents, found, strict=True)), deidentifier.counts


def _page(*texts: str) -> str:
    notes, counts = _notes(*texts)
    return render_audit(notes, {str(kind): n for kind, n in counts.items()}, len(notes), "safe-harbor/1 tag scripted/1")


def test_spans_stand_in_place_beside_what_replaced_them() -> None:
    page = _page("Gilbert of Springfield, seen 10/12/2023.", "A cough.")
    text = re.search(r'<p class="part">text</p>\n<div class="text" dir="auto">(.*?)</div>', page)
    assert text
    plain = re.sub(r'<span class="(?:tag|new)">[^<]*</span>', "", text[1])
    assert re.sub(r"<[^>]+>", "", plain) == "Gilbert of Springfield, seen 10/12/2023."
    assert re.findall(r'data-kind="(\w+)"', text[1]) == ["NAME", "CITY", "DATE"]
    assert re.findall(r'<span class="new">([^<]*)</span>', text[1]) == ["[NAME]", "[CITY]", "[DATE]"]
    assert page.count("<mark") == 4
    assert "Nothing was found in this note." in page
    assert page.count('<p class="part">sections[0].heading</p>') == 2


def test_it_warns_and_counts_every_item_of_safe_harbor() -> None:
    page = _page("Gilbert Gilbert 10/12/2023")
    assert "This page holds patient text." in page
    rows = {row.kind: row for row in kind_rows({"NAME": 3, "DATE": 1})}
    assert rows.keys() == SAFE_HARBOR.keys()
    assert {row.letter for row in rows.values()} == set("ABCDEFGHIJKLMNOPQR")
    assert (rows["NAME"].count, rows["FAX"].count) == (3, 0)
    assert re.search(r'NAME</span></th><td>\(A\) Names</td><td class="num">3</td>', page)
    assert re.search(r'FAX</span></th><td>\(E\) Fax numbers</td><td class="num">0</td>', page)


def test_removed_identifiers_say_so() -> None:
    note = (Document("1", "s", text="Gilbert"), [PartSpans("text", (Span(0, 7, "NAME"),), ("",))])
    assert '<span class="new">(nothing)</span>' in render_audit([note], {"NAME": 1}, 1, "m")


def test_hostile_text_is_escaped_and_nothing_is_asked_of_the_network() -> None:
    notes, _ = _notes(f"Gilbert {HOSTILE} {HOSTILE}")
    document = Document(HOSTILE, "s", text=notes[0][0].text)
    page = render_audit([(document, notes[0][1])], {"OTHER": 2}, 1, HOSTILE)
    assert page.count("<script>") == 1
    assert "<img" not in page
    assert "alert(1)&lt;/script&gt;" in page
    assert "{{ 7*7 }}" in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy and "default-src 'none'" in policy[1] and "script-src 'sha256-" in policy[1]


def test_a_long_note_is_cut_before_a_span_and_says_so() -> None:
    text = "x" * (LONGEST_NOTE - 5) + " Gilbert and more"
    page = _page("y", text)
    assert 'data-kind="NAME"' in page  # of the first note's title
    assert f"{len(text) + 8 - LONGEST_NOTE:,} characters more are not shown." in page
    assert "and more" not in page


def test_no_notes() -> None:
    assert "There are no notes." in render_audit([], {}, 0, "m")


def test_the_sample_does_not_depend_on_the_order() -> None:
    documents = [Document(str(i), "s", text="x") for i in range(50)]

    def drawn(order: list[Document], seed: int) -> list[str]:
        sample = AuditSample(7, seed)
        for document in order:
            sample.add(document, [])
        return [document.id for document, _ in sample.notes()]

    forward = drawn(documents, 0)
    assert len(forward) == 7
    assert forward == sorted(forward, key=int)
    assert sorted(drawn(documents[::-1], 0)) == sorted(forward)
    assert drawn(documents, 1) != forward
    assert len(drawn(documents[:3], 0)) == 3


def _contrast(one: str, other: str) -> float:
    """WCAG 2's ratio of two colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_text_has_enough_contrast_by_day_and_by_night() -> None:
    page = _page("x")
    schemes = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", page, re.S)]
    assert len(schemes) == 2
    for scheme in schemes:
        for ground in ("bg", "wash", "name", "place", "date", "contact", "number", "other"):
            assert _contrast(scheme["ink"], scheme[ground]) >= 4.5
        for ink, ground in (("soft", "bg"), ("warn", "warnwash"), ("link", "bg")):
            assert _contrast(scheme[ink], scheme[ground]) >= 4.5
        assert _contrast(scheme["edge"], scheme["bg"]) >= 3


DRIVER = """
(() => {
  const told = { troubles: [] };
  const tick = (kind) => document.querySelector(`[name=kind][value=${kind}]`).click();
  const lit = () => [...document.querySelectorAll("mark:not(.off)")].map((mark) => mark.dataset.kind);
  const notes = () => [...document.querySelectorAll(".note:not([hidden]) h3")].map((head) => head.textContent);
  const said = () => document.getElementById("at").textContent;
  try {
    told.start = [lit(), notes(), said()];
    tick("NAME");
    told.filtered = [lit(), notes(), said()];
    document.getElementById("next").click();
    told.first = [document.activeElement.dataset.kind, said()];
    document.getElementById("previous").click();
    told.back = [document.activeElement.dataset.kind, said()];
    document.getElementById("no").click();
    told.none = [lit(), notes().length, said()];
    document.getElementById("all").click();
    told.all = [lit().length, said()];
    document.dispatchEvent(new KeyboardEvent("keydown", { key: "n" }));
    told.key = said();
    told.wide = document.documentElement.scrollWidth <= innerWidth;
    told.requests = performance.getEntriesByType("resource").length;
  } catch (error) { told.troubles.push(String(error)); }
  const output = document.createElement("output");
  output.textContent = JSON.stringify(told);
  document.body.append(output);
})();
"""


def _driven(page: str, folder: Path, width: int) -> dict[str, Any]:
    import base64
    import hashlib

    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    chromium = next((one for one in found if one), None)
    if chromium is None:
        pytest.skip("no chromium on this machine")
    own = "'sha256-" + base64.b64encode(hashlib.sha256(DRIVER.encode()).digest()).decode() + "'"
    page = page.replace("script-src ", f"script-src {own} ", 1).replace("</body>", f"<script>{DRIVER}</script></body>")
    path = folder / "audit.html"
    path.write_text(page, "utf-8")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--virtual-time-budget=4000",
        "--dump-dom",
    ]
    command = [chromium, *options, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900", path.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    output = re.search(r"<output>(.*?)</output>", done.stdout.decode("utf-8"), re.S)
    assert output
    told: dict[str, Any] = json.loads(html.unescape(output[1]))
    return told


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1200])
def test_the_filter_and_the_steps_work(tmp_path: Path, width: int) -> None:
    page = _page("Gilbert of Springfield, seen 10/12/2023.", "Gilbert.", "A cough.", HOSTILE + "in Springfield " + "W" * 500)
    told = _driven(page, tmp_path, width)
    assert told["troubles"] == []
    assert told["start"] == [
        ["NAME", "NAME", "CITY", "DATE", "NAME", "OTHER", "CITY"],
        ["n0", "n1", "n2", "n3"],
        "7 marked, 4 of 4 notes",
    ]
    assert told["filtered"] == [["CITY", "DATE", "OTHER", "CITY"], ["n0", "n3"], "4 marked, 2 of 4 notes"]
    assert told["first"] == ["CITY", "1 of 4, 2 of 4 notes"]
    assert told["back"] == ["CITY", "4 of 4, 2 of 4 notes"]
    assert told["none"] == [[], 4, "0 marked, 4 of 4 notes"]
    assert told["all"] == [7, "7 marked, 4 of 4 notes"]
    assert told["key"] == "1 of 7, 4 of 4 notes"
    assert told["wide"] is True
    assert told["requests"] == 0
