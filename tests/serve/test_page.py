"""The page in a real browser: search, filters, comparison, what is empty or fails, keys, the map, and hostile documents."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from tests.search.memory_store import MemoryStore
from tests.serve.chromium import Chromium
from tests.serve.corpus import an_app, an_index

from medloom.encode import Encoder
from medloom.serve.keys import Keys

pytestmark = pytest.mark.browser
TITLES = "[...document.querySelectorAll('.results h2 a')].map((a) => a.textContent)"
DONE = "!document.querySelector('.busy') && document.querySelectorAll('.results li').length"


class _Server(uvicorn.Server):
    """A server in a thread."""

    def __enter__(self) -> str:
        self._thread = threading.Thread(target=self.run)
        self._thread.start()
        while not self.started:
            time.sleep(0.01)
        return f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self.should_exit = True
        self._thread.join(20)


def _serve(model: Path, encoder: Encoder, names: tuple[str, ...] = ("main",), keys: Keys | None = None) -> _Server:
    app = an_app(model, {name: an_index(encoder) for name in names}, keys)
    return _Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on"))


@pytest.fixture(scope="module")
def server(tiny_model: Path, tiny_encoder: Encoder) -> Iterator[str]:
    with _serve(tiny_model, tiny_encoder, ("main", "second")) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    chromium = Chromium(tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.close()


@pytest.fixture
def page(browser: Chromium) -> Iterator[Chromium]:
    """The tab, wide and light; nothing may have gone wrong in it."""
    browser.size(1200)
    browser.dark(False)
    yield browser
    assert browser.js("window.troubles") == []
    assert browser.js("window.ran") is None


def ask(page: Chromium, server: str, query: str) -> list[str]:
    page.open(f"{server}/{query}")
    page.until(DONE)
    titles: list[str] = page.js(TITLES)
    return titles


def test_a_search_shows_the_evidence_and_where_it_is_from(page: Chromium, server: str) -> None:
    page.open(f"{server}/")
    page.until("document.getElementById('status').textContent.includes('14 passages')")
    page.press("/")
    page.type("fever in a child")
    page.press("Enter")
    page.until(DONE)
    assert page.js("new URLSearchParams(location.search).get('q')") == "fever in a child"
    first = page.js("document.querySelector('.results li').innerText")
    assert "2020-03-01" in first or "Fever in a child" in page.js(TITLES)
    marks = page.js("[...document.querySelectorAll('mark')].map((one) => one.textContent)")
    assert marks
    assert all(mark.endswith(".") for mark in marks)
    assert "6 results" in page.js("document.getElementById('status').textContent")
    page.js("document.querySelector('.scores summary').click()")
    assert page.js("document.querySelectorAll('.scores[open] tbody tr').length") >= 2
    assert page.js("performance.getEntriesByType('resource').every((one) => one.name.startsWith(location.origin))")


def test_filters_narrow_and_are_taken_away(page: Chromium, server: str) -> None:
    assert len(ask(page, server, "?q=pain")) == 6
    page.js("document.querySelector('[data-name=source][value=letters]').click()")
    page.until("document.querySelectorAll('.results li').length === 3")
    assert page.js("new URLSearchParams(location.search).getAll('filter')") == ["source=letters"]
    page.js("document.querySelector('[data-name=source][value=notes]').click()")
    page.until("document.querySelectorAll('.results li').length === 5")
    assert page.js("document.getElementById('chips').innerText").startswith("source is")
    page.js("history.back()")
    page.until("document.querySelectorAll('.results li').length === 3")
    assert not page.js("document.querySelector('[data-name=source][value=notes]').checked")
    page.js("document.querySelector('#chips button').click()")
    page.until("document.querySelectorAll('.results li').length === 6")


def test_more_like_this_and_back(page: Chromium, server: str) -> None:
    first = ask(page, server, "?q=pain&mode=lexical")[0]
    page.js("document.querySelector('.like').click()")
    page.until("document.getElementById('status').textContent.includes('most like')")
    assert first not in page.js(TITLES)
    page.js("document.querySelector('#results > p button').click()")
    page.until("document.getElementById('status').textContent.includes(' in ')")
    assert page.js(TITLES)[0] == first


def test_two_ways_and_two_indexes_side_by_side(page: Chromium, server: str) -> None:
    ask(page, server, "?q=fever&mode=lexical")
    page.js("document.getElementById('compare').click()")
    page.until("document.querySelectorAll('.sides > div').length === 2 && !document.querySelector('.busy')")
    heads = page.js("[...document.querySelectorAll('.which')].map((one) => one.textContent)")
    assert heads == ["main · By words", "second · By meaning and words"]
    assert page.js("document.querySelectorAll('.only').length") > 0
    assert "documents are on both sides" in page.js("document.getElementById('status').textContent")


def test_nothing_found_says_what_to_do(page: Chromium, server: str) -> None:
    page.open(f"{server}/?q=unheard&mode=lexical&filter=date%3E%3D2030")
    text = page.until("document.querySelector('.box')?.innerText")
    assert "Nothing was found" in text
    assert "No document meets the filters" in text


def test_a_server_that_fails_is_told_with_a_way_on(page: Chromium, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: MemoryStore, *_: object) -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as broken:
        broken.setattr(MemoryStore, "lexical", fail)
        page.open(f"{server}/?q=pain&mode=lexical")
        text = page.until("document.querySelector('[role=alert]')?.innerText")
        assert "did not work" in text
        assert "Try again" in text
    page.js("document.querySelector('[role=alert] button').click()")
    page.until(DONE)
    page.open(f"{server}/?q=pain&filter=nonsense")
    assert "name=value" in page.until("document.querySelector('[role=alert]')?.innerText")


def test_a_server_that_is_gone_and_one_that_wants_a_key(page: Chromium, tiny_model: Path, tiny_encoder: Encoder) -> None:
    with _serve(tiny_model, tiny_encoder, keys=Keys(["a-long-enough-key-0123456789"])) as address:
        page.open(f"{address}/?q=pain")
        page.until("document.getElementById('key').open")
        page.type("a-long-enough-key-0123456789")
        page.press("Enter")
        page.until(DONE)
        assert "key" not in page.js("location.search")
    page.js("document.getElementById('form').requestSubmit()")
    assert "cannot be reached" in page.until("document.querySelector('[role=alert]')?.innerText")


def test_keys_alone_find_and_open(page: Chromium, server: str) -> None:
    titles = ask(page, server, "?q=pain&mode=lexical")
    page.press("/")
    assert page.js("document.activeElement.id") == "q"
    page.press("ArrowDown")
    page.press("ArrowDown")
    assert page.js("document.activeElement.textContent") == titles[1]
    page.press("Enter")
    page.until("document.getElementById('document').open && document.querySelector('#document section')")
    assert page.js("document.getElementById('document-title').textContent") == titles[1]
    page.press("Escape")
    page.until("!document.getElementById('document').open && !location.search.includes('doc=')")
    assert page.js("document.activeElement.textContent") == titles[1]
    page.press("ArrowUp")
    page.press("ArrowUp")
    assert page.js("document.activeElement.id") == "q"
    page.press("Tab")
    page.press("?")
    assert page.until("document.getElementById('help').open")
    page.press("Escape")
    page.js("document.getElementById('keys').click()")
    page.press("?")
    assert not page.js("document.getElementById('help').open")
    page.js("document.getElementById('keys').click()")


def test_the_map_is_drawn_hovered_moved_and_opened(page: Chromium, server: str) -> None:
    page.open(f"{server}/?view=map&by=specialty")
    page.until("document.getElementById('map-status').textContent === '6 documents on the map.'")
    assert page.js("[...document.querySelectorAll('#legend button')].map((one) => one.textContent)")[0] == "other <i> 4"
    page.js("document.getElementById('canvas').focus()")
    page.press("ArrowRight")
    said = page.until("document.getElementById('map-status').textContent.match(/.+, .+/)?.[0]")
    assert page.js("document.getElementById('tip').textContent").split(" · ")[0] in said
    box = page.js("(({ x, y }) => ({ x, y }))(document.getElementById('canvas').getBoundingClientRect())")
    before = page.js("document.getElementById('tip').style.translate")
    page.press("+")
    assert page.js("document.getElementById('tip').style.translate") != before
    page.mouse("mouseWheel", box["x"] + 300, box["y"] + 200, deltaX=0, deltaY=120)
    page.press("0")
    page.press("Enter")
    page.until("document.querySelector('#document section')")
    title = page.js("document.getElementById('document-title').textContent")
    assert said.startswith(title)
    page.press("Escape")
    spot = page.js("document.getElementById('tip').style.translate.match(/[\\d.]+/g).map(Number).map((n, at) => n - 14)")
    page.mouse("mouseMoved", box["x"] + 5, box["y"] + 5)
    assert page.until("document.getElementById('tip').hidden") is True
    page.mouse("mouseMoved", box["x"] + spot[0], box["y"] + spot[1])


def test_hostile_text_stays_text(page: Chromium, server: str) -> None:
    page.open(f"{server}/?q=fever&filter=source%3Dweb&source=web&doc=d%2F5")
    page.until("document.querySelector('#document section')")
    page.until(DONE)
    text = page.js("document.querySelector('#document .text').textContent")
    assert text.startswith("</p><script>window.ran = 1</script><img")
    assert page.js("document.getElementById('document-title').textContent") == "<b>Bold</b> & hostile"
    assert page.js("document.querySelectorAll('img, #results script, [href^=javascript]').length") == 0
    marked = page.js("document.querySelector('mark').textContent")
    assert marked in text
    assert "Original" not in page.js("document.querySelector('.results').innerText")
    page.open(f"{server}/?q=%3Cimg%20src%3Dx%20onerror%3D%22window.ran%3D3%22%3E&mode=lexical&filter=%3Cb%3E%3D1")
    page.until("document.querySelector('.box')")


@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("dark", [False, True])
def test_fits_and_can_be_read(page: Chromium, server: str, width: int, dark: bool) -> None:
    page.size(width)
    page.dark(dark)
    for query in (
        "?q=pain&compare=1&mode2=lexical",
        "?view=map",
        "?q=pain&source=notes&doc=d%2F0",
        "?q=unheard&mode=lexical",
    ):
        page.open(f"{server}/{query}")
        page.until("!document.querySelector('.busy') && document.querySelector('.results, .box, #legend li')")
        assert page.js("document.documentElement.scrollWidth <= innerWidth")
        assert page.js(CONTRAST) == []
        assert page.js(UNNAMED) == []


CONTRAST = """(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (e) => {
    const c = rgb(getComputedStyle(e).backgroundColor);
    return c.length < 4 || c[3] > 0.9 ? c : behind(e.parentElement);
  };
  return [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() &&
    [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())).flatMap((e) => {
      const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      return ratio < 4.5 ? [`${e.tagName} ${e.className} ${e.textContent.slice(0, 30)} ${ratio.toFixed(2)}`] : [];
    });
})()"""
UNNAMED = """[...document.querySelectorAll("button, a, input, select, canvas[tabindex], summary")]
  .filter((e) => e.checkVisibility() && !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length))
  .map((e) => e.outerHTML.slice(0, 80))"""
