"""Time grows with the text, whatever the text is: no rule may be made to hang a run."""

import time
from collections.abc import Callable, Iterable
from functools import partial

import pytest

from medloom.deid.detect import load_detector
from medloom.deid.gazetteers import gazetteer
from medloom.deid.medical import lexicon
from medloom.deid.page import Page, read_page
from medloom.deid.rules.ages import ages
from medloom.deid.rules.contacts import contacts
from medloom.deid.rules.dates import dates
from medloom.deid.rules.facilities import facilities
from medloom.deid.rules.hits import Hit, to_spans
from medloom.deid.rules.names import names
from medloom.deid.rules.numbers import numbers
from medloom.deid.rules.organisations import organisations
from medloom.deid.rules.people import people
from medloom.deid.rules.places import places
from medloom.deid.rules.reading import Names
from medloom.deid.rules.spread import spread

LENGTH = 100_000
SLOWEST = 5.0
MEASURABLE = 0.3
RATIO = 3.0
HOSTILE = [
    *(
        "a a a ",
        "1-1-1-",
        "A. A. A.",
        ",",
        "A",
        "9",
        "é̂ ",
        "\0",
        "(((((",
        "12 Oak ",
        "John Smith, ",
        "a@",
        "on 1/1 ",
        "MRN: ",
    ),
]
GUARDED = [names, people, places, facilities, organisations]
PLAIN = [dates, ages, contacts, numbers]


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """CPU time of a call: the least of several, which the machine's other work disturbs least."""
    taken = []
    for _ in range(times):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken)


def ways(known: Names) -> list[tuple[str, Callable[[Page], Iterable[object]]]]:
    """Every rule, and what follows the rules, as functions of a page."""
    rules: list[tuple[str, Callable[[Page], Iterable[object]]]] = [("words", lambda page: read_page(page.text).tokens)]
    return (
        rules
        + [(rule.__name__, rule) for rule in PLAIN]
        + [(rule.__name__, partial(_guarded, rule, known)) for rule in GUARDED]
    )


def _guarded(rule: Callable[[Page, Names], Iterable[Hit]], known: Names, page: Page) -> Iterable[Hit]:
    return rule(page, known)


def consume(rule: Callable[[Page], Iterable[object]], page: Page) -> int:
    """Run a rule to its end."""
    return sum(1 for _ in rule(page))


@pytest.mark.parametrize("unit", HOSTILE)
def test_every_rule_takes_linear_time(unit: str) -> None:
    """Twice the text takes less than three times as long, and 100,000 characters never more than seconds."""
    known = Names(lexicon(), gazetteer())
    text = (unit * (LENGTH // len(unit) + 1))[:LENGTH]
    page, half = read_page(text), read_page(text[: LENGTH // 2])
    for name, rule in ways(known):
        whole = seconds(partial(consume, rule, page))
        assert whole < SLOWEST, name
        if whole > MEASURABLE:
            again = seconds(partial(consume, rule, page), 3)
            assert again / seconds(partial(consume, rule, half), 3) < RATIO, name


@pytest.mark.parametrize("unit", ["Mr. Qzx ", "Zzyx Qwrt "])
def test_the_whole_detector_takes_linear_time(unit: str) -> None:
    """With the spread of what was found and the model as well."""
    detector = load_detector("rules+ner")
    text = (unit * (LENGTH // len(unit) + 1))[:LENGTH]
    half = seconds(lambda: list(detector.find_many([[text[: LENGTH // 2]]])), 2)
    whole = seconds(lambda: list(detector.find_many([[text]])), 2)
    assert whole < 4 * SLOWEST
    assert whole < MEASURABLE or whole / half < RATIO


def test_merging_many_overlapping_hits_takes_linear_time() -> None:
    """Spread and merge alone, on a page where everything is a name."""
    known = Names(lexicon(), gazetteer())
    page = read_page("Mr. Qzx Wvut " * 7_000)
    hits = list(names(page, known))
    assert len(hits) > 5_000
    assert seconds(lambda: to_spans(page.text, hits + spread([page], [hits], known)[0])) < SLOWEST
