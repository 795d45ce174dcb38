"""Tasks that an LLM wrote for the authors, written by the user's own model."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from medloom.records import Document

Build = Callable[..., Any]
Documents = dict[str, list[Document]]
QUAD = "retrieval_medquad_dataset"
BIO = "retrieval_biorxiv_dataset"
WIKI = "retrieval_wiki_diseases_dataset"
PAIRS = "pairclassification_pubmed_pair_classification"


def test_what_the_model_writes_stands_where_the_authors_put_it(
    build: Build, all_documents: Documents, make_writer: Any
) -> None:
    tasks = build(all_documents, QUAD, BIO, WIKI, PAIRS, mode="compat", chat=make_writer())[0]
    quad, bio, wiki, pairs = (tasks[name].data for name in (QUAD, BIO, WIKI, PAIRS))
    assert quad["queries"]["q_0"] == "What is disease 0?"
    assert quad["corpus"]["doc_0"].startswith("No title answer number ")
    assert bio["queries"]["q_0"].startswith("question number ")
    assert bio["corpus"]["doc_0"] == f"No title {all_documents['biorxiv'][0].text}"
    assert wiki["queries"]["q_0"].startswith("question number ")
    assert wiki["corpus"]["doc_0"].startswith("No title answer number ")
    assert pairs["sentence1"][0].startswith("sentence1 number ")
    assert all(text.startswith("sentence2 number ") for text in pairs["sentence2"])
    assert pairs["labels"].count(0) == pairs["labels"].count(1) == 24
    assert all(a.split()[2] != b.split()[2] for a, b in zip(pairs["sentence1"][24:], pairs["sentence2"][24:], strict=True))


def test_the_prompt_shows_the_document(build: Build, all_documents: Documents, make_writer: Any) -> None:
    writer = make_writer()
    build({"medquad": all_documents["medquad"]}, QUAD, mode="compat", chat=writer)
    assert len(writer.prompts) == 24
    assert all_documents["medquad"][0].title in writer.prompts[0]
    assert all_documents["medquad"][0].text in writer.prompts[0]
    writer = make_writer()
    long = [replace(d, text=d.text * 1_000) for d in all_documents["medquad"]]
    build({"medquad": long}, QUAD, mode="compat", chat=writer)
    assert max(map(len, writer.prompts)) < 13_000


@pytest.mark.parametrize(
    "answer",
    [
        "Sure! Here it is.",
        '```json\n{"answer": "x"}\n```',
        '{"answer": ""}',
        '{"answer": 3}',
        '{"answer": "x", "note": "y"}',
        '{"question": "x"}',
        '["x"]',
    ],
)
def test_answers_of_another_form_are_counted(build: Build, all_documents: Documents, make_writer: Any, answer: str) -> None:
    writer = make_writer(lambda _, number: answer if number % 5 == 0 else json.dumps({"answer": f"fine {number}"}))
    task = build({"medquad": all_documents["medquad"]}, QUAD, mode="compat", chat=writer)[0][QUAD]
    assert task.counts["chat_unusable"] == 4
    assert task.n == 20


def test_failed_calls_are_counted(build: Build, all_documents: Documents, make_writer: Any) -> None:
    def answer(_: str, number: int) -> str:
        if number % 4 == 0:
            raise TimeoutError("secret")
        return json.dumps({"answer": f"fine {number}"})

    task = build({"medquad": all_documents["medquad"]}, QUAD, mode="compat", chat=make_writer(answer))[0][QUAD]
    assert task.counts["chat_failed"] == 6
    assert task.n == 18


def test_failures_now_and_then_do_not_end_the_task(build: Build, all_documents: Documents, make_writer: Any) -> None:
    def answer(_: str, number: int) -> str:
        if number % 2:
            raise TimeoutError
        return json.dumps({"answer": f"fine {number}"})

    many = [replace(d, id=f"{d.id}-{copy}") for d in all_documents["medquad"] for copy in range(2)]
    task = build({"medquad": many}, QUAD, mode="compat", chat=make_writer(answer))[0][QUAD]
    assert task.counts["chat_failed"] == 24
    assert task.n == 24


def test_a_model_that_cannot_be_reached(build: Build, all_documents: Documents, make_writer: Any) -> None:
    def answer(_: str, number: int) -> str:
        raise ConnectionError("secret")

    writer = make_writer(answer)
    names = (QUAD, "pairclassification_medqa_pair_classification")
    tasks, left_out = build(all_documents, *names, mode="compat", chat=writer)
    assert set(tasks) == {names[1]}
    assert left_out == {QUAD: "the chat model writer failed 20 times in a row (last: ConnectionError): check it"}
    assert len(writer.prompts) == 20


def test_strict_asks_nobody(build: Build, all_documents: Documents, make_writer: Any) -> None:
    writer = make_writer()
    tasks = build(all_documents, QUAD, BIO, WIKI, PAIRS, chat=writer)[0]
    assert len(tasks) == 4
    assert writer.prompts == []
    first, second = tasks[PAIRS].data["sentence1"][0], tasks[PAIRS].data["sentence2"][0]
    whole = {d.text for d in all_documents["pubmed"]}
    assert f"{first} {second}" in whole
