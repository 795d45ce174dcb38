"""MedTEB, the benchmark of the MedTE paper (Khodadad et al. 2025, arXiv 2507.19407), from documents at hand.

Tasks are data: a :class:`Definition` each, in one file per type. ``docs/medteb.md`` says what the two modes do and what the
documents must hold.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any

from medloom.bench.base import CHAT, BuildRequest, Entry, Mode
from medloom.bench.medteb.classification import CLASSIFICATION
from medloom.bench.medteb.clustering import CLUSTERING
from medloom.bench.medteb.definition import Definition
from medloom.bench.medteb.labelled import build_labelled
from medloom.bench.medteb.material import Material
from medloom.bench.medteb.needs import FROM_FILES, settings_for
from medloom.bench.medteb.negatives import Vectors
from medloom.bench.medteb.pair_classification import PAIR_CLASSIFICATION
from medloom.bench.medteb.paired import build_paired
from medloom.bench.medteb.ranked import build_ranked
from medloom.bench.medteb.retrieval import RETRIEVAL
from medloom.encode import Encoder
from medloom.errors import MedloomError
from medloom.evaluate.tasks import Task, TaskType, check

__all__ = ["DEFINITIONS", "Definition", "MedtebSuite"]

_LOG = logging.getLogger(__name__)
DEFINITIONS: tuple[Definition, ...] = (*CLASSIFICATION, *CLUSTERING, *PAIR_CLASSIFICATION, *RETRIEVAL)
_NEIGHBOUR_MODEL = "builtin:all-MiniLM-L6-v2"
_KEPT = (
    "The benchmark of the MedTE paper: the 52 tasks that its authors' evaluation keeps. The paper says 51; which one is "
    "dropped cannot be known."
)
_FULL = (
    "The benchmark of the MedTE paper with all 77 tasks that its authors' code makes: 25 of them were taken out after "
    "results had been seen."
)
_BUILDERS: dict[TaskType, Callable[[Definition, Material], Task]] = {
    "Classification": build_labelled,
    "Clustering": build_labelled,
    "PairClassification": build_paired,
    "Retrieval": build_ranked,
}


class MedtebSuite:
    """The tasks of MedTEB; see :class:`medloom.bench.base.Suite`.

    Args:
        name: Of the suite.
        full: All 77 tasks rather than the 52 kept ones.
        encoder: Gives the encoder whose neighbours become negatives; all-MiniLM-L6-v2 if not given. It computes in fp32
            everywhere, so that two machines draw the same negatives.
    """

    modes: tuple[Mode, ...] = ("strict", "compat")

    def __init__(self, name: str, full: bool, encoder: Callable[[], Encoder] | None = None) -> None:
        self.name = name
        self.description = _FULL if full else _KEPT
        self._definitions = [d for d in DEFINITIONS if full or d.kept]
        self._encoder = encoder or _neighbour_model

    @property
    def needs(self) -> dict[str, dict[str, Any]]:
        """Of each source of its tasks, the settings that collect what they need; none where only the user has it."""
        sources = dict.fromkeys(d.source for d in self._definitions)
        return {s: {} if s in FROM_FILES else settings_for(s, self._definitions) for s in sources}

    def entries(self) -> list[Entry]:
        """The catalogue: classification, clustering, pair classification, retrieval."""
        return [self._entry(definition) for definition in self._definitions]

    def build(self, request: BuildRequest, left_out: dict[str, str]) -> Iterator[Task]:
        """Yield the tasks source by source, so that documents and vectors of one source are held at a time.

        Args:
            request: What is at hand.
            left_out: Filled with tasks that were wanted and could not be built, and why.
        """
        vectors = Vectors(self._encoder)
        for source in dict.fromkeys(d.source for d in self._definitions):
            wanted = [d for d in self._definitions if d.source == source and self._is_possible(d, request, left_out)]
            if not wanted:
                continue
            try:
                documents = request.documents[source]()
            except Exception as error:
                left_out.update({d.name: _reason(error, f"reading the documents of {source}") for d in wanted})
                continue
            material = Material(documents, request.mode == "compat", request.seed, vectors, request.chat)
            for definition in wanted:
                try:
                    task = check(_BUILDERS[definition.type](definition, material))
                except Exception as error:
                    left_out[definition.name] = _reason(error, "building it")
                    continue
                yield task
            vectors.forget()

    def _is_possible(self, definition: Definition, request: BuildRequest, left_out: dict[str, str]) -> bool:
        entry = self._entry(definition)
        if not request.wants(entry):
            return False
        if missing := request.missing(entry):
            left_out[entry.name] = f"needs {' and '.join(missing)}"
        return not missing

    def _entry(self, definition: Definition) -> Entry:
        return Entry(
            name=definition.name,
            type=definition.type,
            suite=self.name,
            source=definition.source,
            metric=definition.metric,
            facet=definition.facet,
            description=definition.description,
            needs=(definition.source,),
            compat_needs=(CHAT,) if definition.written else (),
        )


def _reason(error: Exception, doing: str) -> str:
    """Why a task is left out; the message of an error that is not our own might quote its text."""
    if isinstance(error, MedloomError):
        return str(error)
    _LOG.warning("MedTEB: %s failed: %s", doing, type(error).__name__)
    return f"{doing} failed ({type(error).__name__})"


def _neighbour_model() -> Encoder:
    from medloom.encode import load_encoder

    return load_encoder(_NEIGHBOUR_MODEL)
