"""What a search finds, in what order, and what it says of it."""

import json
import threading

import numpy as np
import pytest
from pydantic import ValidationError
from tests.search.asked import WORDS, chunk, index_of

from medloom.errors import SearchError
from medloom.search.index import Index
from medloom.search.like import more_like
from medloom.search.query import SearchSettings, search, search_many
from medloom.search.records import Chunk
from medloom.search.store import Floats, Scored

CHUNKS = (
    chunk("h", "The heart hurts. Pain of the heart at night.", title="Heart", specialty="cardiology", date="2020-05-01"),
    chunk("h", "Pain again, and the heart again.", 1, title="Heart", specialty="cardiology", date="2020-05-01"),
    chunk("f", "A child has fever.", specialty="paediatrics", date="2019-01-01", url="http://localhost/f"),
    chunk("r", "A rash after a tablet. The child was well. No fever.", specialty="dermatology"),
    chunk("s", "High glucose in blood.", source="letters"),
)


@pytest.fixture
def index() -> Index:
    return index_of(CHUNKS)


def ids(index: Index, query: str, **settings: object) -> list[str]:
    return [hit.chunk.doc_id for hit in search(index, query, SearchSettings(**settings)).hits]


def test_words_and_vectors_find_different_things(index: Index) -> None:
    assert ids(index, "glucose", mode="lexical") == ["s"]
    assert ids(index, "sugar", mode="lexical") == []
    assert ids(index, "sugar", mode="dense", k=1) == ["s"]
    assert ids(index, "blood of a hot toddler", mode="lexical") == ["s"]
    assert set(ids(index, "blood of a hot toddler", k=2)) == {"f", "s"}


def test_a_document_comes_once_with_the_number_of_its_further_chunks(index: Index) -> None:
    answer = search(index, "heart pain", SearchSettings(mode="lexical"))
    assert [(h.chunk.doc_id, h.further) for h in answer.hits] == [("h", 1)]
    answer = search(index, "heart pain", SearchSettings(mode="lexical", per_document=False))
    assert [(h.chunk.doc_id, h.further) for h in answer.hits] == [("h", 0), ("h", 0)]


def test_more_candidates_are_taken_until_there_are_documents_enough() -> None:
    many = [chunk("long", "fever fever", n) for n in range(30)]
    index = index_of([*many, chunk("other", "fever in a child")])
    assert ids(index, "fever", mode="dense", candidates=5, k=2) == ["long", "other"]


def test_filters_hold_for_every_way(index: Index) -> None:
    assert ids(index, "fever", filter=("specialty=paediatrics",)) == ["f"]
    assert set(ids(index, "fever", filter=("source!=letters", "date<2020"))) == {"f"}
    with pytest.raises(SearchError, match="a filter is name=value"):
        search(index, "fever", SearchSettings(filter=("specialty",)))


def test_explained_results_say_rank_and_score_of_each_way(index: Index) -> None:
    hit = search(index, "fever of a child", SearchSettings(explain=True)).hits[0]
    assert hit.parts["dense"][0] == 1
    assert hit.parts["lexical"][0] == 1
    assert hit.parts["fused"][0] == 1
    assert hit.parts["fused"][1] == pytest.approx(2 / 61)
    assert hit.parts["fused"][1] == hit.score
    assert search(index, "fever of a child").hits[0].parts == {}


def test_weights_decide_which_way_counts(index: Index) -> None:
    query = "glucose heart"
    assert ids(index, query, weights={"dense": 0.0})[0] == ids(index, query, mode="lexical")[0]
    assert ids(index, query, weights={"lexical": 0.0}) == ids(index, query, mode="dense")
    with pytest.raises(SearchError, match="no way of searching"):
        search(index, query, SearchSettings(weights={"sparse": 1.0}))


@pytest.mark.parametrize("how", ["model", "words"])
def test_the_sentence_that_answers_is_marked(index: Index, how: str) -> None:
    hit = search(index, "what child was well", SearchSettings(evidence=how, mode="lexical", k=1)).hits[0]
    assert hit.evidence is not None
    assert hit.chunk.text[slice(*hit.evidence)] == "The child was well."


def test_evidence_by_words_is_none_where_no_word_is_shared(index: Index) -> None:
    settings = SearchSettings(mode="dense", k=1)
    assert search(index, "sugar", settings).hits[0].evidence is None
    by_model = search(index, "sugar", settings.model_copy(update={"evidence": "model"})).hits[0]
    assert by_model.evidence == (0, len("High glucose in blood."))
    assert search(index, "glucose", settings.model_copy(update={"evidence": "none"})).hits[0].evidence is None


def test_expansion_is_searched_and_told(index: Index) -> None:
    index = index_of([*CHUNKS, chunk("e", "Epistaxis since monday.")])
    assert "e" not in ids(index, "nosebleed", mode="lexical")
    answer = search(index, "nosebleed", SearchSettings(mode="lexical", expand=("lay",)))
    assert [h.chunk.doc_id for h in answer.hits] == ["e"]
    assert [(e.term, e.added, e.source) for e in answer.expanded] == [("nosebleed", ("Epistaxis",), "HPO")]


class Backwards:
    """Likes the shortest text best."""

    def __call__(self, query: str, chunks: list[Chunk]) -> Floats:
        return np.array([-len(one.text) for one in chunks], dtype=np.float32)


def test_a_reranker_orders_the_first_candidates_anew_and_drops_the_others(index: Index) -> None:
    settings = SearchSettings(mode="dense", rerank="cross", rerank_model="given", depth=3, explain=True)
    answer = search(index, "child fever", settings, Backwards())  # type: ignore[arg-type]
    lengths = [len(hit.chunk.text) for hit in answer.hits]
    assert lengths == sorted(lengths)
    assert len(answer.hits) <= 3
    assert [hit.parts["rerank"][0] for hit in answer.hits] == list(range(1, len(answer.hits) + 1))
    assert all("dense" in hit.parts for hit in answer.hits)


class Unsure:
    """Has a score for the second candidate alone."""

    def __call__(self, query: str, chunks: list[Chunk]) -> Floats:
        scores = np.full(len(chunks), -np.inf, dtype=np.float32)
        scores[0], scores[1] = np.nan, -2.0
        return scores


def test_candidates_that_a_reranker_cannot_score_come_last_and_stay_json(index: Index) -> None:
    settings = SearchSettings(mode="dense", rerank="late")
    plain = search(index, "child fever", SearchSettings(mode="dense", per_document=False))
    answer = search(index, "child fever", settings, Unsure())  # type: ignore[arg-type]
    assert answer.hits[0].chunk == plain.hits[1].chunk
    json.dumps(answer.to_dict(), allow_nan=False)


def test_fewer_dimensions_compare_the_beginnings_of_the_vectors(index: Index) -> None:
    assert ids(index, "rash and heart", mode="dense", dimensions=2, k=1) == ["h"]
    full = search(index, "heart pain fever", SearchSettings(mode="dense", k=1))
    cut = search(index, "heart pain fever", SearchSettings(mode="dense", dimensions=2, k=1))
    assert full.hits[0].score == pytest.approx(3 / 15**0.5)
    assert cut.hits[0].score == pytest.approx(3 / 10**0.5), "of two times heart and once pain"
    assert ids(index, "fever", mode="dense", dimensions=len(WORDS)) == ids(index, "fever", mode="dense")


@pytest.mark.parametrize(("asked", "exact"), [({}, False), ({"quantised": "binary"}, False), ({"quantised": "none"}, True)])
def test_smaller_copies_are_searched_and_scored_again_unless_left(
    asked: dict[str, object], exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = index_of(CHUNKS, quantised="binary")
    told: list[dict[str, object]] = []
    nearest = index.store.dense

    def dense(*given: object, **how: object) -> Scored:
        told.append(how)
        return nearest(*given, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(index.store, "dense", dense)
    assert ids(index, "fever", mode="dense", k=1, oversample=5.0, **asked) == ["f"]
    assert told == [{"exact": exact, "oversample": 5.0}]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dimensions": 9}, "the index has 8"),
        ({"quantised": "int8"}, "keeps no such copies"),
        ({"rerank": "late"}, "no vectors of tokens"),
        ({"rerank": "cross"}, "needs its name"),
    ],
)
def test_what_the_index_lacks_is_refused(index: Index, settings: dict[str, object], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        search(index, "fever", SearchSettings(**settings))


@pytest.mark.parametrize(("query", "message"), [("", "empty"), (" \n", "empty"), ("half \ud83d", "no valid Unicode")])
def test_queries_that_say_nothing_are_refused(index: Index, query: str, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        search(index, query)
    with pytest.raises(SearchError, match="query 2"):
        search_many(index, ["fever", query])


def test_settings_refuse_what_they_do_not_know() -> None:
    for settings in ({"modus": "dense"}, {"k": 0}, {"mode": "sparse"}, {"rerank_model": "m"}):
        with pytest.raises(ValidationError):
            SearchSettings(**settings)


def test_many_queries_are_embedded_together_and_answered_alike(index: Index) -> None:
    one_by_one = [ids(index, query) for query in ("fever", "heart pain")]
    answers = search_many(index, ["fever", "heart pain"])
    assert [[h.chunk.doc_id for h in a.hits] for a in answers] == one_by_one
    assert search_many(index, []) == []


def test_an_answer_as_json_has_all_that_a_page_needs(index: Index) -> None:
    answer = search(index, "child fever", SearchSettings(explain=True, k=1)).to_dict()
    (row,) = answer.pop("results")
    assert answer.keys() == {"query", "mode", "seconds", "expanded"}
    assert row["text"][row["evidence"]["start"] : row["evidence"]["end"]] == "A child has fever."
    assert (row["rank"], row["document"], row["source"], row["further"]) == (1, "f", "notes", 0)
    assert (row["url"], row["date"]) == ("http://localhost/f", "2019-01-01")
    assert row["facts"]["specialty"] == ["paediatrics"]
    assert row["parts"]["dense"].keys() == {"rank", "score"}
    bare = search(index, "glucose", SearchSettings(k=1, evidence="none")).to_dict()["results"][0]
    assert (bare["url"], bare["date"], bare["evidence"], bare["parts"]) == (None, None, None, {})


def test_threads_search_at_once(index: Index) -> None:
    found: list[list[str]] = []
    threads = [threading.Thread(target=lambda: found.append(ids(index, "child fever"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(tuple, found))) == 1


def test_more_like_a_chunk_is_of_other_documents(index: Index) -> None:
    answer = more_like(index, CHUNKS[0].id, SearchSettings(k=2))
    assert [h.chunk.doc_id for h in answer.hits] != []
    assert "h" not in {h.chunk.doc_id for h in answer.hits}
    assert [h.chunk.doc_id for h in more_like(index, CHUNKS[2].id, SearchSettings(k=1)).hits] == ["r"]
    assert more_like(index, CHUNKS[2].id, SearchSettings(filter=("source=letters",))).hits[0].chunk.doc_id == "s"


@pytest.mark.parametrize("unknown", ["nothing", "6e7f2a54-6a0e-5a44-9d0c-2b6f5c3f1b1d"])
def test_more_like_an_unknown_chunk_is_refused(index: Index, unknown: str) -> None:
    with pytest.raises(SearchError, match="no such chunk"):
        more_like(index, unknown)
