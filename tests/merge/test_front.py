"""The picture: whole, self-contained, and showing what the facts say."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from medloom.merge.front import draw, render_front
from medloom.merge.scores import Scores
from medloom.merge.sweep import Candidate, Sweep, front
from medloom.merge.ways import Layered, Linear, Way

VOID = {"meta", "link"}


def facts(general: bool = True, deep: bool = False) -> dict[str, Any]:
    ways: list[Way] = [Linear((n / 10, 1 - n / 10)) for n in range(10, -1, -1)]
    if deep:
        ways.append(Layered((0.2, 0.8), (0.6, 0.4)))
    candidates = [
        Candidate(way, Scores({"dev": 0.5 + 0.01 * n * (20 - n)}, {"g": 0.3 + 0.02 * n} if general else {}))
        for n, way in enumerate(ways)
    ]
    swept = Sweep(candidates, 10, 7, front(candidates), list(range(3, 11)), "mean", 0.01)
    return {
        "parents": [{"name": "<b>tuned</b>", "hash": "a" * 64}, {"name": "base", "hash": "b" * 64}],
        "sweep": swept.to_dict(),
    }


class Balanced(HTMLParser):
    """Fails where a tag is left open or closed twice."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("general", [True, False])
@pytest.mark.parametrize("deep", [True, False])
def test_the_page_is_whole_and_asks_for_nothing(general: bool, deep: bool) -> None:
    page = render_front(facts(general, deep))
    parser = Balanced()
    parser.feed(page)
    assert not parser.open
    assert parser.seen.count("svg") == 2 and "script" not in parser.seen
    assert not re.search(r"https?:|//[a-z]|url\(", page)
    assert "<b>tuned" not in page and "&lt;b&gt;tuned" in page
    assert ("nothing is known of what is lost" in page) == (not general)
    assert ("0.2, 0.8 to 0.6, 0.4" in page) == deep
    rows = re.findall(r"<tr class=\"\w+\">", page)
    assert len(rows) == 11 + deep and rows.count('<tr class="picked">') == 1


def test_the_drawing_shows_the_front_the_floor_and_the_pick() -> None:
    swept = facts()["sweep"]
    for wide in (True, False):
        drawing = draw(swept, wide)
        kinds = [spot.kind for spot in drawing.spots]
        assert kinds.count("picked") == 1 and kinds[7] == "picked" and kinds[0] == "pure"
        assert drawing.floor is not None and drawing.floor < drawing.spots[10].x
        xs, ys = zip(*((spot.x, spot.y) for spot in drawing.spots), strict=True)
        assert list(xs) == sorted(xs) and drawing.frame.left <= min(xs) and max(xs) <= drawing.frame.right
        assert list(ys) == sorted(ys, reverse=True) and drawing.frame.top <= min(ys)
        assert drawing.line == ""
        boxes = [spot.box for spot in drawing.spots if spot.box]
        assert boxes and not any(a.meets(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


def test_without_general_sets_the_weight_goes_to_the_right() -> None:
    drawing = draw(facts(general=False)["sweep"], wide=True)
    xs = [spot.x for spot in drawing.spots]
    assert xs == sorted(xs, reverse=True) and drawing.floor is None
