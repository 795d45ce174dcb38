"""From documents to records: with a scripted model, every count adds up and nothing is asked twice."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from medloom.artifacts import read_table
from medloom.errors import StageError
from medloom.generate.chat import Answer, Ask, CallFailed
from medloom.generate.config import GenerateConfig
from medloom.generate.run import Summary, foresee, generate, open_model
from medloom.generate.runner import BudgetReached
from medloom.records import Document, TrainingRecord

TOPICS = ["asthma", "gout", "migraine", "anemia", "eczema", "sciatica"]
DRUGS = ["albuterol", "colchicine", "sumatriptan", "iron sulfate", "hydrocortisone", "gabapentin"]


def note(number: int) -> Document:
    topic, drug = TOPICS[number % 6], DRUGS[number % 6]
    text = (
        f"The patient of visit {number} has severe {topic} since the spring and cannot sleep because of it. "
        f"Treatment with {drug} {number + 2} mg was begun, and the {topic} became better within {number + 1} days. "
        f"Laboratory values of visit {number} were normal apart from the sedimentation rate of {number + 20}."
    )
    return Document(f"n{number}", "notes", "", text, group=f"patient-{number}", contains_phi=False)


class Scripted:
    """A model that answers by a function of the note's number, and remembers what it was asked."""

    name = "scripted"
    host: str | None = None

    def __init__(self, answer: Callable[[int, Ask], str | Exception], finish: str = "stop") -> None:
        self._answer, self._finish = answer, finish
        self.asked: list[Ask] = []

    def ask(self, ask: Ask) -> Answer:
        if ask.user.startswith("Answer with the word"):
            return Answer("yes")
        self.asked.append(ask)
        number = int(ask.user.split("visit ")[1].split()[0].rstrip(".")) if "visit " in ask.user else -1
        result = self._answer(number, ask)
        if isinstance(result, Exception):
            raise result
        return Answer(result, 100, 20, self._finish)


def item(number: int, query: str, sentence: int = 1, **more: Any) -> dict[str, Any]:
    parts = note(number).text.split(". ")
    return {"passage": parts[sentence].rstrip(".") + ".", "query": query, "relevance": 0.9, **more}


def good(number: int) -> dict[str, Any]:
    topic, drug = TOPICS[number % 6], DRUGS[number % 6]
    return {
        "keyword": [item(number, f"{drug} {topic} improvement {number + 2} mg")],
        "question": [item(number, f"How fast does {topic} respond to {drug} at {number + 2} mg?")],
        "absent": [item(number, f"Does {topic} run in families with {drug} intolerance {number}?", 0)],
    }


def answers(number: int, ask: Ask) -> str:
    return json.dumps(good(number))


def config(**settings: Any) -> GenerateConfig:
    checks = {"round_trip": "off", "near_duplicate": 1.01, "identifiers": False, **settings.pop("checks", {})}
    defaults = {"mode": "one-shot", "kinds": {"keyword": 1, "question": 1, "absent": 1}, "min_words": 10, "concurrency": 2}
    return GenerateConfig(**{**defaults, **settings}, checks=checks)


def go(
    folder: Path, model: Any, n: int = 12, retry_failed: bool = False, vectors: Any = None, **settings: Any
) -> tuple[Summary, list[TrainingRecord], list[dict[str, Any]]]:
    folder.mkdir(exist_ok=True)

    def documents() -> Iterator[Document]:
        return (note(number) for number in range(n))

    summary = generate(
        documents, config(**settings), folder, folder / "calls.sqlite", model, 7, vectors, retry_failed=retry_failed
    )
    rejects = [json.loads(line) for line in (folder / "rejects.jsonl").open(encoding="utf-8")]
    records = list(read_table(folder / "generated.parquet", TrainingRecord))
    assert summary.documents == summary.done + summary.rejected + summary.failed + summary.not_asked
    assert summary.records == len(records) == sum(summary.kinds.values())
    assert len(rejects) == sum(summary.reasons.values())
    return summary, records, rejects


def test_every_note_makes_its_records(tmp_path: Path) -> None:
    model = Scripted(answers)
    summary, records, rejects = go(tmp_path, model)
    assert (summary.done, summary.records, summary.drafts, rejects) == (12, 36, 36, [])
    assert len(model.asked) == 12 == summary.calls["asked"]
    first = [r for r in records if r.doc_id == "n0"]
    assert {r.kind for r in first} == {"keyword_passage", "question_passage", "passage_question"}
    turned = next(r for r in first if r.kind == "passage_question")
    assert turned.positives == ("How fast does asthma respond to albuterol at 2 mg?",)
    assert turned.negatives == ("Does asthma run in families with albuterol intolerance 0?",)
    assert turned.query in note(0).text
    assert {(r.model, len(r.prompt)) for r in records} == {("scripted", 32)}


def test_no_id_and_no_group_is_shown_to_the_model(tmp_path: Path) -> None:
    for mode in ("one-shot", "evidence-first"):
        model = Scripted(answers)
        go(tmp_path / mode, model, mode=mode)
        shown = " ".join(ask.system + ask.user for ask in model.asked)
        assert "visit 11" in shown and "patient-" not in shown and not any(f"n{n}" in shown.split() for n in range(12))


def test_a_second_run_asks_nothing_and_gives_the_same_bytes(tmp_path: Path) -> None:
    go(tmp_path, Scripted(answers))
    before = (tmp_path / "generated.parquet").read_bytes()
    again = Scripted(answers)
    go(tmp_path, again)
    assert again.asked == [] and (tmp_path / "generated.parquet").read_bytes() == before


def test_a_changed_check_costs_no_call(tmp_path: Path) -> None:
    go(tmp_path, Scripted(answers))
    again = Scripted(answers)
    summary, records, _ = go(tmp_path, again, checks={"min_relevance": 0.95})
    assert again.asked == [] and records == [] and summary.reasons == {"low_relevance": 24, "no_partner": 12}
    assert summary.rejected == 12


def test_each_bad_answer_is_one_reject_and_the_rest_goes_on(tmp_path: Path) -> None:
    bad: dict[int, str | Exception] = {
        0: "I'm sorry, but I cannot help with medical notes.",
        1: '{"keyword": [{"passage": "The pat',
        2: "```json\n" + json.dumps(good(2)) + "\n```",
        3: '{"queries": 3}',
        4: "",
        5: json.dumps({**good(5), "keyword": [{**good(5)["keyword"][0], "passage": "Words that stand nowhere in it."}]}),
        6: json.dumps({"question": [item(6, "What does the passage say about asthma according to the note?")]}),
        7: json.dumps({"question": [item(7, "gout?")]}),
        8: CallFailed("too long"),
    }
    summary, records, rejects = go(tmp_path, Scripted(lambda n, ask: bad[n] if n in bad else answers(n, ask)))
    by_note = {reject["doc_id"]: reject["reason"] for reject in rejects}
    assert by_note["n0"] == "refusal" and by_note["n5"] == "not_verbatim" and by_note["n6"] == "mentions_note"
    assert by_note["n7"] == "too_short" and by_note["n8"] == "call_failed"
    assert {"n1", "n3", "n4"} <= by_note.keys() and "n2" not in by_note
    assert (summary.done, summary.rejected, summary.failed) == (5, 6, 1)
    assert {r.doc_id for r in records} == {"n2", "n5", "n9", "n10", "n11"}


def test_a_failed_call_is_asked_again_only_on_request(tmp_path: Path) -> None:
    summary, *_ = go(tmp_path, Scripted(lambda n, ask: CallFailed("no") if n == 3 else answers(n, ask)))
    assert summary.failed == 1
    kept = Scripted(answers)
    assert go(tmp_path, kept)[0].failed == 1 and kept.asked == []
    again = Scripted(answers)
    assert go(tmp_path, again, retry_failed=True)[0].failed == 0 and len(again.asked) == 1


def test_evidence_first_asks_for_each_passage_kind_by_kind(tmp_path: Path) -> None:
    model = Scripted(lambda n, ask: json.dumps({"query": f"{TOPICS[n % 6]} {DRUGS[n % 6]} visit {n}"}))
    summary, records, _ = go(tmp_path, model, mode="evidence-first", kinds={"keyword": 2, "lay": 0}, concurrency=1)
    assert summary.done == 12 and {r.kind for r in records} == {"keyword_passage"}
    assert all(r.positives[0] in note(int(r.doc_id[1:])).text for r in records)
    both = Scripted(lambda n, ask: json.dumps({"query": f"What helps {TOPICS[n % 6]}, asked {len(ask.system)} times?"}))
    go(tmp_path / "b", both, mode="evidence-first", kinds={"question": 1, "treatment": 1}, concurrency=1)
    systems = [ask.system for ask in both.asked]
    assert len(set(systems)) == 2 and sum(a != b for a, b in pairwise(systems)) == 1


def test_extractive_needs_no_model_and_no_calls(tmp_path: Path) -> None:
    summary, records, _ = go(tmp_path, None, mode="extractive", kinds={"keyword": 1, "question": 1})
    assert summary.model == "extractive" and summary.calls == {} and records
    assert all(r.prompt == "" for r in records)


def test_limit_draws_the_same_notes_in_any_order(tmp_path: Path) -> None:
    _, records, _ = go(tmp_path / "a", Scripted(answers), limit=4)
    summary = generate(
        lambda: (note(n) for n in reversed(range(12))), config(limit=4), tmp_path, tmp_path / "c", Scripted(answers), 7
    )
    other = read_table(tmp_path / "generated.parquet", TrainingRecord)
    assert {r.doc_id for r in records} == {r.doc_id for r in other} and len({r.doc_id for r in records}) == 4
    assert (summary.documents, summary.left_out) == (4, 8)


def test_short_notes_are_left_out_and_counted(tmp_path: Path) -> None:
    documents = [note(0), Document("s", "notes", "", "Too short to ask anything about.")]
    summary = generate(lambda: iter(documents), config(), tmp_path, tmp_path / "c", Scripted(answers), 7)
    assert (summary.documents, summary.left_out) == (1, 1)
    with pytest.raises(StageError, match="none of 1 documents has at least 10 words"):
        generate(lambda: iter(documents[1:]), config(), tmp_path, tmp_path / "c", Scripted(answers), 7)


def test_near_duplicates_and_the_round_trip(tmp_path: Path) -> None:
    def same(number: int, ask: Ask) -> str:
        return json.dumps(
            {"keyword": [item(number, "asthma albuterol improvement" if number % 6 == 0 else "unrelated words")]}
        )

    kinds = {"keyword": 1}
    summary, records, _ = go(tmp_path, Scripted(same), kinds=kinds, checks={"near_duplicate": 0.8})
    assert len(records) == 2 and summary.reasons == {"near_duplicate": 10}
    distinct = Scripted(lambda n, ask: json.dumps({"keyword": [item(n, f"{TOPICS[n % 6]} q{n}" if n else "zzz yyy")]}))
    checks = {"round_trip": "bm25", "round_trip_k": 3}
    summary, records, rejects = go(tmp_path / "b", distinct, kinds=kinds, checks=checks)
    assert summary.reasons == {"round_trip": 1} and rejects[0]["doc_id"] == "n0" and len(records) == 11


def test_the_round_trip_by_a_base_model_needs_one(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="no base model"):
        go(tmp_path, Scripted(answers), checks={"round_trip": "base"})


def test_the_judge_has_the_last_word(tmp_path: Path) -> None:
    def judged(number: int, ask: Ask) -> str:
        if "<note>" in ask.user:
            return answers(number, ask)
        return json.dumps({"answers": "gout" not in ask.user, "score": 0.9})

    model = Scripted(judged)
    summary, records, rejects = go(tmp_path, model, checks={"judge": True}, kinds={"question": 1})
    assert len(model.asked) == 24 == summary.calls["asked"] == summary.calls["answered"]
    assert {(reject["reason"], reject["doc_id"]) for reject in rejects} == {("judge", "n1"), ("judge", "n7")}
    assert len(records) == 10
    with pytest.raises(BudgetReached):
        go(tmp_path / "b", Scripted(judged), checks={"judge": True}, kinds={"question": 1}, max_calls=15)


def test_an_absent_question_goes_with_the_question_it_stands_on(tmp_path: Path) -> None:
    def judged(number: int, ask: Ask) -> str:
        if "<note>" in ask.user:
            return answers(number, ask)
        wrong = "How fast does gout" in ask.user
        return json.dumps({"answers": not wrong, "unanswered": True, "score": 0.9})

    _, records, rejects = go(tmp_path, Scripted(judged), checks={"judge": True})
    assert Counter((r["doc_id"], r["reason"]) for r in rejects) == Counter(
        {("n1", "judge"): 1, ("n1", "no_partner"): 1, ("n7", "judge"): 1, ("n7", "no_partner"): 1}
    )
    assert {r.kind for r in records if r.doc_id in ("n1", "n7")} == {"keyword_passage"}


def test_limits_stop_and_a_higher_one_goes_on(tmp_path: Path) -> None:
    model = Scripted(answers)
    with pytest.raises(BudgetReached, match="max_calls"):
        go(tmp_path, model, max_calls=5, concurrency=1)
    assert len(model.asked) == 5
    summary, *_ = go(tmp_path, model, max_calls=5, concurrency=1, on_budget="go_on")
    assert (summary.done, summary.not_asked) == (5, 7)
    summary, *_ = go(tmp_path, model, max_calls=50)
    assert summary.done == 12 and len(model.asked) == 12


def test_the_forecast_counts_what_is_left(tmp_path: Path) -> None:
    def documents() -> Iterator[Document]:
        return (note(number) for number in range(12))

    calls = tmp_path / "calls.sqlite"
    summary, before = foresee(documents, config(price=(1.0, 2.0)), calls, Scripted(answers), 7)
    assert before and summary.documents == before.calls == 12 and before.done == 0 and before.cost > 0
    go(tmp_path, Scripted(answers), n=8)
    _, after = foresee(documents, config(price=(1.0, 2.0)), calls, Scripted(answers), 7)
    assert after and (after.calls, after.done) == (12, 8) and after.cost < before.cost
    assert foresee(documents, config(mode="extractive"), calls, None, 7)[1] is None


def test_a_model_is_asked_for_where_one_is_needed() -> None:
    assert open_model(config(mode="extractive")) is None
    with pytest.raises(StageError, match="mode one-shot needs a model"):
        open_model(config())
