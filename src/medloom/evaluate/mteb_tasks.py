"""Tasks as mteb task objects: for the types that mteb scores for us, and for checking ours against it."""

from typing import Any

from medloom.evaluate.tasks import Task, class_numbers

_MTEB_DEFAULTS = {"n_clusters": 10, "n_experiments": 10, "samples_per_label": 8}


def to_mteb(task: Task) -> Any:  # noqa: ANN401
    """A fresh mteb task.

    Fresh for each model: mteb's clustering draws its resamples from a generator that a used task has already advanced,
    which would unpair the comparison.

    ``sampled_from`` in a clustering task's settings is how many documents mteb drew the task's documents from: the generator
    is advanced as that draw did, so that what follows is mteb's own.

    Args:
        task: What to ask; any type but ``MinimalPairs``, which mteb does not have.

    Raises:
        KeyError: mteb has no such type.
    """
    import mteb
    from mteb.abstasks.classification import AbsTaskClassification
    from mteb.abstasks.clustering import AbsTaskClustering
    from mteb.abstasks.pair_classification import AbsTaskPairClassification
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.sts import AbsTaskSTS

    settings = _MTEB_DEFAULTS | task.settings
    forms: dict[str, tuple[type, dict[str, Any]]] = {
        "Retrieval": (AbsTaskRetrieval, {"ignore_identical_ids": bool(settings.get("ignore_identical_ids"))}),
        "PairClassification": (AbsTaskPairClassification, {}),
        "STS": (AbsTaskSTS, {"min_score": 0, "max_score": 5}),
        "Clustering": (
            AbsTaskClustering,
            {
                "max_fraction_of_documents_to_embed": None,
                "max_documents_per_cluster": settings.get("max_documents_per_cluster", task.n),
                "n_clusters": settings["n_clusters"],
            },
        ),
        "Classification": (
            AbsTaskClassification,
            {key: settings[key] for key in ("n_experiments", "samples_per_label")},
        ),
    }
    base, own = forms[task.type]

    def load(self: Any, num_proc: int | None = None, **kwargs: Any) -> None:  # noqa: ANN401
        if not self.data_loaded:
            self.dataset = _dataset(task)
            if "sampled_from" in task.settings:
                self.rng_state.sample(range(task.settings["sampled_from"]), k=task.n)
            self.data_loaded = True

    metadata = mteb.TaskMetadata(
        name=task.name,
        description=task.description,
        type=task.type,
        main_score=task.main_score,
        dataset={"path": f"medloom/{task.name}", "revision": task.fingerprint},
        eval_langs=["eng-Latn"],
        eval_splits=["test"],
        domains=["Medical"],
    )
    return type("MedloomTask", (base,), {"metadata": metadata, "load_data": load, **own})()


def _dataset(task: Task) -> Any:  # noqa: ANN401
    from datasets import Dataset, DatasetDict

    data = task.data
    if task.type == "Retrieval":
        split = {
            "corpus": Dataset.from_dict({"id": list(data["corpus"]), "text": list(data["corpus"].values())}),
            "queries": Dataset.from_dict({"id": list(data["queries"]), "text": list(data["queries"].values())}),
            "relevant_docs": {q: dict(judged) for q, judged in data["qrels"].items()},
            "top_ranked": data.get("candidates"),
        }
        return {"default": {"test": split}}
    if task.type == "Classification":
        numbers = class_numbers(data)
        return DatasetDict(
            {
                split: Dataset.from_dict({"text": data[texts], "label": [numbers[label] for label in data[labels]]})
                for split, texts, labels in (("train", "train_texts", "train_labels"), ("test", "texts", "labels"))
            }
        )
    columns = {("score" if k == "labels" and task.type == "STS" else k): v for k, v in data.items() if k != "groups"}
    return DatasetDict(test=Dataset.from_dict(columns))
