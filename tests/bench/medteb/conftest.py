"""Small documents of every source that MedTEB reads, a chat model and an encoder that need no weights."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pytest

from medloom.bench.base import BuildRequest, Mode
from medloom.bench.medteb import DEFINITIONS, MedtebSuite
from medloom.evaluate.tasks import Task
from medloom.records import Document, Section
from medloom.text import words

Documents = dict[str, list[Document]]
PER_CLASS = 24


class BagOfWords:
    """Counts of words, hashed to 64 places: near texts share words."""

    def __init__(self) -> None:
        self.encoded: list[str] = []
        self.dimensions = 64
        self.hash = "bag"

    def prompt_for(self, role: str) -> str | None:
        return None

    def encode(self, texts: Sequence[str], prompt: str | None = None, label: str | None = None) -> npt.NDArray[np.float32]:
        self.encoded += texts
        vectors = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in words(text):
                vectors[row, sum(word.encode()) % 64] += 1
        return vectors


class Writer:
    """Answers every prompt with the JSON that it asks for, or as told."""

    name = "writer"

    def __init__(self, answer: Callable[[str, int], str] | None = None) -> None:
        self.prompts: list[str] = []
        self._answer = answer

    def complete(self, prompt: str) -> str:
        self.prompts.append(prompt)
        if self._answer is not None:
            return self._answer(prompt, len(self.prompts))
        shape = json.loads(prompt.split("nothing else: ")[1].split("\n")[0])
        number = len(self.prompts)
        return json.dumps({key: f"{key} number {number} on thing {number % 7}" for key in shape})


def sentence(topic: str, number: int, extra: str = "") -> str:
    """A text of about fifteen words that no other number gives."""
    return f"The {topic} report number {number} tells of {extra or topic} in ward {number % 5} and of finding {number * 7}."


def _wikipedia() -> list[Document]:
    names = sorted({label for d in DEFINITIONS if d.source == "wikipedia" for label in d.labels})
    pages = []
    for place, name in enumerate(names):
        for number in range(PER_CLASS):
            sections = [Section("", "A lead that no task reads, though it is long enough to be read by one.")]
            sections += [Section(part, sentence(f"{name} {part}", number)) for part in ("Causes", "Treatment")]
            pages.append(
                Document(
                    f"w{place}-{number}",
                    "wikipedia",
                    f"{name} page {number}",
                    group=f"page {place}-{number}",
                    sections=(*sections, Section("See also", "Short.")),
                    categories=(name, "Diseases and disorders by system"),
                )
            )
    return pages


def _articles(source: str) -> list[Document]:
    terms = sorted({v for d in DEFINITIONS if d.source == source for _, values in d.classes for v in values})
    terms += sorted({d.category for d in DEFINITIONS if d.source == source and d.category})
    return [
        Document(
            f"{source}{place}-{number}",
            source,
            f"On {term} {number}",
            f"{sentence(term, number, source)} Second: {sentence(term, number + 500)}",
            categories=(term,),
        )
        for place, term in enumerate(terms)
        for number in range(PER_CLASS)
    ]


def _notes() -> list[Document]:
    diagnoses = sorted(
        {
            v
            for d in DEFINITIONS
            if d.name.startswith(("classification_mimiciv_g", "classification_mimiciv_s", "clustering_mimiciv"))
            for _, values in d.classes
            for v in values
        }
    )
    notes = []
    for place, diagnosis in enumerate(diagnoses):
        for number in range(PER_CLASS):
            days = [f"readmission {d} days" for d in (3, 7, 30)] if number % 3 == 0 else []
            notes.append(
                Document(
                    f"stay{place}-{number}",
                    "mimic",
                    group=f"patient{place}-{number // 2}",
                    sections=(
                        Section("Chief Complaint", f"{diagnosis} complaint {number % 9}"),
                        Section("History of Present Illness", sentence(f"history {diagnosis}", number)),
                        Section("Discharge Diagnosis", diagnosis),
                        Section("Discharge Instructions", sentence(f"instructions {diagnosis}", number)),
                    ),
                    categories=tuple(days),
                )
            )
    return notes


def _exam(source: str) -> list[Document]:
    return [
        Document(
            f"{source}{number}",
            source,
            f"{sentence(source, number)} Which one?",
            sentence("explanation", number) if source == "medmcqa" else "",
            sections=tuple(
                Section("correct option" if place == number % 4 else "wrong option", f"choice {number} {place}")
                for place in range(4)
            ),
        )
        for number in range(PER_CLASS)
    ]


def _trials() -> list[Document]:
    return [
        Document(
            f"NCT{number}",
            "clinicaltrials",
            f"A trial of drug {number} in arm {number % 3}",
            sections=(
                Section("brief summary", sentence("summary", number)),
                Section("detailed description", sentence("description", number)),
                Section("primary outcomes", sentence("outcome", number)),
            ),
        )
        for number in range(PER_CLASS * 2)
    ]


@pytest.fixture(scope="session")
def all_documents() -> Documents:
    """Enough of every source for every task."""
    quad = [
        Document(f"q{n}", "medquad", f"What is disease {n}?", sentence("answer", n), group=f"focus {n // 2}")
        for n in range(PER_CLASS)
    ]
    plain = [
        Document(f"p{n}", "x", f"A preprint on gene {n}", f"{sentence('gene', n)} {sentence('cell', n)}")
        for n in range(PER_CLASS)
    ]
    return {
        "wikipedia": _wikipedia(),
        "pubmed": _articles("pubmed"),
        "pmc": _articles("pmc"),
        "mimic": _notes(),
        "medmcqa": _exam("medmcqa"),
        "medqa": _exam("medqa"),
        "medquad": quad,
        "clinicaltrials": _trials(),
        "biorxiv": [replace(d, source="biorxiv") for d in plain],
        "medrxiv": [replace(d, source="medrxiv") for d in plain],
    }


Build = Callable[..., tuple[dict[str, Task], dict[str, str]]]


@pytest.fixture
def build() -> Build:
    """Builds tasks from documents by source; all that are given, unless names say which."""

    def run(
        documents: Documents,
        *names: str,
        mode: Mode = "strict",
        seed: int = 0,
        chat: Writer | None = None,
        encoder: BagOfWords | None = None,
    ) -> tuple[dict[str, Task], dict[str, str]]:
        bag = encoder or BagOfWords()
        left_out: dict[str, str] = {}
        request = BuildRequest(
            mode=mode,
            seed=seed,
            documents={source: partial(list, found) for source, found in documents.items()},
            names=frozenset(names) or None,
            chat=chat,
        )
        suite = MedtebSuite("medteb-full", full=True, encoder=lambda: bag)
        return {task.name: task for task in suite.build(request, left_out)}, left_out

    return run


@pytest.fixture
def make_writer() -> type[Writer]:
    """The chat model's class."""
    return Writer


@pytest.fixture
def make_encoder() -> type[BagOfWords]:
    """The encoder's class."""
    return BagOfWords
