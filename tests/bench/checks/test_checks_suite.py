import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import pytest

from medloom.bench.base import BuildRequest, Suite
from medloom.bench.checks import ChecksSuite
from medloom.bench.checks.numerals import in_words
from medloom.evaluate.tasks import Task
from medloom.text import words

KINDS = [entry.name for entry in ChecksSuite().entries()]
NEGATIONS = {"no", "not", "without", "free", "absent", "negative", "out", "failed", "rejected", "excluded", "never"}
TIMES_A_DAY = {
    **{"once a day": 1, "twice a day": 2, "three times a day": 3, "four times a day": 4},
    **{"every 24 hours": 1, "every 12 hours": 2, "every 8 hours": 3, "every 6 hours": 4},
    **{"QD": 1, "BID": 2, "TID": 3, "QID": 4},
}
MICROGRAMS = {"mcg": 1, "mg": 1_000, "g": 1_000_000}
WORDS_OF_FRAMES = {
    *(
        "the",
        "is",
        "was",
        "on",
        "of",
        "for",
        "with",
        "in",
        "to",
        "noted",
        "chart",
        "medication",
        "test",
        "diagnosis",
        "procedure",
    ),
    *("injury", "mass", "infection", "surgery", "a", "d"),
}
SWITCHES = [
    r"Switched from (?P<old>.+) to (?P<new>.+)\.",
    r"(?P<old>.+) was replaced by (?P<new>.+)\.",
    r"(?P<new>.+) now takes the place of (?P<old>.+)\.",
    r"Stopped (?P<old>.+) and started (?P<new>.+) instead\.",
    r"Now on (?P<new>.+), formerly on (?P<old>.+)\.",
    r"(?P<old>.+) was given up in favor of (?P<new>.+)\.",
]


def build(seed: int = 0, names: frozenset[str] | None = None) -> dict[str, Task]:
    left_out: dict[str, str] = {}
    tasks = {task.name: task for task in ChecksSuite().build(BuildRequest(seed=seed, names=names), left_out)}
    assert not left_out
    return tasks


TASKS = {seed: build(seed) for seed in (0, 7)}


def triples(task: Task) -> list[tuple[str, str, str]]:
    return list(zip(task.data["anchors"], task.data["rights"], task.data["wrongs"], strict=True))


def share(task: Task, score: Callable[[str, str], float]) -> float:
    """Share ordered rightly by a rule that scores (anchor, text); a tie is half right."""
    right = [(score(anchor, good), score(anchor, bad)) for anchor, good, bad in triples(task)]
    return sum(1.0 if good > bad else 0.5 if good == bad else 0.0 for good, bad in right) / len(right)


def common(anchor: str, text: str) -> float:
    one, other = set(words(anchor)), set(words(text))
    return len(one & other) / len(one | other)


def bound(names: Sequence[str] = KINDS) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("name", "seed"), [(name, seed) for name in names for seed in TASKS])


def test_the_catalogue_is_what_is_built() -> None:
    suite: Suite = ChecksSuite()
    entries = suite.entries()
    assert len(entries) >= 12
    assert list(TASKS[0]) == [entry.name for entry in entries]
    assert all(entry.suite == "checks" and not entry.needs for entry in entries)
    assert all(entry.name.startswith("checks-") and entry.facet == "behaviour" for entry in entries)


def test_only_what_is_wanted_is_built() -> None:
    assert list(build(names=frozenset({"checks-dose", "elsewhere"}))) == ["checks-dose"]


@bound()
def test_a_task_is_whole(name: str, seed: int) -> None:
    task = TASKS[seed][name]
    assert task.type == "MinimalPairs"
    assert task.main_score == "accuracy"
    assert task.n == task.counts["drawn"] == 252
    assert task.counts["candidates"] > 10 * task.n
    assert len(set(triples(task))) == task.n
    assert all(len(set(triple)) == 3 for triple in triples(task))


@bound()
def test_no_text_is_right_and_wrong_for_one_anchor(name: str, seed: int) -> None:
    rights, wrongs = defaultdict(set), defaultdict(set)
    for anchor, right, wrong in triples(TASKS[seed][name]):
        rights[anchor].add(right)
        wrongs[anchor].add(wrong)
    assert not [anchor for anchor in rights if rights[anchor] & wrongs[anchor]]


@bound()
def test_texts_are_sentences_without_traces_of_frames(name: str, seed: int) -> None:
    for text in {text for triple in triples(TASKS[seed][name]) for text in triple}:
        assert not re.search(r"[\[\]{}|]|\s\s|\s[.,;:]", text), text
        assert text.endswith(".")
        assert text[0] == text[0].upper()


@bound()
def test_rules_about_the_text_alone_are_at_chance(name: str, seed: int) -> None:
    task = TASKS[seed][name]
    for rule in (
        lambda _, text: len(text),
        lambda _, text: len(words(text)),
        lambda _, text: bool(NEGATIONS & set(words(text))),
    ):
        assert 0.35 <= share(task, rule) <= 0.65


@bound()
def test_the_alphabet_is_at_chance(name: str, seed: int) -> None:
    rows = triples(TASKS[seed][name])
    assert 0.35 <= sum(right < wrong for _, right, wrong in rows) / len(rows) <= 0.65


@bound()
def test_common_words_and_like_length_mislead(name: str, seed: int) -> None:
    task = TASKS[seed][name]
    assert 0.25 <= share(task, common) <= 0.55
    assert 0.2 <= share(task, lambda anchor, text: -abs(len(text) - len(anchor))) <= 0.65


@bound()
def test_groups_are_many_and_even(name: str, seed: int) -> None:
    sizes = Counter(TASKS[seed][name].data["groups"])
    assert len(sizes) >= 30
    assert max(sizes.values()) <= 12


def test_a_seed_gives_one_draw() -> None:
    again = build(0)
    assert {name: task.fingerprint for name, task in again.items()} == {n: t.fingerprint for n, t in TASKS[0].items()}
    assert all(TASKS[0][name].fingerprint != TASKS[7][name].fingerprint for name in KINDS)


def test_a_task_is_the_same_whatever_else_is_built() -> None:
    assert build(names=frozenset({"checks-lab"}))["checks-lab"].fingerprint == TASKS[0]["checks-lab"].fingerprint


def test_descriptions_are_different_and_hold_an_example() -> None:
    descriptions = {entry.description for entry in ChecksSuite().entries()}
    assert len(descriptions) == len(KINDS)
    assert all(text.count("'") >= 6 and "\n" not in text for text in descriptions)


@bound(["checks-unit"])
def test_amounts_are_equal_in_anchor_and_right_text_alone(name: str, seed: int) -> None:
    def micrograms(text: str) -> int:
        number, unit = re.findall(r"([\d.,]*\d) (mcg|mg|g)\b", text)[0]
        return round(float(number.replace(",", "")) * MICROGRAMS[unit])

    for anchor, right, wrong in triples(TASKS[seed][name]):
        assert micrograms(anchor) == micrograms(right)
        assert micrograms(wrong) / micrograms(anchor) in (1000, 10, 0.1, 0.001)


@bound(["checks-dose"])
def test_doses_are_equal_in_anchor_and_right_text_alone(name: str, seed: int) -> None:
    numbers = {in_words(n): n for n in range(1, 2_000)}

    def dose(text: str) -> int:
        found = re.search(r"([\d,]*\d) mg", text)
        if found:
            return int(found.group(1).replace(",", ""))
        before = text.lower().replace(",", "").split(" milligram")[0].split()
        return next(numbers[" ".join(before[i:])] for i in range(len(before)) if " ".join(before[i:]) in numbers)

    for anchor, right, wrong in triples(TASKS[seed][name]):
        assert dose(anchor) == dose(right) != dose(wrong)


@bound(["checks-frequency"])
def test_frequencies_are_equal_in_anchor_and_right_text_alone(name: str, seed: int) -> None:
    def daily(text: str) -> int:
        (found,) = {n for phrase, n in TIMES_A_DAY.items() if re.search(rf"\b{phrase}\b", text)}
        return found

    for anchor, right, wrong in triples(TASKS[seed][name]):
        assert daily(anchor) == daily(right) != daily(wrong)


@bound(["checks-switch"])
def test_a_switch_goes_the_same_way_in_anchor_and_right_text_alone(name: str, seed: int) -> None:
    def switch(text: str) -> tuple[str, str]:
        (found,) = [match for pattern in SWITCHES if (match := re.fullmatch(pattern, text))]
        return found["old"].lower(), found["new"].lower()

    for anchor, right, wrong in triples(TASKS[seed][name]):
        assert switch(anchor) == switch(right) == switch(wrong)[::-1]


@bound(["checks-laterality"])
def test_sides_are_equal_in_anchor_and_right_text_alone(name: str, seed: int) -> None:
    def side(text: str) -> str:
        affected = re.sub(r"but not on the \w+|The \w+ [\w ]+ is normal;", "", text)
        (found,) = set(re.findall(r"\b(left|right|l|r)\b", affected.lower()))
        return str(found)[0]

    for anchor, right, wrong in triples(TASKS[seed][name]):
        assert side(anchor) == side(right) != side(wrong)


@bound(["checks-brand", "checks-lay", "checks-abbreviation", "checks-site", "checks-lab"])
def test_the_right_text_has_another_name_for_the_thing(name: str, seed: int) -> None:
    for anchor, right, _ in triples(TASKS[seed][name]):
        assert not set(words(anchor)) & set(words(right)) - WORDS_OF_FRAMES
