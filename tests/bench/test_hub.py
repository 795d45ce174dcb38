"""mteb's own tasks as tasks of ours: the same questions, the same scores, and no network asked by surprise."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medloom.bench.base import HUB, BuildRequest
from medloom.bench.hub import MEDEMBED, HubSuite, converted, medembed, mteb_medical
from medloom.encode.encoder import TorchEncoder
from medloom.errors import MedloomError
from medloom.evaluate.scored import score
from medloom.evaluate.systems import DenseSystem
from medloom.evaluate.tasks import Task

PARTS = ["heart", "lung", "liver", "kidney", "skin", "bone"]
SIGNS = ["pain", "rash", "cough", "fever", "acute ache", "high pressure", "low sugar", "daily dose"]
TEXTS = [f"{sign} of the {part} in a child {i}{j}" for i, part in enumerate(PARTS) for j, sign in enumerate(SIGNS)]
LABELS = [part for part in PARTS for _ in SIGNS]
Load = Callable[[Any], None]


def mteb_task(base: str, type_: str, metric: str, load: Load, langs: Any = None, **attributes: Any) -> Any:
    """An mteb task whose data come from ``load``."""
    import mteb
    from mteb import abstasks

    def load_data(self: Any, num_proc: int | None = None, **settings: Any) -> None:
        if not self.data_loaded:
            load(self)
            self.data_loaded = True

    metadata = mteb.TaskMetadata(
        name=f"Toy{type_}",
        description="Find  the\nright text.",
        type=type_,
        main_score=metric,
        dataset={"path": "toy/data", "revision": "1"},
        eval_langs=langs or ["eng-Latn"],
        eval_splits=attributes.pop("eval_splits", ["test"]),
        domains=["Medical"],
    )
    return type("ToyTask", (getattr(abstasks, base),), {"metadata": metadata, "load_data": load_data, **attributes})()


def split_of(salt: int = 0, title: bool = True, **more: Any) -> dict[str, Any]:
    """A split of a retrieval task, with a query that nothing answers and a judgement of an unknown document."""
    from datasets import Dataset

    corpus = [{"id": str(i), "text": text} for i, text in enumerate(TEXTS)]
    if title:
        corpus = [row | {"title": "" if i % 3 else PARTS[i % 6]} for i, row in enumerate(corpus)]
    queries = [{"id": str(i), "text": f"what is {text} for {i + salt}"} for i, text in enumerate(TEXTS[:: 3 + salt])]
    qrels = {str(i): {str(i * (3 + salt)): 2, str(i * (3 + salt) + 1): 1} for i in range(len(queries))}
    queries.append({"id": "unanswered", "text": "what is acute"})
    return {
        "corpus": Dataset.from_list(corpus),
        "queries": Dataset.from_list(queries),
        "relevant_docs": qrels,
        "top_ranked": None,
    } | more


def retrieval(type_: str = "Retrieval", metric: str = "ndcg_at_10", **attributes: Any) -> Any:
    split = attributes.pop("split", split_of)
    return mteb_task(
        "AbsTaskRetrieval",
        type_,
        metric,
        lambda task: setattr(task, "dataset", {"default": {"test": split()}}),
        **attributes,
    )


class Naive:
    """The plainest model that mteb takes."""

    def __init__(self, folder: Path) -> None:
        from mteb.models.model_meta import ModelMeta
        from sentence_transformers import SentenceTransformer

        self.model = SentenceTransformer(str(folder), device="cpu")
        self.mteb_model_meta = ModelMeta.create_empty(overwrites={"name": "naive/tiny", "revision": "1"})

    def encode(self, inputs: Any, **settings: Any) -> Any:
        return self.model.encode([text for batch in inputs for text in batch["text"]], show_progress_bar=False)

    def similarity(self, a: Any, b: Any) -> Any:
        return self.model.similarity(a, b)

    def similarity_pairwise(self, a: Any, b: Any) -> Any:
        return self.model.similarity_pairwise(a, b)


def scores_by_mteb(folder: Path, task: Any) -> list[float]:
    """Main score of each subset of each split, as plain mteb gives it."""
    import mteb

    result = mteb.evaluate(Naive(folder), task, cache=None, co2_tracker=False, show_progress_bar=False).task_results[0]
    return [part["main_score"] for split in task.eval_splits for part in result.scores[split]]


def ours(task: Any) -> list[Task]:
    return list(converted(task, "toy"))


def instructed() -> dict[str, Any]:
    from datasets import Dataset

    split = split_of()
    rows = split["queries"].to_list()
    instructions = ["" if i % 4 == 0 else f"only of the {PARTS[i % 6]}" for i in range(len(rows))]
    return split | {"queries": Dataset.from_list([r | {"instruction": t} for r, t in zip(rows, instructions, strict=True)])}


def reranked() -> dict[str, Any]:
    split = split_of()
    ranked = {q: [str((i * 7 + k * 5) % 48) for k in range(6)] + list(split["relevant_docs"].get(q, {}))[:1]
              for i, q in enumerate(split["queries"]["id"])}  # fmt: skip
    return split | {"top_ranked": {q: list(dict.fromkeys(ids)) for q, ids in ranked.items()}}


def sorted_by(n: int, label: Callable[[int], Any], **attributes: Any) -> Any:
    from datasets import Dataset, DatasetDict

    def load(task: Any) -> None:
        rows = {"sentences": TEXTS[:n], "labels": [label(i) for i in range(n)]}
        task.dataset = DatasetDict(test=Dataset.from_dict(rows))

    return mteb_task("AbsTaskClustering", "Clustering", "v_measure", load, **attributes)


def classes(metric: str = "accuracy", **attributes: Any) -> Any:
    from datasets import Dataset, DatasetDict

    def load(task: Any) -> None:
        column = attributes.get("input_column_name", "text")
        numbers = [PARTS.index(label) * 3 if i % 5 else 6 for i, label in enumerate(LABELS)]
        task.dataset = DatasetDict(
            train=Dataset.from_dict({column: TEXTS[::2], "label": numbers[::2]}),
            test=Dataset.from_dict({column: TEXTS[1::2], "label": numbers[1::2]}),
        )

    return mteb_task("AbsTaskClassification", "Classification", metric, load, **attributes)


def in_pairs(base: str, type_: str, metric: str, label: str, of: Callable[[int], Any]) -> Any:
    from datasets import Dataset, DatasetDict

    def load(task: Any) -> None:
        rows = {"sentence1": TEXTS[:-1], "sentence2": TEXTS[1:], label: [of(i) for i in range(len(TEXTS) - 1)]}
        task.dataset = DatasetDict(test=Dataset.from_dict(rows))

    return mteb_task(base, type_, metric, load, **({"min_score": 0, "max_score": 5} if type_ == "STS" else {}))


CASES: dict[str, Callable[[], Any]] = {
    "retrieval": retrieval,
    "retrieval without titles": lambda: retrieval(split=lambda: split_of(title=False)),
    "retrieval by another metric": lambda: retrieval(metric="ndcg_at_20"),
    "retrieval where a query is a document": lambda: retrieval(ignore_identical_ids=True),
    "retrieval with instructions": lambda: retrieval("InstructionRetrieval", split=instructed),
    "reranking": lambda: retrieval("Reranking", "map_at_1000", split=reranked),
    "reranking of a few": lambda: retrieval("Reranking", "ndcg_at_10", split=reranked),
    "clustering": lambda: sorted_by(48, lambda i: LABELS[i], max_fraction_of_documents_to_embed=None),
    "clustering of a fraction": lambda: sorted_by(48, lambda i: LABELS[i], max_fraction_of_documents_to_embed=0.6),
    "clustering of a number": lambda: sorted_by(
        48, lambda i: LABELS[i], max_fraction_of_documents_to_embed=None, max_document_to_embed=30, n_clusters=4
    ),
    "clustering of few documents": lambda: sorted_by(
        48, lambda i: PARTS.index(LABELS[i]), max_fraction_of_documents_to_embed=0.9, max_documents_per_cluster=25
    ),
    "classification": classes,
    "classification by f1": lambda: classes("f1", n_experiments=3, samples_per_label=2, input_column_name="note"),
    "sts": lambda: in_pairs("AbsTaskSTS", "STS", "cosine_spearman", "score", lambda i: i % 9 / 2),
    "pairs": lambda: in_pairs(
        "AbsTaskPairClassification", "PairClassification", "similarity_ap", "labels", lambda i: i % 3 // 2
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_scores_are_mtebs(case: str, tiny_model: Path, tiny_encoder: TorchEncoder) -> None:
    (task,) = ours(CASES[case]())
    assert task.n > 0
    found = score(DenseSystem(tiny_encoder), task).score
    (expected,) = scores_by_mteb(tiny_model, CASES[case]())
    assert found == pytest.approx(expected, abs=1e-4)
    assert 0 < found < 1


def test_what_a_retrieval_task_becomes() -> None:
    (task,) = ours(retrieval())
    assert (task.name, task.type, task.source, task.main_score) == ("ToyRetrieval", "Retrieval", "toy/data", "ndcg_at_10")
    assert task.description == "Find the right text."
    assert task.data["corpus"]["0"] == f"heart {TEXTS[0]}"
    assert task.data["corpus"]["1"] == TEXTS[1]
    assert "unanswered" not in task.data["queries"]
    assert task.data["qrels"]["15"] == {"45": 2, "46": 1}
    assert task.public


def test_instructions_follow_their_query() -> None:
    (task,) = ours(retrieval("InstructionRetrieval", split=instructed))
    assert task.type == "Retrieval"
    assert task.data["queries"]["0"] == f"what is {TEXTS[0]} for 0"
    assert task.data["queries"]["1"] == f"what is {TEXTS[3]} for 1 only of the lung"


def test_every_subset_and_split_is_a_task(tiny_model: Path, tiny_encoder: TorchEncoder) -> None:
    def make() -> Any:
        def load(task: Any) -> None:
            task.dataset = {
                "en": {"dev": split_of(), "test": split_of(1)},
                "title/only": {"dev": split_of(2), "test": split_of(3)},
            }

        langs = {"en": ["eng-Latn"], "title/only": ["eng-Latn"]}
        return mteb_task("AbsTaskRetrieval", "Retrieval", "ndcg_at_10", load, langs, eval_splits=["dev", "test"])

    tasks = ours(make())
    assert sorted(task.name for task in tasks) == [
        f"ToyRetrieval--{subset}--{split}" for subset in ("en", "title--only") for split in ("dev", "test")
    ]
    assert len({task.fingerprint for task in tasks}) == 4
    found = [score(DenseSystem(tiny_encoder), task).score for task in tasks]
    assert sorted(found) == pytest.approx(sorted(scores_by_mteb(tiny_model, make())), abs=1e-4)


def test_a_hierarchy_of_labels_counts_by_its_first_level() -> None:
    (task,) = ours(sorted_by(48, lambda i: [LABELS[i], str(i)], max_fraction_of_documents_to_embed=None))
    assert task.data["labels"] == LABELS


def test_a_type_that_only_mteb_scores_is_left_out() -> None:
    summary = retrieval()
    summary.metadata = summary.metadata.model_copy(update={"type": "Summarization"})
    with pytest.raises(MedloomError, match="mteb's type Summarization is not one that medloom scores"):
        ours(summary)


def test_a_suite_builds_what_it_can_and_says_why_not() -> None:
    def broken(task: Any) -> None:
        raise ConnectionError("a secret address")

    summary, good, gone = retrieval(), classes(), mteb_task("AbsTaskSTS", "STS", "cosine_spearman", broken)
    summary.metadata = summary.metadata.model_copy(update={"type": "Summarization"})
    suite = HubSuite("toy", "toy tasks", lambda: [summary, good, gone])
    assert [(e.name, e.type, e.suite, e.source, e.metric, e.needs) for e in suite.entries()] == [
        ("ToyRetrieval", "Summarization", "toy", "toy/data", "ndcg_at_10", (HUB,)),
        ("ToyClassification", "Classification", "toy", "toy/data", "accuracy", (HUB,)),
        ("ToySTS", "STS", "toy", "toy/data", "cosine_spearman", (HUB,)),
    ]
    left_out: dict[str, str] = {}
    assert [task.name for task in suite.build(BuildRequest(), left_out)] == ["ToyClassification"]
    assert left_out == {
        "ToyRetrieval": "mteb's type Summarization is not one that medloom scores: run it with mteb itself",
        "ToySTS": "its data cannot be fetched from the hub (ConnectionError): check the network",
    }
    assert not good.data_loaded
    wanted = BuildRequest(names=frozenset({"ToyClassification"}))
    left_out.clear()
    assert [task.name for task in suite.build(wanted, left_out)] == ["ToyClassification"]
    assert not left_out


def test_the_five_of_medembed() -> None:
    suite = medembed()
    assert tuple(entry.name for entry in suite.entries()) == MEDEMBED
    assert len(MEDEMBED) == 5
    assert {(e.type, e.metric, e.needs, e.suite) for e in suite.entries()} == {
        ("Retrieval", "ndcg_at_10", (HUB,), "medembed")
    }
    assert suite._found()["PublicHealthQA"].hf_subsets == ["english"]


def test_without_a_network_nothing_is_built_and_each_task_says_why() -> None:
    left_out: dict[str, str] = {}
    wanted = BuildRequest(names=frozenset({"NFCorpus", "PublicHealthQA"}))
    assert not list(medembed().build(wanted, left_out))
    assert left_out.keys() == {"NFCorpus", "PublicHealthQA"}
    assert all("cannot be fetched from the hub" in why and "check the network" in why for why in left_out.values())


def test_every_english_medical_task_of_mteb() -> None:
    suite = mteb_medical()
    entries = {entry.name: entry for entry in suite.entries()}
    english = [name for name, task in suite._found().items() if "eng" in task.metadata.languages]
    assert len(english) >= 35
    assert {"TRECCOVID", "NFCorpus", "SciFact", "MedicalQARetrieval", "BIOSSES", "CUREv1"} <= set(english)
    assert {"MedrxivClusteringP2P.v2", "MedrxivClusteringS2S.v2", "ClusTREC-Covid"} <= entries.keys()
    assert {entry.needs for entry in entries.values()} == {(HUB,)}
    assert entries["MedicalQARetrieval"].facet == "consumer"
    assert entries["BIRCO-ClinicalTrial"].facet == "trials"
    assert entries["NFCorpus"].facet == "literature"
