"""Classification and clustering: whose text goes where, in both modes."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from medloom.records import Document, Section
from medloom.text import text_key

Build = Callable[..., Any]
Documents = dict[str, list[Document]]
PAIN = "classification_wiki_pain_vs_fever_dataset"
GROUPING = "clustering_wiki_syndromes_dataset"
SEIZURES = "classification_mimiciv_specific_Neurological_Conditions"


def _page(number: int, category: str, *texts: str) -> Document:
    sections = tuple(Section(f"part {i}", text) for i, text in enumerate(texts))
    return Document(
        f"{category}{number}", "wikipedia", "Page", group=f"{category}{number}", sections=sections, categories=(category,)
    )


def _body(topic: str, number: int) -> str:
    return f"A long enough section on {topic} with the number {number} in it, and then Some more."


@pytest.fixture
def pages() -> list[Document]:
    return [
        _page(number, category, *(_body(category, number * 10 + part) for part in range(4)))
        for category in ("Pain", "Fever")
        for number in range(20)
    ]


def test_strict_split_keeps_pages_together(build: Build, pages: list[Document]) -> None:
    data = build({"wikipedia": pages}, PAIN)[0][PAIN].data
    owner = {s.text: d.group for d in pages for s in d.sections}
    assert len(data["texts"]) + len(data["train_texts"]) == 160
    assert {owner[t] for t in data["texts"]}.isdisjoint({owner[t] for t in data["train_texts"]})
    assert [owner[t] for t in data["texts"]] == data["groups"]
    for label in ("Pain", "Fever"):
        assert 0.3 <= data["labels"].count(label) / 80 <= 0.35


@pytest.mark.parametrize("seed", range(6))
def test_strict_split_leaves_a_long_page_to_train_on(build: Build, pages: list[Document], seed: int) -> None:
    long = _page(99, "Pain", *(_body("Pain", 1_000 + n) for n in range(120)))
    data = build({"wikipedia": [*pages, long]}, PAIN, seed=seed)[0][PAIN].data
    assert "Pain99" not in data["groups"]
    assert data["labels"].count("Pain") >= 60


def test_a_patient_with_stays_in_two_classes_is_on_one_side(build: Build) -> None:
    stays = [replace(_stay(n, ("Seizure", "Syncope")[n % 2]), group=f"patient{n // 4}") for n in range(160)]
    data = build({"mimic": stays}, SEIZURES)[0][SEIZURES].data
    owner = {int(s.id[4:]): s.group for s in stays}
    train = {owner[int(text.split()[3])] for text in data["train_texts"]}
    assert train.isdisjoint(data["groups"])
    assert len(train) + len(set(data["groups"])) == 40


def test_compat_split_tears_pages_apart(build: Build, pages: list[Document]) -> None:
    data = build({"wikipedia": pages}, PAIN, mode="compat")[0][PAIN].data
    owner = {s.text.lower(): d.group for d in pages for s in d.sections}
    assert len(data["texts"]) == 48
    assert {owner[t] for t in data["texts"]} & {owner[t] for t in data["train_texts"]}


def test_compat_split_is_scikit_learns(build: Build, pages: list[Document]) -> None:
    from sklearn.model_selection import train_test_split

    data = build({"wikipedia": pages}, PAIN, mode="compat")[0][PAIN].data
    rows = [s.text.lower() for d in pages for s in d.sections]
    train, test = train_test_split(rows, test_size=0.3, random_state=42)
    assert (data["train_texts"], data["texts"]) == (train, test)


def test_a_text_of_two_classes(build: Build, pages: list[Document]) -> None:
    pages[0] = replace(pages[0], categories=("Pain", "Fever"))
    pages.append(_page(99, "Pain", _body("Fever", 20).upper(), _body("Pain", 20), _body("Pain", 999)))
    strict = build({"wikipedia": pages}, PAIN)[0][PAIN]
    texts = [text_key(t) for t in strict.data["texts"] + strict.data["train_texts"]]
    assert strict.counts["in_two_classes"] == 5
    assert strict.counts["merged"] == 1
    assert len(texts) == len(set(texts)) == 160 - 5 + 1
    assert text_key(_body("Fever", 20)) not in texts
    compat = build({"wikipedia": pages}, PAIN, mode="compat")[0][PAIN]
    assert Counter(compat.data["texts"] + compat.data["train_texts"])[pages[0].sections[0].text.lower()] == 2


def test_compat_texts_of_wikipedia(build: Build, pages: list[Document]) -> None:
    odd = "Symptoms (all of them): see;: the   LIST\nof things that are long enough to be kept here"
    pages.append(
        replace(
            _page(50, "Pain"),
            sections=(Section("a", _body("x", 1)), Section("a", odd), Section("", odd + "!"), Section("b", "Too short.")),
        )
    )
    compat = build({"wikipedia": pages}, PAIN, mode="compat")[0][PAIN].data
    texts = compat["texts"] + compat["train_texts"]
    assert "symptoms (all of them see the list of things that are long enough to be kept here" in texts
    assert _body("x", 1).lower() not in texts
    strict = build({"wikipedia": pages}, PAIN)[0][PAIN].data
    texts = strict["texts"] + strict["train_texts"]
    assert "Symptoms (all of them): see;: the LIST of things that are long enough to be kept here" in texts
    assert _body("x", 1) in texts
    assert "Too short." not in texts


def test_compat_texts_of_articles(build: Build, all_documents: Documents) -> None:
    odd = Document("odd", "pmc", "On α: MRI", "A (new) Way.", categories=("mri", "MEDICINE"))
    for source, expected in (
        ("pmc", "title: on : mri abstract: a new way"),
        ("pubmed", "title: on mri abstract: a (new) way."),
    ):
        term = "MRI" if source == "pmc" else "treatment"
        name = f"classification_{source}_{'medical_imaging_types' if source == 'pmc' else 'treatment_prevention'}_dataset"
        documents = {source: [replace(odd, source=source, categories=(term,)), *all_documents[source]]}
        data = build(documents, name, mode="compat")[0][name].data
        assert expected in data["texts"] + data["train_texts"]


def test_strict_caps_each_class(build: Build, pages: list[Document], monkeypatch: pytest.MonkeyPatch) -> None:
    import medloom.bench.medteb as package

    small = tuple(replace(d, cap=80) if d.name == PAIN else d for d in package.DEFINITIONS)
    monkeypatch.setattr(package, "DEFINITIONS", small)
    more = [_page(n, "Pain", _body("Pain", 1_000 + n)) for n in range(60, 90)]
    task = build({"wikipedia": [*pages, *more]}, PAIN)[0][PAIN]
    assert Counter(task.data["labels"] + task.data["train_labels"]) == {"Pain": 40, "Fever": 40}
    assert task.counts["capped"] == 190 - 80
    compat = build({"wikipedia": [*pages, *more]}, PAIN, mode="compat")[0][PAIN]
    assert len(compat.data["texts"] + compat.data["train_texts"]) == 80
    assert Counter(compat.data["labels"] + compat.data["train_labels"])["Pain"] != 40


def test_documents_per_class(build: Build, pages: list[Document], monkeypatch: pytest.MonkeyPatch) -> None:
    import medloom.bench.medteb as package

    small = tuple(replace(d, per_class=6) if d.name == PAIN else d for d in package.DEFINITIONS)
    monkeypatch.setattr(package, "DEFINITIONS", small)
    compat = build({"wikipedia": pages}, PAIN, mode="compat")[0][PAIN].data
    firsts = {s.text.lower() for d in pages if int(d.id[4 if d.id[0] == "P" else 5 :]) < 6 for s in d.sections}
    assert set(compat["texts"] + compat["train_texts"]) == firsts
    strict = build({"wikipedia": pages}, PAIN)[0][PAIN].data
    assert len(strict["texts"] + strict["train_texts"]) == 48
    assert {t.lower() for t in strict["texts"] + strict["train_texts"]} != firsts


def test_clustering_has_groups_and_one_class_for_a_text(build: Build, all_documents: Documents) -> None:
    task = build(all_documents, GROUPING)[0][GROUPING]
    by_text = defaultdict(set)
    for text, label in zip(task.data["sentences"], task.data["labels"], strict=True):
        by_text[text_key(text)].add(label)
    assert all(len(found) == 1 for found in by_text.values())
    assert len(by_text) == task.n == 4 * 24 * 2
    assert len(set(task.groups)) == 4 * 24


def _stay(number: int, diagnosis: str, **more: Any) -> Document:
    sections = {
        "chief complaint": f"complaint {number}",
        "history of present illness": f"history of case {number}",
        "discharge diagnosis": diagnosis,
        "discharge instructions": f"rest {number}",
    } | more
    found = tuple(Section(heading, text) for heading, text in sections.items() if text)
    return Document(f"stay{number}", "mimic", group=f"patient{number}", sections=found)


def test_diagnoses_are_matched_whole(build: Build) -> None:
    stays = [_stay(n, ("SEIZURES", "Syncope")[n % 2]) for n in range(60)]
    stays += [_stay(100, "Seizure."), _stay(101, "Seizure disorder"), _stay(102, "seizure", **{"chief complaint": ""})]
    strict = build({"mimic": stays}, SEIZURES)[0][SEIZURES].data
    compat = build({"mimic": stays}, SEIZURES, mode="compat")[0][SEIZURES].data
    found = {mode: set(data["texts"] + data["train_texts"]) for mode, data in (("strict", strict), ("compat", compat))}
    assert found["strict"] - found["compat"] == {
        "Chief Complaint: complaint 100 History of Present Illness: history of case 100"
    }
    assert len(found["compat"]) == 60
    assert set(strict["groups"]) <= {s.group for s in stays}


@pytest.mark.parametrize("mode", ["strict", "compat"])
def test_readmission_is_balanced(build: Build, mode: str) -> None:
    name = "classification_mimiciv_readmission_30_days"
    stays = [
        replace(_stay(n, "Gout"), categories=("readmission 30 days",) if n < 40 else ("readmission 60 days",))
        for n in range(200)
    ]
    stays.append(replace(_stay(500, "Gout", **{"discharge instructions": ""}), categories=("readmission 30 days",)))
    task = build({"mimic": stays}, name, mode=mode)[0][name]
    assert Counter(task.data["labels"] + task.data["train_labels"]) == {"1": 40, "0": 40}
    numbers = {"1": range(40), "0": range(40, 200)}
    for text, label in zip(task.data["texts"], task.data["labels"], strict=True):
        assert int(text.split()[3]) in numbers[label]


def test_a_class_from_one_page_cannot_be_split(build: Build, pages: list[Document]) -> None:
    fever = _page(0, "Fever", *(_body("Fever", n) for n in range(30)))
    tasks, left_out = build({"wikipedia": [*pages[:20], fever]}, PAIN)
    assert tasks == {}
    assert "class Fever cannot be split: its 30 texts come from 1 groups" in left_out[PAIN]
