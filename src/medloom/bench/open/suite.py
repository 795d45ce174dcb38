"""The catalogue of the suite ``open``, and the suite."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from medloom.bench.base import BuildRequest, Entry, Mode
from medloom.bench.open import labels, pairs, phenotypes, retrieval
from medloom.bench.open.material import Material
from medloom.errors import SourceError
from medloom.evaluate.tasks import METRICS, Task, TaskType, check

Build = Callable[[Material, str], Task | str]
_NAMES = "the names of HPO, ICD-10-CM, MeSH diseases and rare diseases together"

_RETRIEVAL: tuple[tuple[str, str, str, Build], ...] = (
    ("open-lay-term", "hpo", f"find the HPO term from a layperson's phrase, among {_NAMES}", retrieval.lay_term),
    ("open-synonym-term", "hpo", f"find the HPO term from a professional synonym, among {_NAMES}", retrieval.synonym_term),
    (
        "open-mesh-synonym",
        "mesh_diseases",
        f"find the MeSH heading from an entry term that looks unlike it, among {_NAMES}",
        retrieval.mesh_synonym,
    ),
    (
        "open-icd-inclusion",
        "icd10cm",
        f"find the ICD-10-CM description from a term that the code includes, among {_NAMES}",
        retrieval.icd_inclusion,
    ),
    (
        "open-icd-reference",
        "icd10cm",
        f"find the ICD-10-CM description from what other codes' exclusion notes call it, among {_NAMES}",
        retrieval.icd_reference,
    ),
    (
        "open-definition-term",
        "hpo",
        f"find the HPO term from a definition that does not name it, among {_NAMES}",
        retrieval.definition_term,
    ),
    (
        "open-cross-terminology",
        "mesh_diseases",
        f"find the MeSH heading, worded otherwise, from a term of HPO, ICD-10-CM or a rare disease, among {_NAMES}",
        retrieval.cross_terminology,
    ),
    (
        "open-disease-profile",
        "hpo_diseases",
        "find a rare disease's list of phenotypes from its name, among those of thousands",
        phenotypes.disease_profile,
    ),
    (
        "open-patient-disease",
        "hpo_diseases",
        "find the phenotypes of a rare disease from five that a made-up patient shows, some told vaguely",
        phenotypes.patient_disease,
    ),
    (
        "open-drug-name",
        "drug_names",
        "find a drug from a brand name or synonym that looks unlike it, among thousands of drugs",
        retrieval.drug_name,
    ),
)
_PAIRS: tuple[tuple[str, str, str, Build], ...] = (
    (
        "open-hpo-synonym-pairs",
        "hpo",
        "tell an HPO term's synonym from one of the term that looks most like it",
        pairs.synonym_pairs("hpo"),
    ),
    (
        "open-mesh-synonym-pairs",
        "mesh_diseases",
        "tell a MeSH heading's entry term from one of the heading that looks most like it",
        pairs.synonym_pairs("mesh_diseases"),
    ),
    (
        "open-drug-pairs",
        "drug_names",
        "tell a drug's other name from one of the drug that looks most like it",
        pairs.synonym_pairs("drug_names"),
    ),
    (
        "open-parent-pairs",
        "mesh_diseases",
        "tell the more general term above a term of HPO or MeSH from the unrelated one that looks most like it",
        pairs.parent_pairs,
    ),
)
_CLUSTERING: tuple[tuple[str, str, str, Build], ...] = (
    ("open-hpo-systems", "hpo", "group HPO terms by organ system", labels.clustering(labels.hpo_names, "hpo")),
    (
        "open-icd-chapters",
        "icd10cm",
        "group ICD-10-CM descriptions by chapter",
        labels.clustering(labels.icd_chapters, "icd10cm"),
    ),
    (
        "open-icd-blocks",
        "icd10cm",
        "group ICD-10-CM descriptions by block, of which a chapter has many",
        labels.clustering(labels.icd_blocks, "icd10cm"),
    ),
    (
        "open-mesh-branches",
        "mesh_diseases",
        "group MeSH diseases by branch of the tree",
        labels.clustering(labels.mesh_branches, "mesh_diseases"),
    ),
)
_CLASSIFICATION: tuple[tuple[str, str, str, Build], ...] = (
    (
        "open-definition-system",
        "hpo",
        "say of which organ system an HPO definition is",
        labels.classification(labels.hpo_definitions, "hpo"),
    ),
    (
        "open-icd-chapter",
        "icd10cm",
        "say in which chapter an ICD-10-CM description is",
        labels.classification(labels.icd_chapters, "icd10cm"),
    ),
    (
        "open-mesh-branch",
        "mesh_diseases",
        "say in which branch of the tree a MeSH disease is",
        labels.classification(labels.mesh_branches, "mesh_diseases"),
    ),
    (
        "open-disease-system",
        "hpo_diseases",
        "say from a rare disease's name in which organ system most of its phenotypes are",
        labels.classification(labels.disease_systems, "hpo_diseases"),
    ),
    (
        "open-drug-class",
        "drug_names",
        "say of which chemical class a drug is",
        labels.classification(labels.drug_classes, "drug_names"),
    ),
)
_TASKS: tuple[tuple[TaskType, tuple[tuple[str, str, str, Build], ...]], ...] = (
    ("Retrieval", _RETRIEVAL),
    ("PairClassification", _PAIRS),
    ("Clustering", _CLUSTERING),
    ("Classification", _CLASSIFICATION),
)


class OpenSuite:
    """Tasks from terminologies that packages carry: no download, no account.

    The concepts of HPO and ICD-10-CM are those that the quickstart, and every recipe over both with the default seed and
    share, holds out. MeSH, drugs, ICD-9-CM and the phenotypes of diseases are in no shipped recipe. Profiles and patients
    list phenotypes whose single names may have been trained on; the lists were not.
    """

    name = "open"
    description = "terminologies from packages alone: HPO, ICD-10-CM, ICD-9-CM, MeSH diseases, rare diseases, drugs"
    modes: tuple[Mode, ...] = ("strict",)

    def entries(self) -> list[Entry]:
        """The catalogue; nothing in it needs more than packages."""
        return [
            Entry(name, type_, self.name, source, METRICS[type_], "terminology", description)
            for type_, rows in _TASKS
            for name, source, description, _ in rows
        ]

    def build(self, request: BuildRequest, left_out: dict[str, str]) -> Iterator[Task]:
        """Yield the tasks that are wanted; see :class:`~medloom.bench.base.Suite`.

        A task whose terminologies are not all installed is left out, and so is one with too little text: a corpus is never
        smaller because a package is missing.
        """
        builders = {row[0]: row[3] for _, rows in _TASKS for row in rows}
        material = Material(request)
        for entry in self.entries():
            if not request.wants(entry):
                continue
            try:
                built = builders[entry.name](material, entry.name)
            except SourceError as error:
                built = str(error)
            if isinstance(built, str):
                left_out[entry.name] = built
            else:
                yield check(replace(built, description=entry.description, facet=entry.facet))
