"""The 29 classification tasks, 15 of them kept."""

from medloom.bench.medteb.classes import DIAGNOSES, PMC, PUBMED, readmission, searched, wikipedia
from medloom.bench.medteb.definition import Classes, Definition, SourceName


def _task(source: SourceName, name: str, classes: Classes, kept: bool) -> Definition:
    return Definition(
        name=f"classification_{name}",
        type="Classification",
        source=source,
        cap=16_384 if source == "pmc" else 8_192,
        kept=kept,
        classes=classes,
        per_class=0 if source == "mimic" else 2_000,
    )


def _wikipedia(topic: str, kept: bool) -> Definition:
    return _task("wikipedia", f"wiki_{topic}_dataset", wikipedia(topic), kept)


def _pubmed(topic: str) -> Definition:
    return _task("pubmed", f"pubmed_{topic}_dataset", searched(PUBMED[topic]), kept=False)


def _pmc(topic: str, kept: bool) -> Definition:
    return _task("pmc", f"pmc_{topic}_dataset", searched(PMC[topic]), kept)


def _readmission(days: int, kept: bool) -> Definition:
    return _task("mimic", f"mimiciv_readmission_{days}_days", readmission(days), kept)


def _diagnoses(topic: str, kept: bool) -> Definition:
    return _task("mimic", f"mimiciv_{topic}", DIAGNOSES[topic], kept)


CLASSIFICATION: tuple[Definition, ...] = (
    _wikipedia("cardiovascular_vs_respiratory", kept=False),
    _wikipedia("cardiovascular_vs_digestive", kept=False),
    _wikipedia("syndromes_and_symptoms", kept=False),
    _wikipedia("syndromes", kept=True),
    _wikipedia("pain_vs_fever", kept=True),
    _wikipedia("infection_vs_cancer", kept=False),
    _wikipedia("viral_vs_bacterial", kept=False),
    _wikipedia("core_medical_specialties", kept=True),
    _wikipedia("surgical_specialties", kept=False),
    _wikipedia("diagnostic_and_interdisciplinary_fields", kept=True),
    _pubmed("hypertension_diabetes_cancer_alzheimers_influenza"),
    _pubmed("treatment_prevention"),
    _pubmed("chronic_infectious_genetic_autoimmune"),
    _pubmed("inflammation_signaling_metabolism_immunity"),
    _pmc("medical_imaging_types", kept=True),
    _pmc("diagnostic_vs_therapeutic", kept=True),
    _pmc("types_of_interventions", kept=False),
    _readmission(3, kept=True),
    _readmission(7, kept=False),
    _readmission(30, kept=True),
    _diagnoses("specific_Infectious_Diseases", kept=True),
    _diagnoses("specific_Abdominal_Conditions", kept=True),
    _diagnoses("specific_Musculoskeletal_Disorders", kept=True),
    _diagnoses("specific_Neurological_Conditions", kept=True),
    _diagnoses("general_Infectious_vs_NonInfectious_Conditions", kept=True),
    _diagnoses("general_Neurological_vs_Musculoskeletal_Conditions", kept=True),
    _diagnoses("general_Abdominal_vs_Thoracic_Conditions", kept=False),
    _diagnoses("general_Cancer_vs_Chronic_Conditions", kept=False),
    _diagnoses("general_Mortality_vs_Survivable_Conditions", kept=True),
)
