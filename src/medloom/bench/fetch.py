"""Documents for a suite from the services that publish them: collected as the suite's tasks need it, then built from."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from medloom.bench.documents import DocumentsInput
from medloom.bench.medteb import MedtebSuite
from medloom.bench.medteb.needs import FROM_FILES
from medloom.bench.registry import suite
from medloom.collect.shown import shown
from medloom.errors import MedloomError
from medloom.sources import SourceConfig, known_sources
from medloom.sources.collected import How, collect_source


def fetch_sources(
    name: str,
    sources: Sequence[str],
    folder: Path,
    how: How,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> list[DocumentsInput]:
    """Collect the sources of a suite; what is there already is not asked for again.

    Args:
        name: The suite.
        sources: Names of sources that its tasks need.
        folder: A folder for each source is made in it.
        how: How to collect.
        settings: Of a source what is to be other than its tasks need: the address of a mirror, say.
        tell: Told of each source that is there.

    Raises:
        MedloomError: The suite needs no such source, or nobody but the user can have it.
        SourceError: A service cannot be reached; what was collected is kept.
    """
    made = {source: _source(name, source, (settings or {}).get(source, {})) for source in dict.fromkeys(sources)}
    if unknown := [source for source in settings or {} if source not in made]:
        raise MedloomError(f"{unknown[0]} has settings and is not to be collected: give --source {unknown[0]} too")
    found = []
    for source, config in made.items():
        with shown(source) as progress:
            result = collect_source(config, folder / source, how, progress)
        tell(f"{source}: {result.documents:,} documents in {folder / source}")
        found.append(DocumentsInput(source, folder / source))
    return found


def _source(name: str, source: str, settings: Mapping[str, Any]) -> SourceConfig:
    wanted = suite(name)
    needs = wanted.needs if isinstance(wanted, MedtebSuite) else {}
    if source not in needs:
        there = f"it needs {', '.join(needs)}" if needs else "it is built from packages or the hub alone"
        raise MedloomError(f"the suite {name} needs no source {source!r}: {there}")
    if source in FROM_FILES:
        raise MedloomError(f"{source} is given to you alone by its makers: name your copy with --data {source}=PATH")
    try:
        return known_sources()[source].model_validate({"type": source, **needs[source], **settings})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise MedloomError(f"source {source}: {f'{place}: ' if place else ''}{first['msg']}") from None
