"""Classes that tasks of both labelled types share: names, search terms and discharge diagnoses, as the authors list them.

From ``dev/create_classification_tasks.py`` and ``dev/create_clustering_tasks.py`` of MohammadKhodadad/MedTEB.
"""

from medloom.bench.medteb.definition import Classes

WIKIPEDIA: dict[str, tuple[str, ...]] = {
    "cardiovascular_vs_respiratory": ("Cardiovascular diseases", "Respiratory diseases"),
    "cardiovascular_vs_digestive": ("Cardiovascular diseases", "Digestive diseases"),
    "syndromes_and_symptoms": ("Syndromes", "Symptoms"),
    "syndromes": (
        "Syndromes affecting the eye",
        "Syndromes affecting blood",
        "Syndromes affecting the nervous system",
        "Syndromes affecting hearing",
    ),
    "pain_vs_fever": ("Pain", "Fever"),
    "infection_vs_cancer": ("Infectious diseases", "Cancer"),
    "viral_vs_bacterial": ("Viral diseases", "Bacterial diseases"),
    "disease_by_system": (
        "Cardiovascular diseases",
        "Respiratory diseases",
        "Neurological disorders",
        "Musculoskeletal disorders",
        "Digestive diseases",
    ),
    "broad_medical_topics": ("Diseases and disorders", "Therapy", "Symptoms", "Pathology"),
    "core_medical_specialties": ("Cardiology", "Neurology", "Gastroenterology", "Endocrinology", "Pulmonology"),
    "surgical_specialties": ("Orthopedics", "Ophthalmology", "Gynaecology", "Neurosurgery", "Transplantation medicine"),
    "diagnostic_and_interdisciplinary_fields": (
        "Radiology",
        "Pathology",
        "Nuclear medicine",
        "Anesthesiology",
        "Intensive care medicine",
    ),
    "preventive_and_community_health": (
        "Public health",
        "Preventive medicine",
        "Occupational medicine",
        "Sports medicine",
        "Tropical medicine",
    ),
    "special_populations_and_focused_fields": (
        "Pediatrics",
        "Geriatrics",
        "Men's health",
        "Women's health",
        "Addiction medicine",
    ),
}

PUBMED: dict[str, dict[str, str]] = {
    "hypertension_diabetes_cancer_alzheimers_influenza": {
        "Hypertension": "hypertension",
        "Diabetes": "diabetes",
        "Cancer": "cancer",
        "Alzheimer's disease": "alzheimer's disease",
        "Influenza": "influenza",
    },
    "treatment_prevention": {"Treatment": "treatment", "Prevention": "prevention"},
    "chronic_infectious_genetic_autoimmune": {
        "Chronic diseases": "chronic disease",
        "Infectious diseases": "infectious disease",
        "Genetic disorders": "genetic disorder",
        "Autoimmune disorders": "autoimmune disorder",
    },
    "inflammation_signaling_metabolism_immunity": {
        "Inflammation": "inflammation",
        "Cellular signaling": "cellular signaling",
        "Metabolism": "metabolism",
        "Immunity": "immunity",
    },
}

PMC: dict[str, dict[str, str]] = {
    "medical_imaging_types": {
        "MRI": "MRI",
        "CT scan": "CT scan",
        "Ultrasound": "Ultrasound",
        "X-ray": "X-ray",
        "PET scan": "PET scan",
    },
    "diagnostic_vs_therapeutic": {"Diagnostic": "diagnostic", "Therapeutic": "therapeutic"},
    "types_of_interventions": {
        "Drug-based": "drug-based",
        "Device-based": "device-based",
        "Behavioral": "behavioral",
        "Surgical": "surgical",
    },
}

DIAGNOSES: dict[str, Classes] = {
    "specific_Infectious_Diseases": (
        ("Respiratory", ("Pneumonia", "COPD exacerbation")),
        ("Soft_Tissue", ("Cellulitis",)),
        ("Urinary_Tract", ("Urinary tract infection",)),
        ("Biliary_System", ("Choledocholithiasis",)),
    ),
    "specific_Abdominal_Conditions": (
        ("Obstructions", ("Small bowel obstruction", "Partial small bowel obstruction")),
        ("Inflammatory", ("Acute appendicitis", "Acute cholecystitis", "Diverticulitis", "Pancreatitis")),
        ("Pain", ("Abdominal pain", "Chest pain")),
    ),
    "specific_Musculoskeletal_Disorders": (
        (
            "Osteoarthritis",
            (
                "Right knee osteoarthritis",
                "Left knee osteoarthritis",
                "Right hip osteoarthritis",
                "Left hip osteoarthritis",
            ),
        ),
        ("Stenosis", ("Lumbar stenosis", "Cervical stenosis")),
    ),
    "specific_Neurological_Conditions": (
        ("Seizure_Disorders", ("Epilepsy", "Seizure", "Seizures")),
        ("Critical_Neurology", ("Acute ischemic stroke", "CNS lymphoma", "Syncope")),
    ),
    "specific_Cancer_Types": (
        ("Breast_Cancer", ("Right breast cancer",)),
        ("Prostate_Cancer", ("PROSTATE CANCER",)),
        ("Other", ("AML", "Peripheral Arterial Disease")),
    ),
    "general_Infectious_vs_NonInfectious_Conditions": (
        (
            "Infectious_Conditions",
            ("Pneumonia", "Cellulitis", "Urinary tract infection", "Choledocholithiasis", "COPD exacerbation"),
        ),
        (
            "NonInfectious_Conditions",
            ("Small bowel obstruction", "Acute appendicitis", "Pancreatitis", "Right knee osteoarthritis", "Epilepsy"),
        ),
    ),
    "general_Neurological_vs_Musculoskeletal_Conditions": (
        ("Neurological_Conditions", ("Seizure", "Acute ischemic stroke", "Syncope", "CNS lymphoma")),
        (
            "Musculoskeletal_Conditions",
            ("Right knee osteoarthritis", "Left knee osteoarthritis", "Lumbar stenosis", "Cervical stenosis"),
        ),
    ),
    "general_Abdominal_vs_Thoracic_Conditions": (
        (
            "Abdominal_Conditions",
            ("Acute appendicitis", "Acute cholecystitis", "Diverticulitis", "Small bowel obstruction"),
        ),
        ("Thoracic_Conditions", ("Pneumonia", "COPD exacerbation", "Chest pain")),
    ),
    "general_Cancer_vs_Chronic_Conditions": (
        ("Cancer", ("Right breast cancer", "PROSTATE CANCER", "AML")),
        (
            "Chronic_Conditions",
            ("Peripheral Arterial Disease", "Morbid obesity", "Lumbar stenosis", "COPD exacerbation"),
        ),
    ),
    "general_Mortality_vs_Survivable_Conditions": (
        ("Mortality_Conditions", ("Deceased", "Expired", "Patient expired", "Acute ischemic stroke")),
        ("Survivable_Conditions", ("Abdominal pain", "Right knee osteoarthritis", "Epilepsy", "Pneumonia")),
    ),
}


def wikipedia(topic: str) -> Classes:
    """Classes of one topic, each a category of the same name."""
    return tuple((name, (name,)) for name in WIKIPEDIA[topic])


def searched(terms: dict[str, str]) -> Classes:
    """Classes that are each found by a search term."""
    return tuple((label, (term,)) for label, term in terms.items())


def readmission(days: int) -> Classes:
    """Stays followed by another within so many days, and all others."""
    return (("0", ()), ("1", (f"readmission {days} days",)))
