"""Recipes: what is read, and what is said of one that is wrong."""

from pathlib import Path
from typing import Any

import pytest

from medloom.errors import RecipeError
from medloom.recipe import Recipe, find_recipe, shipped_recipes
from medloom.sources.files import FilesSource
from medloom.sources.hpo import HpoSource
from medloom.train import LateConfig, StaticConfig, TrainConfig

GOOD = """# a recipe
name: notes
seed: 3

sources:
  - type: files
    path: data/*.jsonl
    fields:
      text: body
  - type: hpo

train:
  epochs: 2
"""


def error_of(text: str, *overrides: str) -> str:
    with pytest.raises(RecipeError) as raised:
        Recipe.parse(text, "my.yaml", overrides=overrides)
    return str(raised.value)


def test_a_recipe() -> None:
    recipe = Recipe.parse(GOOD)
    assert (recipe.name, recipe.seed, recipe.train.epochs) == ("notes", 3, 2.0)
    files, hpo = recipe.sources
    assert isinstance(files, FilesSource)
    assert isinstance(hpo, HpoSource)
    assert files.fields.text == "body"
    assert recipe.train.batch_size == Recipe.parse("{name: n, sources: [{type: hpo}]}").train.batch_size


def test_the_kind_of_training_says_which_settings_there_are() -> None:
    assert isinstance(Recipe.parse(GOOD).train, TrainConfig)
    assert isinstance(Recipe.parse(GOOD, overrides=["train.kind=dense"]).train, TrainConfig)
    late = Recipe.parse(GOOD, overrides=["train.kind=late-interaction", "train.dimensions=96"])
    assert isinstance(late.train, LateConfig)
    assert (late.train.epochs, late.train.dimensions) == (2, 96)
    static = Recipe.parse(GOOD, overrides=["train={kind: static, epochs: 0}"])
    assert isinstance(static.train, StaticConfig)
    for recipe in (late, static):
        assert Recipe.model_validate(recipe.settings()).settings() == recipe.settings()


def test_settings_are_complete_and_can_be_read_back() -> None:
    settings = Recipe.parse(GOOD).settings()
    assert settings["sources"][0]["path"] == "data/*.jsonl"
    assert settings["sources"][0]["max_chars"] == 1_000_000
    assert settings["guard"]["holdout"] == 0.2
    assert Recipe.model_validate(settings).settings() == settings


def test_a_recipe_without_cleaning_has_no_settings_of_it() -> None:
    assert "clean" not in Recipe.parse(GOOD).settings()
    cleaned = Recipe.parse(GOOD, overrides=["clean.licences=[CC BY 4.0]"])
    assert cleaned.settings()["clean"]["licences"] == ["cc-by"]
    assert Recipe.model_validate(cleaned.settings()).settings() == cleaned.settings()
    assert Recipe.parse(GOOD, overrides=["clean={}"]).settings()["clean"]["repair"] is True
    assert "unknown setting 'clean.language' (did you mean 'languages'?)" in error_of(GOOD, "clean.language=[en]")


def test_paths_are_relative_to_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "own.yaml"
    file.write_text("{name: n, sources: [{type: files, path: a.txt}]}", "utf-8")
    (tmp_path / "deep" / "a.txt").write_text("one", "utf-8")
    recipe = Recipe.load(file)
    assert recipe.folder == tmp_path / "deep"
    assert list(recipe.sources[0].inputs()) == ["a.txt"]


# What is wrong, with line and nearest name


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (GOOD + "  epoch: 3\n", ["my.yaml, line 14", "unknown setting 'train.epoch'", "did you mean 'epochs'?"]),
        (GOOD + "trian: {}\n", ["my.yaml, line 14", "unknown setting 'trian'", "did you mean 'train'?"]),
        (GOOD.replace("path:", "pth:"), ["my.yaml, line 7", "sources.0.pth", "did you mean 'path'?"]),
        (GOOD.replace("text: body", "txt: body"), ["my.yaml, line 9", "sources.0.fields.txt", "did you mean 'text'?"]),
        (GOOD.replace("epochs: 2", "epochs: -2"), ["my.yaml, line 13", "train.epochs", "greater than 0", "given: -2"]),
        (GOOD.replace("epochs: 2", "epochs: many"), ["my.yaml, line 13", "train.epochs", "'many'"]),
        (GOOD.replace("hpo", "hpx"), ["my.yaml, line 10", "unknown source type 'hpx'", "did you mean 'hpo'?", "icd10cm"]),
        (
            GOOD.replace("type: hpo", "name: x"),
            ["my.yaml, line 10", "a source needs a type: one of ", "clinicaltrials, ", "files, "],
        ),
        (GOOD.replace("type: hpo", "just text"), ["my.yaml, line 10", "sources.1"]),
        (GOOD.replace("name: notes\n", ""), ["my.yaml", "'name' is missing"]),
        (GOOD.replace("name: notes", "name: a b"), ["my.yaml, line 2", "name", "'a b'"]),
        (GOOD.replace("seed: 3", "seed: 3.5"), ["my.yaml, line 3", "seed", "3.5"]),
        (GOOD.replace("    path: data/*.jsonl\n", ""), ["my.yaml, line 6", "sources.0.path", "missing"]),
        (
            GOOD + "  kind: late\n",
            ["my.yaml, line 12", "unknown kind of training 'late'", "dense, late-interaction, static"],
        ),
        (GOOD + "  kind: statik\n", ["did you mean 'static'?"]),
        (
            GOOD + "  kind: static\n  word: 3\n",
            ["my.yaml, line 15", "unknown setting 'train.word'", "did you mean 'words'?"],
        ),
        (GOOD + "  kind: late-interaction\n  words: 3\n", ["unknown setting 'train.words'", "pool_factor"]),
        (GOOD.replace("  epochs: 2", "  - epochs"), ["my.yaml, line 12", "train"]),
        ("name: n\nsources: []\n", ["my.yaml, line 2", "sources"]),
        (GOOD + "name: again\n", ["my.yaml, line 14", "'name' is given twice"]),
        (GOOD + "  epochs: 1\n", ["my.yaml, line 14", "'epochs' is given twice"]),
        (GOOD.replace("body", "body\n      text: c"), ["my.yaml, line 10", "'text' is given twice"]),
        (GOOD + "a: [1\n", ["my.yaml, line 15", "not valid YAML"]),
        ("name: a\n\tseed: 1\n", ["my.yaml, line 2", "not valid YAML"]),
        ("just words", ["my.yaml", "a recipe is a mapping"]),
        ("- a\n- b\n", ["my.yaml", "a recipe is a mapping"]),
        ("", ["my.yaml", "a recipe is a mapping"]),
        ("# only a comment\n", ["my.yaml", "a recipe is a mapping"]),
        ("name: a\nsources: [{type: hpo}]\nseed: 1\nx: &a [*a]\n", ["my.yaml"]),
        ("? [a, b]\n: 1\n", ["my.yaml"]),
        ("1: 2\nname: a\nsources: [{type: hpo}]\n", ["my.yaml, line 1", "1"]),
        ("name: a\nsources: [{type: hpo}]\nseed: !!python/name:os.system\n", ["my.yaml, line 3", "not valid YAML"]),
    ],
)
def test_a_wrong_recipe(text: str, parts: list[str]) -> None:
    message = error_of(text)
    assert [part for part in parts if part not in message] == []


def test_every_error_is_told_at_once() -> None:
    lines = error_of("name: a b\nseed: -1\nsources: [{type: hpo}]\nguard: {holdout: 2}\n").splitlines()
    assert [line.split(":")[0] for line in lines] == ["my.yaml, line 1", "my.yaml, line 2", "my.yaml, line 4"]


def test_nested_errors_of_one_source_do_not_hide_the_others() -> None:
    text = (
        "name: a\nsources:\n  - type: files\n    path: x\n    on_error: stop\n    max_chars: 1\n  - type: hpo\n    oob: y\n"
    )
    message = error_of(text)
    assert "my.yaml, line 5: sources.0.on_error" in message
    assert "my.yaml, line 6: sources.0.max_chars" in message
    assert "my.yaml, line 8: unknown setting 'sources.1.oob' (did you mean 'obo'?)" in message


def test_unknown_settings_of_a_source_list_those_of_that_source() -> None:
    message = error_of("name: a\nsources:\n  - type: hpo\n    path: x\n")
    assert "unknown setting 'sources.0.path'" in message
    there_are = message.partition("there are: ")[2]
    assert "obo" in there_are
    assert "on_error" not in there_are


def test_a_wrong_source_is_not_also_called_missing() -> None:
    (line,) = error_of("name: a\nsources:\n  - type: hpo\n    oob: x\n").splitlines()
    assert line.startswith("my.yaml, line 4: unknown setting 'sources.0.oob'")


def test_two_sources_of_one_name() -> None:
    assert "two sources are called 'hpo'" in error_of("name: a\nsources: [{type: hpo}, {type: hpo}]\n")
    Recipe.parse("name: a\nsources: [{type: hpo}, {type: hpo, name: other}]\n")


def test_a_null_section_is_an_error_with_its_line() -> None:
    assert "my.yaml, line 3" in error_of("name: a\nsources: [{type: hpo}]\ntrain:\n")


# --set


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("train.epochs=0.5", 0.5),
        ("train.epochs= 0.5", 0.5),
        (" train.epochs =1e-1", 0.1),
    ],
)
def test_set_a_number(override: str, value: float) -> None:
    assert Recipe.parse(GOOD, overrides=[override]).train.epochs == value


def test_set_forms() -> None:
    overrides = [
        "name=other",
        "guard.max_per_kind=10",
        "evaluate.types=[Retrieval]",
        "pairs.kinds=null",
        "sources.0.path=x=y.csv",
        "sources.0.fields.title=head",
        "train={batch_size: 4}",
        "train.epochs=3",
        "train.symmetric=true",
    ]
    recipe = Recipe.parse(GOOD, overrides=overrides)
    assert recipe.name == "other"
    assert recipe.guard.max_per_kind == 10
    assert isinstance(recipe.train, TrainConfig)
    assert recipe.train.symmetric is True
    assert recipe.evaluate.types == ("Retrieval",)
    assert recipe.pairs.kinds is None
    source = recipe.sources[0]
    assert isinstance(source, FilesSource)
    assert (source.path, source.fields.title, source.fields.text) == ("x=y.csv", "head", "body")
    assert (recipe.train.batch_size, recipe.train.epochs) == (4, 3)


def test_set_a_whole_source() -> None:
    recipe = Recipe.parse(GOOD, overrides=["sources.1={type: icd10cm}", "sources.1.name=codes"])
    assert [s.name for s in recipe.sources] == ["data", "codes"]


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("train.epochs", ["--set train.epochs", "write it as key=value"]),
        ("=3", ["--set =3", "write it as key=value"]),
        ("train.epochs=[1", ["--set train.epochs=[1", "not valid YAML"]),
        ("name.sub=3", ["--set name.sub=3", "'name' holds a single value"]),
        ("sources.5.path=3", ["--set sources.5.path=3", "'5' is not a number from 0 to 1"]),
        ("sources.x.path=3", ["'x' is not a number from 0 to 1"]),
        ("sources.2=3", ["'2' is not a number from 0 to 1"]),
        ("train.epoch=3", ["unknown setting 'train.epoch'", "did you mean 'epochs'?"]),
        ("train.epochs=many", ["train.epochs", "'many'"]),
        ("tra.in.x=3", ["unknown setting 'tra'"]),
        ("sources.0.fields.txt=3", ["unknown setting 'sources.0.fields.txt'", "did you mean 'text'?"]),
        ("train..epochs=3", ["train."]),
    ],
)
def test_a_wrong_set(override: str, parts: list[str]) -> None:
    message = error_of(GOOD, override)
    assert [part for part in parts if part not in message] == []


# Files


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_bytes(b"name: caf\xe9\n")
    with pytest.raises(RecipeError, match=r"own\.yaml is not UTF-8 \(byte 10\)"):
        Recipe.load(file)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(GOOD, "utf-8-sig")
    assert Recipe.load(file).name == "notes"


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "notes.yaml").write_text(GOOD, "utf-8")
    with pytest.raises(RecipeError, match=r"no recipe file .*note\.yaml: .*did you mean 'notes\.yaml'"):
        Recipe.load(tmp_path / "note.yaml")
    with pytest.raises(RecipeError, match="no recipe file"):
        Recipe.load(tmp_path / "gone" / "x.yaml")


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no recipe"):
        Recipe.load(tmp_path)


def test_shipped_recipes_load_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = shipped_recipes()
    assert "quickstart" in shipped
    for name, path in shipped.items():
        assert find_recipe(name) == path
        recipe = Recipe.load(name)
        assert recipe.name == name
        assert recipe.sources


def test_an_unknown_name_names_the_nearest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match=r"no recipe 'quikstart' \(did you mean 'quickstart'\?\); shipped: .*quickstart"):
        find_recipe("quikstart")


def test_overrides_of_a_shipped_recipe() -> None:
    assert Recipe.load("quickstart", ["seed=99"]).seed == 99


def test_recipes_are_frozen() -> None:
    recipe: Any = Recipe.parse(GOOD)
    with pytest.raises(ValueError, match="frozen"):
        recipe.seed = 4


def test_a_section_alone_is_read_like_a_recipe() -> None:
    from medloom.generate.config import GenerateConfig
    from medloom.recipe import settings_of

    config = settings_of(GenerateConfig, {"mode": "extractive"}, ["kinds={keyword: 1}", "checks.judge=true"], "generate")
    assert (config.kinds, config.checks.judge) == ({"keyword": 1}, True)
    with pytest.raises(RecipeError, match=r"generate: unknown setting 'checks.juge'.*did you mean 'judge'"):
        settings_of(GenerateConfig, {}, ["checks.juge=true"], "generate")
    with pytest.raises(RecipeError, match="unknown setting 'modus'"):
        settings_of(GenerateConfig, {"modus": "x"}, [], "generate")


def test_a_typo_below_an_optional_section_is_explained() -> None:
    with pytest.raises(RecipeError, match=r"line 5: unknown setting 'deid.methode' .did you mean 'method'"):
        Recipe.parse("name: a\nsources:\n  - type: hpo\ndeid:\n  methode: tag\n")
