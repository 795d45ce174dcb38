"""Suite tasks as mteb task objects, so that every score is mteb's own."""

from typing import Any

from medloom.evaluate.config import EvaluateConfig
from medloom.evaluate.suite import SuiteTask

METRICS = {"Retrieval": "ndcg_at_10", "PairClassification": "similarity_ap", "Clustering": "v_measure"}
UNITS = {"Retrieval": "queries", "PairClassification": "pairs", "Clustering": "resamples of documents"}
_K_VALUES = (1, 3, 5, 10, 20, 100)


def to_mteb(task: SuiteTask, config: EvaluateConfig, revision: str) -> Any:  # noqa: ANN401
    """A fresh mteb task.

    Fresh for each model: mteb's clustering draws its resamples from a generator that a used task has already advanced,
    which would unpair the comparison.

    Args:
        task: What to ask.
        config: Number of clusterings.
        revision: Hash of the data, for mteb's results.
    """
    import mteb
    from datasets import Dataset, DatasetDict
    from mteb.abstasks.clustering import AbsTaskClustering
    from mteb.abstasks.pair_classification import AbsTaskPairClassification
    from mteb.abstasks.retrieval import AbsTaskRetrieval

    data = task.data

    def load(self: Any, num_proc: int | None = None, **kwargs: Any) -> None:  # noqa: ANN401
        if self.data_loaded:
            return
        if task.type == "Retrieval":
            split = {
                "corpus": Dataset.from_dict({"id": list(data["corpus"]), "text": list(data["corpus"].values())}),
                "queries": Dataset.from_dict({"id": list(data["queries"]), "text": list(data["queries"].values())}),
                "relevant_docs": {q: dict.fromkeys(ids, 1) for q, ids in data["qrels"].items()},
                "top_ranked": None,
            }
            self.dataset = {"default": {"test": split}}
        else:
            self.dataset = DatasetDict(test=Dataset.from_dict(data))
        self.data_loaded = True

    forms: dict[str, tuple[type, dict[str, Any]]] = {
        "Retrieval": (AbsTaskRetrieval, {"k_values": _K_VALUES}),
        "PairClassification": (AbsTaskPairClassification, {}),
        "Clustering": (
            AbsTaskClustering,
            {
                "max_fraction_of_documents_to_embed": None,
                "max_documents_per_cluster": len(data.get("sentences", ())),
                "n_clusters": config.clusterings,
            },
        ),
    }
    base, own = forms[task.type]
    metadata = mteb.TaskMetadata(
        name=task.name,
        description=task.description,
        type=task.type,
        main_score=METRICS[task.type],
        dataset={"path": f"medloom/{task.name}", "revision": revision},
        eval_langs=["eng-Latn"],
        eval_splits=["test"],
        domains=["Medical"],
    )
    return type("SuiteMtebTask", (base,), {"metadata": metadata, "load_data": load, **own})()
