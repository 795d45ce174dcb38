"""The command line: parse, call, print."""

import logging
import os
import sys
from typing import Annotated

import typer

from medloom import __version__
from medloom.cli.ablate import ablate
from medloom.cli.bench import bench
from medloom.cli.clean import clean
from medloom.cli.collect import collect, sources
from medloom.cli.deid import deid
from medloom.cli.distil import distil
from medloom.cli.doctor import doctor
from medloom.cli.encode import encode
from medloom.cli.generate import generate
from medloom.cli.index import index
from medloom.cli.merge import merge
from medloom.cli.mine import export_triplets, mine
from medloom.cli.publish import publish
from medloom.cli.run import recipes, run
from medloom.cli.search import search
from medloom.cli.serve import serve
from medloom.errors import MedloomError

app = typer.Typer(
    help="Medical text in, a proven embedding model out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(run)
app.command()(recipes)
app.command()(sources)
app.command()(collect)
app.command()(clean)
app.command()(deid)
app.command()(generate)
app.command()(mine)
app.command("export-triplets")(export_triplets)
app.command()(distil)
app.command()(merge)
app.command()(encode)
app.command()(publish)
app.command()(ablate)
app.command()(index)
app.command()(serve)
app.command()(doctor)
app.add_typer(bench, name="bench")
app.add_typer(search, name="search")


def _show_version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens inside.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, stream=sys.stderr)


def main() -> None:
    """Run the command line; exit 2 for what the user can mend (and, through typer, 130 after Ctrl-C)."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        app(standalone_mode=True)
    except MedloomError as error:
        sys.stderr.write(f"medloom: {error}\n")
        sys.exit(2)
