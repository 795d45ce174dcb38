"""Which merge is picked: the grid, the front, the rule, and what a killed sweep keeps."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.merge.toys import toy_task

from medloom.errors import MedloomError, ModelError
from medloom.identity import model_digest
from medloom.merge.config import MergeConfig
from medloom.merge.parents import Parent, open_parents
from medloom.merge.run import Sets, merge
from medloom.merge.scores import Scorer, Scores
from medloom.merge.soup import greedy_soup
from medloom.merge.sweep import Candidate, Rule, front, grid, sweep
from medloom.merge.ways import Layered, Linear, Slerp, Way, check_weights, way_from, way_of

Table = dict[float, tuple[float, dict[str, float]]]


class Scripted(Scorer):
    """A scorer that reads scores off a table by the first model's weight, and counts what it is asked for."""

    def __init__(self, table: Table, parents: Sequence[Parent]) -> None:
        super().__init__([toy_task("dev")], [])
        self.table, self.asked = table, 0
        self._weights = {self.key(_what(parents, way)): way for way in grid("linear", len(parents), 0.25)}

    def score(self, key: str, folder: Path) -> Scores:
        self.asked += 1
        in_domain, general = self.table[self._weights[key].to_dict()["weights"][0]]
        return Scores({"dev": in_domain}, general)


def _what(parents: Sequence[Parent], way: Way) -> dict[str, object]:
    return {"parents": [p.ref.hash for p in parents], "way": way.to_dict(), "prompts": None}


@pytest.fixture(scope="module")
def pair(parents: list[Path]) -> list[Parent]:
    return open_parents([str(path) for path in parents[:2]])


TABLE: Table = {
    1.0: (0.80, {"a": 0.50, "b": 0.60}),
    0.75: (0.79, {"a": 0.585, "b": 0.615}),
    0.5: (0.78, {"a": 0.60, "b": 0.59}),
    0.25: (0.65, {"a": 0.59, "b": 0.60}),
    0.0: (0.60, {"a": 0.60, "b": 0.60}),
}


@pytest.mark.parametrize(
    ("rule", "tolerance", "weight"),
    [("mean", 0.01, 0.75), ("each", 0.01, 0.5), ("each", 0.005, 0.0), ("mean", 0.1, 1.0), ("each", 0.015, 0.75)],
)
def test_the_best_in_its_field_that_loses_little_outside(
    pair: list[Parent], tmp_path: Path, rule: Rule, tolerance: float, weight: float
) -> None:
    found = sweep(pair, grid("linear", 2, 0.25), Scripted(TABLE, pair), tmp_path, rule, tolerance)
    assert found.way == Linear((weight, 1 - weight))
    assert found.candidates[found.base].way == Linear((0.0, 1.0))
    facts = found.to_dict()
    assert facts["candidates"][facts["picked"]]["allowed"]
    assert f"more than {tolerance:g}" in facts["rule"] and ("every" in facts["rule"]) == (rule == "each")


def test_the_front_is_what_no_other_beats(pair: list[Parent], tmp_path: Path) -> None:
    found = sweep(pair, grid("linear", 2, 0.25), Scripted(TABLE, pair), tmp_path)
    assert [found.candidates[n].way.to_dict()["weights"][0] for n in found.front] == [1.0, 0.75]
    twins = [Candidate(Linear((1.0,)), Scores({"d": 0.5}, {"g": 0.5}))] * 2
    assert front(twins) == [0, 1]


def test_without_general_sets_the_rule_says_what_is_not_known(pair: list[Parent], tmp_path: Path) -> None:
    table: Table = {weight: (value, {}) for weight, (value, _) in TABLE.items()}
    found = sweep(pair, grid("linear", 2, 0.25), Scripted(table, pair), tmp_path)
    assert found.way == Linear((1.0, 0.0))
    assert "nothing is known of what is lost" in found.to_dict()["rule"]


def test_a_sweep_without_the_base_is_refused(pair: list[Parent], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="last model alone"):
        sweep(pair, [Linear((1.0, 0.0))], Scripted(TABLE, pair), tmp_path)


def test_grids() -> None:
    assert [way.to_dict()["weights"] for way in grid("linear", 2, 0.5)] == [[1, 0], [0.5, 0.5], [0, 1]]
    three = grid("linear", 3, 0.25)
    assert len(three) == 15 and len(set(map(str, three))) == 15
    assert all(abs(sum(way.to_dict()["weights"]) - 1) < 1e-9 for way in three)
    deep = grid("linear", 2, 0.5, depth=True)
    assert len(deep) == 3 + 6 and Layered((1.0, 0.0), (0.5, 0.5)) in deep
    assert grid("slerp", 2, 0.5) == [Slerp(0.0), Slerp(0.5), Slerp(1.0)]
    for method, models, step, said in (
        ("linear", 2, 0.3, "does not divide"),
        ("linear", 5, 0.05, "take a larger one"),
        ("slerp", 3, 0.5, "between two models"),
    ):
        with pytest.raises(ModelError, match=said):
            grid(method, models, step)


@pytest.mark.parametrize("weights", [(0.5, 0.4), (1.5, -0.5), (float("nan"), 1.0), ()])
def test_weights_that_are_no_shares(weights: tuple[float, ...]) -> None:
    with pytest.raises(ModelError, match="weights"):
        check_weights(weights)


@pytest.mark.parametrize("way", [Linear((0.2, 0.8)), Layered((0.2, 0.8), (0.6, 0.4)), Slerp(0.25)])
def test_ways_as_json_and_back(way: Way) -> None:
    assert way_from(json.loads(json.dumps(way.to_dict()))) == way


def test_ways_that_do_not_fit() -> None:
    assert way_of("linear", (0.5, 0.5), (0.5, 0.5)) == Linear((0.5, 0.5))
    for arguments in (("slerp", (0.2, 0.3, 0.5)), ("slerp", (0.5, 0.5), (0.5, 0.5)), ("linear", (0.5, 0.5), (1.0,))):
        with pytest.raises(ModelError):
            way_of(*arguments)


class KilledError(Exception):
    pass


def test_a_killed_sweep_goes_on_with_the_scores_it_has(parents: list[Path], tmp_path: Path) -> None:
    config = MergeConfig(step=0.25, max_queries=10)
    sets = Sets((toy_task("dev"),), (toy_task("general", shift=7),))
    models = [str(path) for path in parents[:2]]
    told: list[Candidate] = []

    def kill(candidate: Candidate) -> None:
        told.append(candidate)
        if len(told) == 3:
            raise KilledError

    with pytest.raises(KilledError):
        merge(models, config, tmp_path / "m", sets, precision="fp32", told=kill)
    assert not (tmp_path / "m").exists()
    scores = tmp_path / "m.work" / "scores.json"
    assert len(json.loads(scores.read_text("utf-8"))) == 3
    before = scores.stat().st_mtime_ns
    merged = merge(models, config, tmp_path / "m", sets, precision="fp32", told=told.append)
    whole = merge(models, config, tmp_path / "n", sets, precision="fp32")
    assert before and merged.hash == whole.hash and merged.facts["sweep"] == whole.facts["sweep"]
    assert told[:3] == told[3:6] and len(told) == 8
    assert not (tmp_path / "m.work").exists()
    assert model_digest(tmp_path / "m") == merged.hash
    assert [(one["name"], one["side"], one["n"]) for one in merged.facts["sets"]] == [
        ("dev", "dev", 10),
        ("general", "general", 10),
    ]


def test_the_same_merge_is_not_done_twice(parents: list[Path], tmp_path: Path) -> None:
    models, sets = [str(path) for path in parents[:2]], Sets((toy_task("dev"),))
    told: list[Candidate] = []
    first = merge(models, MergeConfig(step=0.5), tmp_path / "m", sets, told=told.append)
    again = merge(models, MergeConfig(step=0.5), tmp_path / "m", sets, told=told.append)
    assert again == first and len(told) == 3
    merge(models, MergeConfig(step=1.0), tmp_path / "m", sets, told=told.append)
    assert len(told) == 5


def test_a_greedy_soup_takes_in_what_helps(parents: list[Path], tmp_path: Path) -> None:
    three = open_parents([str(path) for path in parents])

    class Soup(Scorer):
        table: dict[str, float]

        def score(self, key: str, folder: Path) -> Scores:
            return Scores({"dev": self.table[key]})

    scorer = Soup([toy_task("dev")], [])
    third = 1 / 3
    scorer.table = {
        scorer.key(_what(three, Linear(weights))): value
        for weights, value in {
            (1.0, 0.0, 0.0): 0.5,
            (0.0, 1.0, 0.0): 0.6,
            (0.0, 0.0, 1.0): 0.4,
            (0.5, 0.5, 0.0): 0.55,
            (0.0, 0.5, 0.5): 0.6,
            (third, third, third): 0.9,
        }.items()
    }
    soup = greedy_soup(three, scorer, tmp_path)
    assert soup.way == Linear((0.0, 0.5, 0.5))
    assert [(Path(t["model"]).name, t["kept"]) for t in soup.tried] == [("two", True), ("one", False), ("three", True)]


def test_scores_need_a_dev_set_and_names_of_their_own(parents: list[Path], tmp_path: Path) -> None:
    with pytest.raises(MedloomError, match="needs a dev set"):
        merge([str(path) for path in parents[:2]], MergeConfig(), tmp_path / "m")
    with pytest.raises(MedloomError, match="judged twice"):
        Scorer([toy_task("one")], [toy_task("one")])
    with pytest.raises(ModelError, match="3 weights"):
        merge([str(path) for path in parents[:2]], MergeConfig(weights=(0.2, 0.3, 0.5)), tmp_path / "m")
