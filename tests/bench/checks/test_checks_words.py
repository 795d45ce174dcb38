import random
from importlib import resources
from itertools import combinations
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from medloom.bench.checks.contrasts import Contrast, Meaning, contrasts, rivals
from medloom.bench.checks.lexicon import Kind, Lexicon, fill, kinds, lexicon
from medloom.bench.checks.numerals import decade, in_words
from medloom.bench.checks.triples import NEAR, count, draw
from medloom.text import text_key

KIND = Kind(asks="presence from absence", frames=("[Has|Lacks] {it}.", "{it} is [there|gone].", "[With|Without] {it}."))
WORDS = [Contrast(Meaning(it, {"it": it}), Meaning(it, {"it": it})) for it in ("fever", "cough", "rash", "pain")]


class _NoRepeats(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"line {node.start_mark.line + 1}: a key stands twice"
        return super().construct_mapping(node, deep)


@pytest.mark.parametrize("name", ["lexicon.yaml", "kinds.yaml"])
def test_no_key_of_a_file_hides_another(name: str) -> None:
    text = resources.files("medloom.bench.checks").joinpath(name).read_text("utf-8")
    assert yaml.load(text, _NoRepeats) == yaml.safe_load(text)


def test_the_lexicon_is_large_enough() -> None:
    ours = lexicon()
    assert sum(map(len, ours.drugs.values())) >= 60
    assert sum(map(len, ours.abbreviations.values())) >= 100
    assert len(ours.eponyms) >= 60
    assert len(ours.lay) >= 100
    assert len(ours.measures) >= 40


def test_no_two_names_are_of_one_thing() -> None:
    ours = lexicon()
    generics = [generic for drugs in ours.drugs.values() for generic in drugs.values()]
    brands = [brand for drugs in ours.drugs.values() for brand in drugs]
    expansions = [full for names in ours.abbreviations.values() for full in names.values()]
    abbreviations = [short for names in ours.abbreviations.values() for short in names]
    plain = [plain for _, _, plain in ours.eponyms]
    adjectives = [adjective for sites in ours.sites.values() for adjective in sites.values()]
    terms = [term for pair in ours.measures.values() for term in pair]
    for names in (generics, brands, expansions, abbreviations, plain, adjectives, terms, list(ours.lay.values())):
        keys = [text_key(name) for name in names]
        assert len(keys) == len(set(keys))
    assert not {text_key(b) for b in brands} & {text_key(g) for g in generics}


def test_an_eponym_has_its_surname_and_the_plain_name_has_not() -> None:
    for disease, name, plain in lexicon().eponyms:
        assert name in disease
        assert text_key(name) not in text_key(plain)


def test_ages_are_in_order_of_meaning_and_unlike() -> None:
    for one, other in lexicon().ages:
        assert decade(one) != decade(other)
    assert all(young.stages[0] != young.stages[1] for young in lexicon().young_ages)


@pytest.mark.parametrize("name", kinds())
def test_every_frame_can_be_filled_with_every_contrast_and_says_two_things(name: str) -> None:
    found = list(contrasts(name, lexicon()))
    assert len({contrast.key for contrast in found}) == len(found) >= 45
    for contrast in found:
        texts = [fill(frame, 0, contrast.first.slots) for _, frame in kinds()[name].wordings]
        others = [fill(frame, 1, contrast.second.slots) for _, frame in kinds()[name].wordings]
        assert len({text_key(text) for text in (*texts, *others)}) == len(texts) + len(others)


def test_contrasts_that_differ_in_order_alone_count_once() -> None:
    found = [{m.slots["brand"] for m in contrast.meanings} for contrast in contrasts("brand", lexicon())]
    assert all(one != other for one, other in combinations(found, 2))


def test_rivals_look_alike() -> None:
    names = {"Celexa": "citalopram", "Lexapro": "escitalopram", "Zestril": "lisinopril", "Vasotec": "enalapril"}
    assert dict(rivals(names, 1)) == {
        "Celexa": "Lexapro",
        "Lexapro": "Celexa",
        "Zestril": "Vasotec",
        "Vasotec": "Zestril",
    }


def test_fill_decides_and_fills_and_starts_with_a_capital() -> None:
    frame = "{it} is [over|not over][| yet]."
    assert fill(frame, 0, {"it": "fever"}) == "Fever is over."
    assert fill(frame, 1, {"it": "fever"}) == "Fever is not over yet."
    with pytest.raises(KeyError):
        fill(frame, 0, {})


def test_a_draw_is_whole_and_even() -> None:
    drawn = draw("toy", KIND, WORDS, seed=3, per_cell=4)
    assert len(drawn) == 24
    for near in NEAR:
        for side in (0, 1):
            cell = [triple for triple in drawn if (triple.near, triple.side) == (near, side)]
            assert sorted(triple.group for triple in cell) == ["cough", "fever", "pain", "rash"]


def test_the_wrong_text_is_worded_as_the_cell_says() -> None:
    def wording(text: str) -> int:
        return next(
            i for i, w in enumerate((("Has", "Lacks"), ("is there", "is gone"), ("With",))) if any(x in text for x in w)
        )

    for triple in draw("toy", KIND, WORDS, seed=3, per_cell=1_000):
        anchor, right, wrong = map(wording, (triple.anchor, triple.right, triple.wrong))
        assert anchor != right
        assert {"anchor": wrong == anchor, "right": wrong == right, "neither": wrong not in (anchor, right)}[triple.near]


def test_a_draw_of_all_is_all_that_is_counted() -> None:
    assert len(draw("toy", KIND, WORDS, seed=0, per_cell=1_000)) == count(KIND, WORDS) == 2 * 4 * 6 * 3


def test_a_draw_does_not_depend_on_order() -> None:
    shuffled = random.Random(5).sample(WORDS, len(WORDS))
    assert draw("toy", KIND, shuffled, seed=1, per_cell=3) == draw("toy", KIND, WORDS, seed=1, per_cell=3)
    assert draw("toy", KIND, WORDS, seed=2, per_cell=3) != draw("toy", KIND, WORDS, seed=1, per_cell=3)


@pytest.mark.parametrize(
    "kind",
    [
        {"asks": "a"},
        {"asks": "a", "frames": ["{it}", "[a|b] {it}"]},
        {"asks": "a", "frames": ["{it}", "{it}", "[a|b]"]},
        {"asks": "a", "forms": {"one": ["a", "b", "c"]}},
        {"asks": "a", "frames": ["a", "b", "c"], "forms": {"one": ["a"], "two": ["b", "c"]}},
        {"asks": "a", "frames": ["a", "b", "c"], "typo": 1},
    ],
)
def test_a_bad_kind_is_refused(kind: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Kind.model_validate(kind)


def test_a_bad_lexicon_is_refused() -> None:
    good = lexicon().model_dump()
    changes: list[dict[str, Any]] = [{"findings": ["gout", "gout"]}, {"strengths": {"aspirin": [81, 81]}}, {"unknown": []}]
    for change in changes:
        with pytest.raises(ValidationError):
            Lexicon.model_validate({**good, **change})


def test_numbers_in_words() -> None:
    written = {0: "zero", 13: "thirteen", 20: "twenty", 81: "eighty-one", 325: "three hundred twenty-five"}
    assert {n: in_words(n) for n in written} == written
    assert in_words(1_000) == "one thousand"
    assert in_words(2_250) == "two thousand two hundred fifty"
    assert len({in_words(n) for n in range(10_000)}) == 10_000
    for bad in (-1, 10_000):
        with pytest.raises(ValueError, match="whole numbers"):
            in_words(bad)


def test_decades() -> None:
    assert [decade(age) for age in (13, 27, 60, 95)] == ["early teens", "late twenties", "early sixties", "mid nineties"]
    for bad in (9, 100):
        with pytest.raises(ValueError, match="ages"):
            decade(bad)
