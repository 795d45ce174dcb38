"""Suites of mteb's own tasks: the five of MedEmbed, and every English medical one.

Their data lie on the hub: a build fetches them once, through mteb's own loaders, and what it writes needs no network.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

from medloom.bench.base import HUB, BuildRequest, Entry, Mode
from medloom.errors import MedloomError
from medloom.evaluate.tasks import Facet, Task, TaskType, check

MEDEMBED = ("ArguAna", "MedicalQARetrieval", "NFCorpus", "PublicHealthQA", "TRECCOVID")
_RANKED = ("Retrieval", "InstructionRetrieval", "Reranking")
_SCORED = (*_RANKED, "Classification", "Clustering", "STS", "PairClassification")
_FACETS: dict[Facet, tuple[str, ...]] = {
    "consumer": (
        *("MedicalQARetrieval", "PublicHealthQA", "ChatDoctorRetrieval", "CovidQA", "FeedbackQARetrieval"),
        *("CMedQAv2-reranking", "CmedqaRetrieval"),
    ),
    "exams": ("R2MEDMedXpertQAExamRetrieval", "R2MEDMedQADiagRetrieval"),
    "notes": ("R2MEDPMCClinicalRetrieval", "R2MEDIIYiClinicalRetrieval", "IFIRPm", "IFIRCds"),
    "trials": ("BIRCO-ClinicalTrial", "R2MEDPMCTreatmentRetrieval"),
}


class HubSuite:
    """A suite of tasks that mteb defines.

    Args:
        name: Its name.
        description: What it is.
        tasks: Gives the mteb tasks, with the subsets wanted; called once, since mteb takes seconds to import.
    """

    modes: tuple[Mode, ...] = ("strict",)

    def __init__(self, name: str, description: str, tasks: Callable[[], Sequence[Any]]) -> None:
        self.name = name
        self.description = description
        self._find = tasks
        self._tasks: dict[str, Any] | None = None

    def entries(self) -> list[Entry]:
        """One entry for each mteb task."""
        return [self._entry(task) for task in self._found().values()]

    def build(self, request: BuildRequest, left_out: dict[str, str]) -> Iterator[Task]:
        """Fetch and convert every task; one that cannot be had is left out."""
        for name, task in self._found().items():
            if not request.wants(self._entry(task)):
                continue
            try:
                yield from converted(task, self.name)
            except MedloomError as error:
                left_out[name] = str(error)
            except Exception as error:
                left_out[name] = f"its data cannot be fetched from the hub ({type(error).__name__}): check the network"
            finally:
                task.unload_data()

    def _found(self) -> dict[str, Any]:
        if self._tasks is None:
            self._tasks = {task.metadata.name: task for task in self._find()}
        return self._tasks

    def _entry(self, task: Any) -> Entry:  # noqa: ANN401
        meta = task.metadata
        return Entry(
            name=meta.name,
            type="Retrieval" if meta.type in _RANKED else meta.type,
            suite=self.name,
            source=meta.dataset["path"],
            metric=meta.main_score,
            facet=_facet(meta.name),
            description=" ".join(str(meta.description).split()),
            needs=(HUB,),
        )


def medembed() -> HubSuite:
    """The five retrieval tasks that MedEmbed was judged on (English only)."""

    def find() -> list[Any]:
        import mteb

        return [mteb.get_task(name, languages=["eng"]) for name in MEDEMBED]

    return HubSuite("medembed", "The five retrieval tasks of MedEmbed (Balachandran 2024), English subsets", find)


def mteb_medical() -> HubSuite:
    """MTEB(Medical, v1) and every other English medical text task of the installed mteb."""

    def find() -> list[Any]:
        import mteb

        benchmark = list(mteb.get_benchmark("MTEB(Medical, v1)").tasks)
        medical = mteb.get_tasks(domains=["Medical"], languages=["eng"], modalities=["text"], exclusive_modality_filter=True)
        english = [task for task in medical if task.metadata.type in _SCORED]
        found = {task.metadata.name: task for task in (*benchmark, *english)}
        return list(found.values())

    return HubSuite("mteb-medical", "MTEB(Medical, v1) and every other English medical text task of mteb", find)


def converted(task: Any, suite: str) -> Iterator[Task]:  # noqa: ANN401
    """An mteb task as tasks of ours, one for each subset and split.

    Args:
        task: An mteb task; its data are loaded.
        suite: Name of the suite, for the source.

    Raises:
        MedloomError: mteb has a type of task here that medloom cannot score.
    """
    meta = task.metadata
    forms = {
        **dict.fromkeys(_RANKED, _retrieval),
        "Classification": _classification,
        "Clustering": _clustering,
        "STS": _sts,
        "PairClassification": _pairs,
    }
    if meta.type not in forms:
        raise MedloomError(f"mteb's type {meta.type} is not one that medloom scores: run it with mteb itself")
    if not task.data_loaded:
        task.load_data()
    if meta.type in _RANKED:
        task.convert_v1_dataset_format_to_v2(num_proc=None)
    parts = [(subset, split) for subset in task.hf_subsets for split in task.eval_splits]
    own_type: TaskType = "Retrieval" if meta.type in _RANKED else meta.type
    assert own_type in get_args(TaskType)
    for subset, split in parts:
        data, settings = forms[meta.type](task, subset, split)
        several = "" if len(parts) == 1 else "/" + "/".join(p for p in (subset, split) if p != "default")
        yield check(
            Task(
                name=(meta.name + several).replace("/", "--"),
                type=own_type,
                source=meta.dataset["path"],
                description=" ".join(str(meta.description).split()),
                data=data,
                metric=meta.main_score,
                facet=_facet(meta.name),
                settings=settings,
            )
        )


Parts = tuple[dict[str, Any], dict[str, int]]


def _of(task: Any, subset: str) -> Any:  # noqa: ANN401
    return task.dataset.get(subset, task.dataset)


def _retrieval(task: Any, subset: str, split: str) -> Parts:  # noqa: ANN401
    parts = _of(task, subset)[split]
    corpus = {str(row["id"]): _joined(row.get("title"), row["text"]) for row in parts["corpus"]}
    asked = {str(row["id"]): _joined(row["text"], row.get("instruction")) for row in parts["queries"]}
    qrels = {str(q): {str(d): int(v) for d, v in judged.items()} for q, judged in parts["relevant_docs"].items()}
    qrels = {q: {d: v for d, v in judged.items() if d in corpus} for q, judged in qrels.items() if q in asked}
    queries = {q: text for q, text in asked.items() if any(v > 0 for v in qrels.get(q, {}).values())}
    data: dict[str, Any] = {"queries": queries, "corpus": corpus, "qrels": {q: qrels[q] for q in queries}}
    if parts.get("top_ranked"):
        data["candidates"] = {q: [str(d) for d in parts["top_ranked"][q]] for q in queries}
    return data, {"ignore_identical_ids": 1} if task.ignore_identical_ids else {}


def _joined(*parts: object) -> str:
    return " ".join(str(part) for part in parts if part).strip()


def _classification(task: Any, subset: str, split: str) -> Parts:  # noqa: ANN401
    data = _of(task, subset)
    text, label = task.input_column_name, task.label_column_name
    train, test = data[task.train_split], data[split]
    return {
        "texts": list(test[text]),
        "labels": [str(one) for one in test[label]],
        "train_texts": list(train[text]),
        "train_labels": [str(one) for one in train[label]],
    }, {"n_experiments": task.n_experiments, "samples_per_label": task.samples_per_label}


def _clustering(task: Any, subset: str, split: str) -> Parts:  # noqa: ANN401
    """The documents that mteb would draw, in its order; of a hierarchy of labels, the first level."""
    rows = _of(task, subset)[split]
    total = len(rows)
    wanted = task.max_document_to_embed
    if task.max_fraction_of_documents_to_embed is not None:
        wanted = int(task.max_fraction_of_documents_to_embed * total)
    settings = {"n_clusters": task.n_clusters, "max_documents_per_cluster": task.max_documents_per_cluster}
    drawn = range(total)
    if wanted is not None:
        drawn = type(task)().rng_state.sample(range(total), k=min(total, wanted))
        settings["sampled_from"] = total
    labels, texts = rows[task.label_column_name], rows[task.input_column_name]
    return {
        "sentences": [texts[i] for i in drawn],
        "labels": [str(labels[i][0] if isinstance(labels[i], list) else labels[i]) for i in drawn],
    }, settings


def _sts(task: Any, subset: str, split: str) -> Parts:  # noqa: ANN401
    rows = _of(task, subset)[split]
    return {
        "sentence1": list(rows["sentence1"]),
        "sentence2": list(rows["sentence2"]),
        "labels": [float(one) for one in rows["score"]],
    }, {}


def _pairs(task: Any, subset: str, split: str) -> Parts:  # noqa: ANN401
    rows = _of(task, subset)[split]
    return {
        "sentence1": list(rows[task.input1_column_name]),
        "sentence2": list(rows[task.input2_column_name]),
        "labels": [int(one) for one in rows[task.label_column_name]],
    }, {}


def _facet(name: str) -> Facet:
    return next((facet for facet, names in _FACETS.items() if name in names), "literature")
