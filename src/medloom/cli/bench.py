"""``medloom bench``: which model should I use on medical text, and is the difference real?"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medloom.errors import MedloomError, ModelError

if TYPE_CHECKING:
    from medloom.bench.base import ChatModel, Mode
    from medloom.bench.documents import DocumentsInput
    from medloom.bench.store import BuiltSuite

bench = typer.Typer(no_args_is_help=True, help="Judge models on medical tasks, with statistics.")

_GIGABYTE = 1_000_000_000
_OUT = Path("runs/bench")

Suites = Annotated[
    list[str] | None, typer.Option("--suite", help="A suite's name, or the folder of a built one. Repeatable.")
]
ModeOption = Annotated[str, typer.Option(help="strict, or compat: the original's own way, defects included.")]
Seed = Annotated[int, typer.Option(help="Draws everything that is drawn.")]
Data = Annotated[
    list[str] | None,
    typer.Option("--data", help="SOURCE=PATH: documents of a source, as an artifact, a run or a file. Repeatable."),
]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--source", help="Collect this source of the suite from its service first: wikipedia,pubmed,... Repeatable."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="SOURCE.setting=value of a source that is collected: pubmed.api=URL for a mirror. Repeatable."
    ),
]
Chat = Annotated[
    str | None,
    typer.Option(
        help="openai:http://HOST/v1#MODEL: chat model that writes the queries which compat needs; sees public text only."
    ),
]
Out = Annotated[Path, typer.Option(help="Folder of the benchmark: suites, results, reports.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON on standard output.")]


@bench.command()
def tasks(suite: Suites = None, data: Data = None, mode: ModeOption = "strict", as_json: AsJson = False) -> None:
    """List the tasks of the suites, and what each needs to be built here."""
    from medloom.bench.base import BuildRequest
    from medloom.bench.registry import suite as named
    from medloom.bench.registry import suite_names
    from medloom.cli.bench_print import print_tasks

    request = BuildRequest(_mode(mode), 0, {one.source: one.load for one in _data(data)})
    rows = []
    for name in suite or suite_names():
        for entry in named(name).entries():
            missing = request.missing(entry)
            rows.append(
                {key: getattr(entry, key) for key in ("name", "type", "suite", "source", "metric", "facet", "description")}
                | {"buildable": not missing, "missing": list(missing)}
            )
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        print_tasks(rows)


@bench.command("build")
def build_(
    suite: Annotated[str, typer.Option(help="The suite's name.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; runs/bench/suites/NAME-MODE-SEED if not given.")] = None,
    mode: ModeOption = "strict",
    seed: Seed = 0,
    data: Data = None,
    source: Sources = None,
    set_: Settings = None,
    sources_folder: Annotated[
        Path, typer.Option(help="Folder of what is collected; gone on with, and not asked for again.")
    ] = _OUT / "sources",
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the collecting.")] = 1,
    task: Annotated[list[str] | None, typer.Option(help="Build only this task. Repeatable.")] = None,
    chat: Chat = None,
    as_json: AsJson = False,
) -> None:
    """Build a suite from what is at hand or can be fetched: a folder that can be shared, with a fingerprint."""
    from medloom.bench.build import build
    from medloom.bench.fetch import fetch_sources
    from medloom.bench.select import suite_folder
    from medloom.cli.bench_print import print_built
    from medloom.sources.collected import How

    with _console() as tell:
        folder = out or suite_folder(_OUT, suite, mode, seed)
        inputs = _data(data)
        if source:
            names = [name for given in source for name in given.split(",") if name]
            inputs += fetch_sources(suite, names, sources_folder, How(workers=workers), _settings(set_ or []), tell)
        built = build(suite, folder, _mode(mode), seed, inputs, task or (), _chat(chat) if chat else None, tell)
    rows = _built_rows(built, folder)
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        print_built(rows)


@bench.command()
def run(
    model: Annotated[
        list[str],
        typer.Argument(help="Folder, hub id, builtin:NAME, openai:http://HOST/v1#MODEL, or bm25. Several are run in turn."),
    ],
    suite: Suites = None,
    task: Annotated[
        list[str] | None,
        typer.Option("--task", help="A folder or table of your own, or the name of one task of the suites. Repeatable."),
    ] = None,
    out: Out = _OUT,
    mode: ModeOption = "strict",
    seed: Seed = 0,
    data: Data = None,
    chat: Chat = None,
    precision: Annotated[str, typer.Option(help="fp32, bf16, or auto.")] = "auto",
    cache: Annotated[
        Path | None, typer.Option(help="Folder of the vector cache; the user's cache folder if not given.")
    ] = None,
    cache_gb: Annotated[float, typer.Option(help="Largest size of the vector cache.")] = 20.0,
    send_text_to: Annotated[
        list[str] | None, typer.Option(help="Host of an endpoint that may see text which is not public. Repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run models on suites or on your own data.

    A second run does only what is missing. A task that fails is recorded and the rest goes on; the exit code is then 1.
    """
    from medloom.bench.runner import Summary, run_suites
    from medloom.bench.select import Wanted, suites_to_run
    from medloom.cli.bench_print import print_summary
    from medloom.encode.cache import VectorCache
    from medloom.evaluate.systems import open_system
    from medloom.folders import cache_folder

    summary = Summary()
    with _console() as tell:
        wanted = Wanted(
            out, suite or (), task or (), _mode(mode), seed, _data(data), (lambda: _chat(chat)) if chat else None
        )
        suites = suites_to_run(wanted, tell)
        store = VectorCache(cache or cache_folder() / "vectors", int(cache_gb * _GIGABYTE))
        for name in model:
            run_suites(
                lambda name=name: open_system(name, _precision(precision), store),  # type: ignore[misc]
                suites,
                out / "results",
                summary,
                send_text_to or (),
                tell,
            )
    if as_json:
        print(json.dumps(vars(summary), indent=2, ensure_ascii=False))
    else:
        print_summary(summary, out)
    if summary.errors:
        raise typer.Exit(1)


Models = Annotated[list[str] | None, typer.Option("--model", help="Show only this model (name or folder of its results).")]
Unlike = Annotated[bool, typer.Option("--allow-unlike", help="Compare results of unlike settings, with a warning.")]
Training = Annotated[
    list[str] | None,
    typer.Option(help="MODEL=FOLDER: a medloom run whose training text the tasks are checked against. Repeatable."),
]
Resamples = Annotated[int, typer.Option(min=200, help="Bootstrap resamples.")]


@bench.command()
def compare(
    out: Out = _OUT,
    suite: Suites = None,
    model: Models = None,
    allow_unlike: Unlike = False,
    training: Training = None,
    resamples: Resamples = 2_000,
    md: Annotated[bool, typer.Option("--md", help="Print as Markdown.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print as CSV.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the models that have results: intervals, tests, ranks."""
    from medloom.bench.report import render_csv, render_markdown
    from medloom.cli.bench_print import print_board

    with _console():
        board = _board(out, suite, model, allow_unlike, training, resamples, None)
    if as_json:
        print(json.dumps(board, indent=2, ensure_ascii=False))
    elif md or csv:
        print(render_markdown(board) if md else render_csv(board), end="")
    else:
        print_board(board)


@bench.command()
def report(
    out: Out = _OUT,
    to: Annotated[Path | None, typer.Option(help="The HTML file; OUT/leaderboard.html if not given.")] = None,
    suite: Suites = None,
    model: Models = None,
    allow_unlike: Unlike = False,
    training: Training = None,
    resamples: Resamples = 2_000,
    map_: Annotated[str | None, typer.Option("--map", help="Clustering task to draw; the first one if not given.")] = None,
    md: Annotated[Path | None, typer.Option(help="Write Markdown here too.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write CSV here too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the leaderboard: one HTML file that asks nothing of the network."""
    from medloom.bench.report import render_csv, render_html, render_markdown

    with _console():
        board = _board(out, suite, model, allow_unlike, training, resamples, map_ or "")
    written = {"html": to or out / "leaderboard.html", "md": md, "csv": csv}
    renderers = {"html": render_html, "md": render_markdown, "csv": render_csv}
    for kind, path in written.items():
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(renderers[kind](board), "utf-8")
    if as_json:
        print(json.dumps({kind: str(path) for kind, path in written.items() if path}, indent=2))
    else:
        print("\n".join(f"{kind}: {path}" for kind, path in written.items() if path))


def _console() -> Any:  # noqa: ANN401
    from medloom.cli.bench_print import console

    return console()


def _mode(mode: str) -> "Mode":
    if mode not in ("strict", "compat"):
        raise MedloomError(f"no mode {mode!r}: give strict or compat")
    return mode  # type: ignore[return-value]


def _precision(precision: str) -> Any:  # noqa: ANN401
    if precision not in ("auto", "fp32", "bf16"):
        raise MedloomError(f"no precision {precision!r}: give auto, fp32 or bf16")
    return precision


def _named(pairs: Sequence[str], option: str) -> list[tuple[str, Path]]:
    found = []
    for pair in pairs:
        name, sign, path = pair.partition("=")
        if not sign or not name or not path:
            raise MedloomError(f"{option} {pair}: write it as NAME=PATH")
        found.append((name, Path(path).expanduser()))
    return found


def _settings(overrides: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Settings of sources from SOURCE.setting=value."""
    import yaml

    found: dict[str, dict[str, Any]] = {}
    for override in overrides:
        key, sign, value = override.partition("=")
        source, dot, name = key.partition(".")
        if not sign or not dot or not name:
            raise MedloomError(f"--set {override}: write it as SOURCE.setting=value, such as pubmed.api=URL")
        try:
            found.setdefault(source, {})[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise MedloomError(f"--set {override}: the value is not valid YAML") from None
    return found


def _data(data: list[str] | None) -> "list[DocumentsInput]":
    from medloom.bench.documents import DocumentsInput

    inputs = [DocumentsInput(name, path) for name, path in _named(data or [], "--data")]
    for one in inputs:
        if not one.path.exists():
            raise MedloomError(f"--data {one.source}: no file or folder {one.path}")
    return inputs


def _chat(where: str) -> "ChatModel":
    from medloom.generate.models import SimpleChat, open_chat

    try:
        return SimpleChat(open_chat(where))
    except ModelError as error:
        raise MedloomError(f"--chat {where}: {error}") from error


def _built_rows(built: "BuiltSuite", folder: Path) -> dict[str, Any]:
    return {
        "suite": built.name,
        "mode": built.mode,
        "seed": built.seed,
        "folder": str(folder),
        "fingerprint": built.fingerprint,
        "tasks": [
            {
                "name": task.name,
                "type": task.type,
                "n": task.n,
                "texts": len({text for _, text in task.texts}),
                "counts": task.counts,
                "fingerprint": task.fingerprint,
            }
            for task in built.tasks
        ],
        "left_out": built.left_out,
    }


def _board(
    out: Path,
    suites: list[str] | None,
    models: list[str] | None,
    allow_unlike: bool,
    training: list[str] | None,
    resamples: int,
    map_task: str | None,
) -> dict[str, Any]:
    from medloom.bench.leaderboard import leaderboard
    from medloom.bench.maps import embedding_map
    from medloom.bench.overlaps import overlaps_of
    from medloom.bench.select import tasks_on_disk

    results = out / "results"
    overlaps = overlaps_of(results, dict(_named(training or [], "--training")))
    board = leaderboard(
        results,
        suites or (),
        models or (),
        allow_unlike,
        overlaps,
        tasks_on_disk(out) if overlaps else {},
        resamples,
        command=f"medloom bench report --out {out.name}",
    )
    if map_task is not None:
        board["map"] = embedding_map(results, board, map_task)
    return board
