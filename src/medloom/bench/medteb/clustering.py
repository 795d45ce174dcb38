"""The 20 clustering tasks, 12 of them kept."""

from medloom.bench.medteb.classes import DIAGNOSES, PMC, PUBMED, searched, wikipedia
from medloom.bench.medteb.definition import Classes, Definition, SourceName


def _task(source: SourceName, name: str, classes: Classes, kept: bool) -> Definition:
    return Definition(
        name=f"clustering_{name}",
        type="Clustering",
        source=source,
        cap=16_384 if source == "pmc" else 8_192,
        kept=kept,
        classes=classes,
        per_class=0 if source == "mimic" else 1_000,
    )


def _wikipedia(topic: str, kept: bool = True) -> Definition:
    return _task("wikipedia", f"wiki_{topic}_dataset", wikipedia(topic), kept)


def _pubmed(topic: str) -> Definition:
    return _task("pubmed", f"pubmed_{topic}_dataset", searched(PUBMED[topic]), kept=False)


def _pmc(topic: str, kept: bool) -> Definition:
    return _task("pmc", f"pmc_{topic}_dataset", searched(PMC[topic]), kept)


def _diagnoses(topic: str, kept: bool) -> Definition:
    return _task("mimic", f"mimiciv_{topic}", DIAGNOSES[topic], kept)


CLUSTERING: tuple[Definition, ...] = (
    _wikipedia("disease_by_system"),
    _wikipedia("syndromes"),
    _wikipedia("broad_medical_topics"),
    _wikipedia("surgical_specialties"),
    _wikipedia("diagnostic_and_interdisciplinary_fields"),
    _wikipedia("preventive_and_community_health"),
    _wikipedia("special_populations_and_focused_fields", kept=False),
    _pubmed("hypertension_diabetes_cancer_alzheimers_influenza"),
    _pubmed("chronic_infectious_genetic_autoimmune"),
    _pubmed("inflammation_signaling_metabolism_immunity"),
    _pmc("medical_imaging_types", kept=True),
    _pmc("types_of_interventions", kept=False),
    _diagnoses("specific_Infectious_Diseases", kept=True),
    _diagnoses("specific_Abdominal_Conditions", kept=True),
    _diagnoses("specific_Cancer_Types", kept=True),
    _diagnoses("general_Infectious_vs_NonInfectious_Conditions", kept=True),
    _diagnoses("general_Neurological_vs_Musculoskeletal_Conditions", kept=False),
    _diagnoses("general_Abdominal_vs_Thoracic_Conditions", kept=False),
    _diagnoses("general_Cancer_vs_Chronic_Conditions", kept=True),
    _diagnoses("general_Mortality_vs_Survivable_Conditions", kept=False),
)
