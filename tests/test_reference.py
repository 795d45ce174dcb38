"""The generated pages say what the code says, and the recipes in the documentation are valid."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel
from typer.main import get_command

from medloom.cli import app
from medloom.recipe import Recipe
from medloom.sources import known_sources

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "tools" / "reference.py"
PAGES = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """The tool as a module."""
    spec = importlib.util.spec_from_file_location("medloom_tools_reference", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _models(model: type[BaseModel]) -> list[type[BaseModel]]:
    inner = [f.annotation for f in model.model_fields.values()]
    return [model, *(m for one in inner if isinstance(one, type) and issubclass(one, BaseModel) for m in _models(one))]


def _settings(page: str) -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))


def test_pages_are_current(reference: ModuleType) -> None:
    assert reference.stale(PAGES) == [], "run `make docs`"


def test_every_command_and_option_appears(reference: ModuleType) -> None:
    page = reference.cli_page()

    def check(command: object, path: str) -> None:
        assert f"\n## {path}\n" in page
        section = page.partition(f"\n## {path}\n")[2].partition("\n## ")[0]
        for parameter in getattr(command, "params", ()):
            if parameter.param_type_name == "option" and "--help" not in parameter.opts:
                assert all(f"`{option}`" in section for option in parameter.opts)
                assert parameter.help in section.replace("&lt;", "<").replace("\\", "")
            elif parameter.param_type_name == "argument":
                many = "..." if parameter.nargs != 1 else ""
                name = parameter.name.upper()
                assert f"`{name if parameter.required else f'[{name}]'}{many}`" in section
        for name, inner in getattr(command, "commands", {}).items():
            check(inner, f"{path} {name}")

    check(get_command(app), "medloom")
    assert "medloom run [OPTIONS] RECIPE" in page


def test_every_setting_appears_with_its_meaning(reference: ModuleType) -> None:
    page = reference.recipe_page()
    shown = _settings(page)
    tops: list[type[BaseModel]] = [Recipe, *known_sources().values()]
    for model in (m for top in tops for m in _models(top)):
        for name, field in model.model_fields.items():
            assert name in shown
            assert name == "type" or (field.description or "?").partition("<")[0] in page
    for type_ in known_sources():
        assert f"\n### {type_}\n" in page


def test_links_within_the_page_lead_somewhere(reference: ModuleType) -> None:
    page = reference.recipe_page()
    headings = {reference._slug(line.lstrip("# ")) for line in page.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= headings


@pytest.mark.parametrize("columns", ["20", "400"])
def test_pages_do_not_depend_on_the_terminal(columns: str, reference: ModuleType, tmp_path: Path) -> None:
    command = [sys.executable, str(TOOL), "--folder", str(tmp_path)]
    environment = {"COLUMNS": columns, "TERMINAL_WIDTH": columns, "LC_ALL": "C", "PATH": "", "PYTHONHASHSEED": columns}
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
    assert {p.name: p.read_text("utf-8") for p in tmp_path.iterdir()} == {n: b() for n, b in reference.PAGES.items()}


def test_check_names_the_stale_page(reference: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["--folder", str(tmp_path)]) == 0
    assert reference.main(["--check", "--folder", str(tmp_path)]) == 0
    capsys.readouterr()
    page = tmp_path / "recipe.md"
    page.write_text(page.read_text("utf-8").replace("Passes over the training pairs", "Something else"), "utf-8")
    assert reference.main(["--check", "--folder", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "recipe.md" in error and "make docs" in error and "cli.md" not in error
    page.unlink()
    assert reference.main(["--check", "--folder", str(tmp_path)]) == 1
    assert not page.exists(), "--check must not write"


def test_a_setting_without_description_is_refused(reference: ModuleType) -> None:
    class Undescribed(BaseModel):
        """A model."""

        setting: int = 1

    with pytest.raises(reference.UndescribedError, match=r"Undescribed\.setting has no description"):
        reference._settings_table(Undescribed, "")


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (str, "text"),
        (int | None, "whole number, or null"),
        (tuple[str, ...], "list of text"),
        (str | tuple[str, ...], "text, or list of text"),
    ],
)
def test_types_in_words(annotation: object, words: str, reference: ModuleType) -> None:
    assert reference._type_words(annotation) == words


def test_torch_is_not_imported() -> None:
    code = f"import runpy, sys; runpy.run_path({str(TOOL)!r})['recipe_page'](); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def _recipes_in(page: Path) -> list[str]:
    blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if block.startswith("name:")]


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.name)
def test_recipes_in_the_documentation_are_valid(page: Path) -> None:
    for block in _recipes_in(page):
        Recipe.parse(block, page.name)


def test_the_documentation_shows_the_shipped_quickstart() -> None:
    shown = Recipe.parse(_recipes_in(ROOT / "docs" / "quickstart.md")[0])
    assert shown.settings() == Recipe.load(ROOT / "recipes" / "quickstart.yaml").settings()
