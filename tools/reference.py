"""Write the pages of the documentation that say what the code says: the command line and the recipe.

``python tools/reference.py`` writes ``docs/reference/cli.md`` and ``docs/reference/recipe.md``; with ``--check`` it writes
nothing and exits with 1 where a page on disk is not what it would write. The pages depend on the code alone: not on the
terminal, and not on the versions of the libraries.
"""

import argparse
import inspect
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
PROGRAM = "medloom"
_NOTICE = "<!-- Written by tools/reference.py from the code: change the code, then run `make docs`. -->"
_WORDS: dict[object, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    date: "date (YYYY-MM-DD)",
    type(None): "null",
}
_BOUNDS = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}", "pattern": "matching `{}`"}
_ROLE = re.compile(r":[a-z]+:`~?(?:[\w.]*\.)?(\w+)`")
_CODE = re.compile(r"(`+[^`]*`+)")


class UndescribedError(Exception):
    """The code does not say what a page must say."""


def cli_page() -> str:
    """The command line's page: every command with its arguments and options."""
    from typer.main import get_command

    from medloom.cli import app

    parts = [
        "# Command line",
        _NOTICE,
        "Every command takes `--help`. Lists, plans and `--json` go to standard output; progress, the closing table of a "
        "run and errors go to standard error.",
        "Exit codes: 0 when the command did what was asked; 1 when `medloom doctor` finds something missing or a task "
        "of `medloom bench run` failed; 2 for anything that you can mend (a typo in a recipe, a bad row, a full disk), with "
        "a message that says what to do; 130 after Ctrl-C.",
    ]
    for path, command in _commands(get_command(app), PROGRAM):
        parts += _command_section(path, command)
    return _page(parts)


def recipe_page() -> str:
    """The recipe's page: a table of settings for the recipe, each of its sections, and each source."""
    from medloom.recipe import Recipe
    from medloom.sources import known_sources

    sections = {name: _models_in(field) for name, field in Recipe.model_fields.items() if _models_in(field)}
    parts = [
        "# Recipe",
        _NOTICE,
        "A recipe is one YAML file. A setting that is not in the table of its section is an error that names the line and "
        "the nearest setting.",
        "On the command line a setting is named with its section, and a source with its number, from 0: "
        "`--set train.epochs=2`, `--set sources.0.path=notes.jsonl`.",
        "## The whole recipe",
        _prose(Recipe),
        _settings_table(Recipe, ""),
    ]
    for name, models in sections.items():
        if name != "sources":
            parts += [f"## {name}", *_kinds_section(models, name)]
    parts += ["## sources", "A list. The `type` of each entry says which of these it is."]
    for type_, source in known_sources().items():
        parts += [f"### {type_}", _module_prose(source), *_model_section(source, type_, level=4, own=True)]
    return _page(parts)


PAGES: dict[str, Callable[[], str]] = {"cli.md": cli_page, "recipe.md": recipe_page}


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """A command and all below it, each with the words that call it."""
    if getattr(command, "hidden", False):
        return
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, f"{path} {name}")


def _command_section(path: str, command: Any) -> list[str]:  # noqa: ANN401
    """Heading, usage, help and tables of one command."""
    shown = [p for p in command.params if not getattr(p, "hidden", False) and "--help" not in p.opts]
    arguments = [p for p in shown if p.param_type_name == "argument"]
    options = [p for p in shown if p.param_type_name == "option"]
    usage = [path, *(["[OPTIONS]"] if options else []), *(_argument_usage(p) for p in arguments)]
    if getattr(command, "commands", None):
        usage.append("COMMAND")
    signature = _signature(command.callback)
    parts = [f"## {path}", f"```text\n{' '.join(usage)}\n```", _markdown(inspect.cleandoc(command.help or ""))]
    for heading, parameters in (("argument", arguments), ("option", options)):
        rows = [_parameter_row(p, signature, f"{path} {p.opts[0]}") for p in parameters]
        if rows:
            parts.append(_table((heading, "type", "default", "meaning"), rows))
    return parts


def _argument_usage(parameter: Any) -> str:  # noqa: ANN401
    name = str(parameter.name).rstrip("_").upper()
    many = "..." if parameter.nargs != 1 else ""
    return f"{name}{many}" if parameter.required else f"[{name}{many}]"


def _signature(callback: Callable[..., object] | None) -> dict[str, tuple[object, object]]:
    """Type and default of each parameter of the function behind a command."""
    if callback is None:
        return {}
    hints = get_type_hints(callback)
    return {name: (hints.get(name, str), p.default) for name, p in inspect.signature(callback).parameters.items()}


def _parameter_row(parameter: Any, signature: dict[str, tuple[object, object]], where: str) -> tuple[str, ...]:  # noqa: ANN401
    annotation, default = signature.get(str(parameter.name), (str, None))
    if not parameter.help:
        raise UndescribedError(f"{where} has no help: give it help=")
    if parameter.param_type_name == "argument":
        name = f"`{_argument_usage(parameter)}`"
    else:
        name = ", ".join(f"`{o}`" for o in (*parameter.opts, *parameter.secondary_opts))
    inner = _without_none(annotation)
    if get_origin(inner) is list:
        inner = get_args(inner)[0]
    words = "flag" if annotation is bool and not parameter.secondary_opts else _type_words(inner)
    shown = (
        "required" if parameter.required else "" if default in (None, False, inspect.Parameter.empty) else _value(default)
    )
    return name, words, shown, _markdown(str(parameter.help))


def _kinds_section(models: Sequence[type[BaseModel]], name: str) -> list[str]:
    """Prose and table of the one model that a section may be, or of each with a heading, where its ``kind`` says which."""
    if len(models) == 1:
        return _model_section(models[0], name)
    kinds = {get_args(model.model_fields["kind"].annotation)[0]: model for model in models}
    default = next(kind for kind, model in kinds.items() if not model.model_fields["kind"].is_required())
    parts = [f"The `kind` says which of these it is: `{default}` if it is not given."]
    for kind, model in sorted(kinds.items(), key=lambda item: item[0] != default):
        parts += [f"### {name}: {kind}", *_model_section(model, f"{name}: {kind}", level=4)]
    return parts


def _model_section(model: type[BaseModel], prefix: str, level: int = 3, own: bool = False) -> list[str]:
    """Prose and table of a model, then those of the models in it.

    Args:
        model: What to describe.
        prefix: Its place in the recipe, for the headings of what is in it.
        level: Of those headings.
        own: Whether ``type`` must be given (the model is a source).
    """
    parts = [_prose(model), _settings_table(model, prefix, must=("type",) if own else ())]
    for name, field in model.model_fields.items():
        for inner in _models_in(field):
            parts += [f"{'#' * level} {prefix}: {name}", *_model_section(inner, f"{prefix}: {name}", level + 1)]
    return parts


def _settings_table(model: type[BaseModel], prefix: str, must: Sequence[str] = ()) -> str:
    return _table(
        ("setting", "type", "default", "meaning"),
        [_setting_row(model, name, field, prefix, name in must) for name, field in model.model_fields.items()],
    )


def _setting_row(model: type[BaseModel], name: str, field: FieldInfo, prefix: str, must: bool) -> tuple[str, ...]:
    meaning = field.description or ("Says which source this is." if must else None)
    if meaning is None:
        raise UndescribedError(f"{model.__module__}.{model.__name__}.{name} has no description: give its Field one")
    default = field.get_default(call_default_factory=True) if not field.is_required() else None
    if must or field.is_required():
        shown = "required"
    else:
        shown = "its own defaults" if isinstance(default, BaseModel) else _value(default)
    return f"`{name}`", _field_words(name, field, prefix), shown, _markdown(meaning)


def _field_words(name: str, field: FieldInfo, prefix: str) -> str:
    """The type of a setting, with its bounds, in words."""
    if _models_in(field):
        place = f"{prefix}: {name}" if prefix else name
        words = f"settings, [see {name}](#{_slug(place)})"
        return f"list of {words}" if get_origin(field.annotation) is tuple else words
    bounds = [
        text.format(getattr(item, key))
        for item in field.metadata
        for key, text in _BOUNDS.items()
        if getattr(item, key, None) is not None
    ]
    inner = _without_none(field.annotation)
    words = ", ".join([_type_words(inner), " and ".join(bounds)]) if bounds else _type_words(inner)
    return words if inner is field.annotation else f"{words}; or null"


def _type_words(annotation: object) -> str:
    """An annotation in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_words(arguments[0])
    if origin is Literal:
        values = ", ".join(f"`{value}`" for value in arguments)
        return f"one of {values}" if len(arguments) > 1 else values
    if origin in (tuple, list):
        return f"list of {_type_words(arguments[0])}".replace("list of one of", "list from")
    if origin in (Union, types.UnionType):
        return ", or ".join(_type_words(argument) for argument in sorted(arguments, key=lambda a: a is type(None)))
    if origin is dict:
        return f"mapping of {_type_words(arguments[0])} to {_type_words(arguments[1])}"
    if annotation not in _WORDS:
        raise UndescribedError(f"no words for the type {annotation}: add it to _WORDS in tools/reference.py")
    return _WORDS[annotation]


def _without_none(annotation: object) -> object:
    """``X`` of ``X | None``, other annotations as they are."""
    rest = [argument for argument in get_args(annotation) if argument is not type(None)]
    return rest[0] if get_origin(annotation) in (Union, types.UnionType) and len(rest) == 1 else annotation


def _models_in(field: FieldInfo) -> list[type[BaseModel]]:
    """The pydantic models that a setting holds, directly or in a list."""
    found: list[type[BaseModel]] = []
    todo: list[object] = [field.annotation]
    while todo:
        one = todo.pop()
        if isinstance(one, type) and issubclass(one, BaseModel):
            found.append(one)
        elif get_origin(one) is not Literal:
            todo.extend(get_args(one))
    return found


def _value(value: object) -> str:
    """A default as a recipe would write it."""
    if value == "":
        return "empty"
    text = yaml.safe_dump(to_jsonable_python(value), default_flow_style=True, width=10**6)
    return f"`{text.removesuffix(chr(10)).removesuffix('...').strip()}`"


def _prose(model: type[BaseModel]) -> str:
    """A model's docstring without its list of attributes."""
    return _markdown(inspect.cleandoc(model.__doc__ or "").partition("\n\nAttributes:")[0])


def _module_prose(model: type[BaseModel]) -> str:
    """The docstring of the module that a source is in: what it is for, and its licence."""
    return _markdown(inspect.cleandoc(sys.modules[model.__module__].__doc__ or ""))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def _markdown(text: str) -> str:
    """A docstring or help text as Markdown: roles as code, marks that would be read as markup escaped."""
    paragraphs = [" ".join(part.split()) for part in _ROLE.sub(r"`\1`", text).split("\n\n")]
    return "\n\n".join("".join(_escaped(piece) for piece in _CODE.split(part)) for part in paragraphs)


def _escaped(piece: str) -> str:
    if piece.startswith("`"):
        return f"`{piece.strip('`')}`"
    return piece.replace("<", "&lt;").replace("*", r"\*").replace("[", r"\[")


def _slug(heading: str) -> str:
    """The anchor that Markdown gives a heading."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading.lower())).strip("-")


def stale(folder: Path) -> list[str]:
    """Names of the pages in ``folder`` that are missing or not what the code says."""
    return [name for name, build in PAGES.items() if _read(folder / name) != build()]


def write(folder: Path) -> None:
    """Write every page, leaving alone those that are right."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale(folder):
        (folder / name).write_text(PAGES[name](), "utf-8", newline="\n")
        print(f"wrote {name}")


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is stale")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the pages lie")
    options = parser.parse_args(arguments)
    try:
        if not options.check:
            write(options.folder)
            return 0
        old = stale(options.folder)
    except UndescribedError as error:
        sys.stderr.write(f"reference: {error}\n")
        return 1
    for name in old:
        sys.stderr.write(f"{_shown(options.folder / name)} is stale: run `make docs`\n")
    return 1 if old else 0


def _shown(path: Path) -> str:
    """A path from the repository's root where it is in it."""
    root = FOLDER.parents[1]
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
