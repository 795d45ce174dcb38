"""From answers to drafts, whatever models make of JSON."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloom.generate.chat import Answer
from medloom.generate.config import GenerateConfig
from medloom.generate.drafts import Draft, Passage
from medloom.generate.parse import BadAnswer, is_refusal, number_of, parse_one_shot, parse_query

CONFIG = GenerateConfig(kinds={"keyword": 2, "question": 1})
PASSAGE = Passage("Lungs were clear.", 0, 17)
GOOD = {
    "keyword": [
        {"passage": "Lungs were clear.", "query": "clear lungs", "relevance": 0.9},
        {"passage": "Fever of 39.", "query": "high fever", "relevance": 0.7},
    ],
    "question": [{"passage": "Fever of 39.", "query": "How high was the fever?", "relevance": 1}],
}
DRAFTS = [
    Draft("keyword", "clear lungs", "Lungs were clear.", 0.9, "", "k"),
    Draft("keyword", "high fever", "Fever of 39.", 0.7, "", "k"),
    Draft("question", "How high was the fever?", "Fever of 39.", 1.0, "", "k"),
]


def parsed(text: str, finish: str = "stop", counts: dict[str, int] | None = None) -> list[Draft]:
    return parse_one_shot(Answer(text, finish=finish), "k", CONFIG, counts)


def query(text: str, finish: str = "stop", config: GenerateConfig = CONFIG) -> list[Draft]:
    return parse_query(Answer(text, finish=finish), "k", PASSAGE, "question", config)


def reason(text: str, finish: str = "stop") -> str:
    with pytest.raises(BadAnswer) as caught:
        parsed(text, finish)
    with pytest.raises(BadAnswer) as other:
        query(text, finish)
    assert caught.value.reason == other.value.reason
    return caught.value.reason


@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        "```json\n{}\n```",
        "```\n{}```",
        "Here are the queries you asked for:\n\n{}\n\nLet me know if you need more [or fewer].",
        "Sure {{thing}}! {}",
        "\ufeff  {}",
    ],
)
def test_whole_answers(frame: str) -> None:
    counts: dict[str, int] = {}
    assert parsed(frame.replace("{}", json.dumps(GOOD)).replace("{{", "{").replace("}}", "}"), counts=counts) == DRAFTS
    assert counts == {}


def test_every_cut_keeps_the_whole_items() -> None:
    text = json.dumps(GOOD)
    ends = [i + 1 for i, c in enumerate(text) if c == "}"]
    for end in range(len(text) - 1):
        whole = sum(end >= stop for stop in ends[:3])
        if not whole:
            assert reason(text[:end], "length") == ("truncated" if end else "empty")
            continue
        counts: dict[str, int] = {}
        assert parsed(text[:end], "length", counts) == DRAFTS[:whole], end
        assert counts == {"answers_cut": 1}


def test_a_cut_after_a_brace_within_a_string() -> None:
    item = {"passage": "Lungs {were} clear}", "query": "clear", "relevance": 1}
    text = json.dumps({"keyword": [item, {"passage": "a } b } c", "query": "d", "relevance": 1}]})
    cut = text[: text.index(" } c") + 2]
    assert parsed(cut, "length") == [Draft("keyword", "clear", "Lungs {were} clear}", 1.0, "", "k")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("I cannot provide medical advice.", "refusal"),
        ("As an AI language model, I do not process notes.", "refusal"),
        ("The lungs were clear.", "no_json"),
        ("{}", "wrong_schema"),
        ("[]", "wrong_schema"),
        ('{"answer": 42}', "wrong_schema"),
        ('{"keyword": [], "query": ""}', "wrong_schema"),
        ('{"keyword": "clear lungs", "query": null}', "wrong_schema"),
        ('{"keyword": [[["x"]]], "query": ["x"]}', "wrong_schema"),
        ('{"keyword": {"passage": {"a": 1}, "query": "x"}, "query": {"query": {}}}', "wrong_schema"),
        ('{"keyword": [', "truncated"),
        ('{"query": "What is', "truncated"),
        ('{"keyword": [], "keyword": [], "query": "a", "query": "b"}', "wrong_schema"),
    ],
)
def test_bad_answers(text: str, why: str) -> None:
    assert reason(text) == why


def test_two_answers_are_none() -> None:
    one = json.dumps(GOOD)
    with pytest.raises(BadAnswer, match="wrong_schema"):
        parsed(one + "\n" + one)
    with pytest.raises(BadAnswer, match="wrong_schema"):
        query('{"query": "What is a?"} {"query": "What is b?"}')


@pytest.mark.parametrize(
    "item",
    [
        "text",
        None,
        7,
        [],
        {"query": "q", "relevance": 1},
        {"passage": "p", "query": 3, "relevance": 1},
        {"passage": ["p"], "query": "q", "relevance": 1},
        {"passage": "p", "query": {"q": 1}, "relevance": 1},
        {"passage": "p", "query": "q"},
        {"passage": "p", "query": "q", "relevance": True},
        {"passage": "p", "query": "q", "relevance": "high"},
        {"passage": "p", "query": "q", "relevance": 9},
        {"passage": "p", "query": "q", "relevance": float("nan")},
        {"passage": "p", "query": "q", "relevance": float("inf")},
        {"passage": " ", "query": "q", "relevance": 1},
    ],
)
def test_a_bad_item_becomes_a_draft_that_the_schema_check_drops(item: object) -> None:
    text = json.dumps({**GOOD, "question": [item]})
    drafts = parsed(text)
    assert drafts[:2] == DRAFTS[:2]
    assert (drafts[2].kind, drafts[2].query, drafts[2].prompt) == ("question", "", "k")
    assert len(drafts) == 3


def test_a_repeated_key_spoils_its_item_only() -> None:
    text = json.dumps(GOOD).replace('"query": "high fever"', '"query": "low", "query": "high"')
    assert [draft.query for draft in parsed(text)] == ["clear lungs", "", "How high was the fever?"]


def test_numbers_as_strings_and_enormous_ones() -> None:
    text = json.dumps(GOOD).replace("0.9", '" 0.9 "').replace("0.7", "1e400")
    assert [draft.relevance for draft in parsed(text)] == [0.9, 0.0, 1.0]
    assert number_of("1") == 1.0
    assert number_of("nan") is None
    assert number_of(10**400) is None


def test_characters_that_no_file_can_hold() -> None:
    text = '{"query": "What\\ud800 is\\u0000 a\\n\\ttherapy \\ud83d\\ude00?"}'
    (draft,) = query(text)
    assert draft.query == "What is a therapy 😀?"
    draft.query.encode()


def test_a_query_takes_the_passage_as_its_evidence() -> None:
    text = '{"query": "Were the lungs clear?", "relevance": "0.4", "negative": "Rales were heard."}'
    assert query(text) == [Draft("question", "Were the lungs clear?", PASSAGE.text, 0.4, "", "k")]
    wanted = CONFIG.model_copy(update={"written_negatives": True})
    assert query(text, config=wanted)[0].negative == "Rales were heard."
    assert query('{"query": "Were the lungs clear?"}')[0].relevance == 1.0
    assert query('```json\n[{"query": "Were the lungs clear?"}]\n```', "length")[0].query == "Were the lungs clear?"


def test_a_refusal_inside_the_json() -> None:
    with pytest.raises(BadAnswer, match="refusal"):
        query('{"query": "I\'m sorry, I cannot create a query for this passage."}')


@pytest.mark.parametrize(
    "text",
    [
        "I can't sleep at night, what helps?",
        "I am unable to swallow: why?",
        "I cannot breathe when I lie down",
        "Sorry state of the gums",
        "As an adult, which shots do I need?",
    ],
)
def test_what_patients_say_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)
    assert query(json.dumps({"query": text}))


@pytest.mark.parametrize("piece", ["[", "{", '{"a":', "[{", "}", "]", '{"keyword":[', "{}", '"', '{"keyword": [{}],'])
def test_a_million_characters_of_brackets(piece: str) -> None:
    start = time.process_time()
    reason(piece * (1_000_000 // len(piece)))
    assert time.process_time() - start < 10


@given(st.text(alphabet='{}[]":, abkeyword\\\n0.9', max_size=80))
def test_no_text_crashes(text: str) -> None:
    for parse in (parsed, query):
        try:
            drafts = parse(text)
        except BadAnswer as error:
            assert error.reason in ("empty", "refusal", "truncated", "no_json", "wrong_schema")
        else:
            assert drafts
