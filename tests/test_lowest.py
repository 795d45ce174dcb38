"""The constraints of ``make lowest``."""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "tools" / "lowest.py"


@pytest.fixture(scope="module")
def lowest() -> ModuleType:
    """The tool as a module."""
    spec = importlib.util.spec_from_file_location("medloom_tools_lowest", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_dependency_but_torch_is_pinned_to_its_bound() -> None:
    done = subprocess.run([sys.executable, "-I", "-S", str(TOOL)], check=True, capture_output=True, text=True, timeout=60)
    printed = [Requirement(line) for line in done.stdout.splitlines()]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert "medloom[deid,int8,llm,lora,onnx,ray,search,serve,tensorboard,wikipedia]" in extras["test"]
    assert "medloom[openai]" in extras["llm"] and "medloom[openvino]" in extras["int8"]
    names = (
        "test",
        "deid",
        "int8",
        "llm",
        "lora",
        "onnx",
        "openai",
        "openvino",
        "ray",
        "search",
        "serve",
        "tensorboard",
        "wikipedia",
    )
    lines = [*project["dependencies"], *(line for name in names for line in extras[name])]
    claimed = [Requirement(line) for line in lines if not line.startswith("medloom[")]
    assert {r.name for r in printed} == {canonicalize_name(r.name) for r in claimed} - {"torch"}
    for requirement in printed:
        version = str(requirement.specifier).removeprefix("==")
        bound = next(r for r in claimed if canonicalize_name(r.name) == requirement.name).specifier
        assert bound.contains(version, prereleases=True)
        assert any(s.operator == ">=" and Version(s.version) == Version(version) for s in bound)


@pytest.mark.parametrize(
    ("requirement", "pin"),
    [
        ("numpy>=2.1", "numpy==2.1"),
        ("Types_PyYAML >= 6.0.12.20250516", "types-pyyaml==6.0.12.20250516"),
        ("mkdocstrings[python]>=0.30", "mkdocstrings==0.30"),
        ("mteb>=2.26,<3", "mteb==2.26"),
        ("tomli>=2.0; python_version < '3.11'", "tomli==2.0"),
        ("x>=1.0rc1", "x==1.0rc1"),
    ],
)
def test_forms_of_requirements(requirement: str, pin: str, lowest: ModuleType) -> None:
    assert list(lowest.lowest([requirement])) == [pin]


def test_torch_is_left_to_the_makefile(lowest: ModuleType) -> None:
    assert list(lowest.lowest(["torch>=2.13", "torchmetrics>=1.0"])) == ["torchmetrics==1.0"]


@pytest.mark.parametrize("requirement", ["numpy", "numpy<3", "numpy==2.1", "numpy>2", "a>=1 b>=2"])
def test_without_a_lower_bound_it_fails(requirement: str, tmp_path: Path, lowest: ModuleType) -> None:
    with pytest.raises(ValueError, match="no lower bound"):
        list(lowest.lowest([requirement]))
    file = tmp_path / "pyproject.toml"
    file.write_text(f'[project]\nname = "x"\ndependencies = ["{requirement}"]\n', "utf-8")
    assert lowest.main([str(file)]) == 1


def test_the_sources_of_error_are_named(tmp_path: Path, lowest: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert lowest.main([str(tmp_path / "none.toml")]) == 1
    assert "none.toml" in capsys.readouterr().err
