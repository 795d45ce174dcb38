"""What a key phrase is: a test, a procedure, a drug, a problem; denied, general, or of no medicine at all."""

import re
from functools import lru_cache
from typing import Literal

from medloom.generate.lexicon import lexicon, name_key
from medloom.generate.phrases import is_medical
from medloom.text.wordlist import word_set

Sort = Literal["test", "procedure", "drug", "problem", "denied", "other", "plain"]
"""``denied`` is a problem that a text says is not there, ``other`` a thing of medicine, ``plain`` anything else."""

_TEST = re.compile(
    r"(?:mri|ct|cta|mra|pet|ekg|ecg|eeg|emg|egd|x-?rays?|radiographs?|ultraso\w+|echocardiogra\w+|scans?|tomography|\w+graphy|"
    r"\w{3,}gram|\w{3,}grams|\w+scopy|biops(?:y|ies)|cultures?|urinalysis|panel|tests?|studies|cytology|\w*histochemistry|"
    r"workup|examination|spirometry|aspirat(?:e|ion)|histology|histopathology|serology|doppler|smears?|pathology)"
)
_PROCEDURE = re.compile(
    r"(?:circumcision|arthrodesis|\w+(?:ectom|otom|ostom|plast|desis|pex|rrhaph)(?:y|ies)?|\w+desis|\w{3,}pexy|repair|replacement|resection|excision|"
    r"surgery|graft(?:ing)?|fusion|fixation|transplant(?:ation)?|emboli[sz]ation|drainage|dilat(?:ion|ation)|intubation|"
    r"\w*catheteri[sz]ation|placement|bypass|ablation|transfusions?|\w*dialysis|injections?|d[eé]bridement|closure|dissection|"
    r"amputation|extraction|removal|ligation|exploration|decompression|stenting|delivery|section|curettage|operation|implantation|"
    r"reconstruction|osteosynthesis|enucleation|revision|aspiration|infusion|block|lithotripsy|evacuation|reduction|release)"
)
_THERAPY = re.compile(
    r"(?:\w*therap(?:y|ies)|antibiotics?|steroids?|insulin|analges\w+|diuretics?|vaccin\w+|chemotherapy|prophylaxis|oxygen|"
    r"anticoagul\w+|antihypertensives?|medications?|drugs|supplement\w*|inhalers?|\w+(?:cillin|mycin|oxacin|azole|olol|pril|"
    r"sartan|statin|azepam|prazole|mab|nib|vir|profen|parin|gliptin|formin|solone|sone)|corticosteroids?)"
)
_PROBLEM = re.compile(
    r"(?:(?!diagn|progn|anastom|sympt)\w+(?:itis|osis|oses|oma|omas|omata|emia|aemia|uria|algia|opathy|opathies|megaly|penia|plegia|paresis|rrhea|rrhoea|"
    r"rrhage|stenosis|dynia|phagia|phasia|pnea|pnoea|cardia|edema|oedema|ectasia|trophy|plasia|cele|thyroidism|gonadism|steronism|thorax|sclerosis)|"
    r"fractures?|cancer|syndrome|disease|diseases|infections?|tumou?rs?|lesions?|pain|failure|ulcers?|hernias?|abscess(?:es)?|"
    r"seizures?|infarct(?:ion|ions|s)?|embol(?:ism|us)|thrombus|aneurysms?|injury|injuries|deficiency|dysfunction|disorders?|"
    r"insufficiency|obstruction|hemorrhage|haemorrhage|bleeding|cough|fever|rash|swelling|weakness|nausea|vomiting|diarrh?o?ea|"
    r"constipation|headaches?|dizziness|hypertension|diabetes|asthma|anxiety|depression|mass|masses|cysts?|nodules?|polyps?|"
    r"stones?|calcul(?:us|i)|effusions?|tears?|dislocation|rupture|perforation|metastas[ie]s|malignancy|apnea|stroke|wounds?|"
    r"palsy|neuropathy|incontinence|retention|shock|sepsis|allerg(?:y|ies)|obesity|loss|deformity|impairment|defects?|fistula)"
)
_GENERAL = word_set(
    """
    pain mass masses lesion lesions tumor tumour tumors tumours disease diseases infection infections bleeding
    swelling symptom symptoms surgery treatment therapy biopsy injury wound wounds loss failure removal excision
    procedure drainage fever deformity condition conditions disorder disorders abnormality abnormalities complaints
    complication complications medication medications drugs closure incision dissection injection aspiration
    placement examination tests test studies scan culture cultures pathology skin blood bone tissue hand foot leg
    arm head neck chest abdomen wall side right left defect defects weakness severe hemorrhage repair block
    operation section release reduction revision
    """
)
_NO_PROBLEMS = frozenset({"alcohol", "tobacco", "life", "baby", "hands", "feet", "flush"})
_CLAUSE_END = re.compile(
    r"[.;:!?\n]|\b(?:but|however|although|though|except|which|who|because|and (?:was|is|has|had))\b", re.IGNORECASE
)
_DENIAL = re.compile(
    r"\b(?:no|not|denies|denied|denying|without|negative for|absence of|never|nor|neither|none|rules? out|ruled out|free of|"
    r"don't|didn't|hasn't)\b",
    re.IGNORECASE,
)
_PLURAL = re.compile(r"(?:[^sui]s|[aeo]us{2}es|ies|[^u]es)$")
_NOT_PLURAL = re.compile(
    r"(?:ss|us|is|itis|osis|diabetes|herpes|rabies|measles|mumps|scabies|feces|caries|facies|biceps|pancreas)$"
)


def sort_of(phrase: str) -> Sort:
    """What a key phrase is about, by its last word; ``plain`` where no word of it is known to medicine."""
    return _sort_of(phrase.casefold())


@lru_cache(maxsize=50_000)
def _sort_of(folded: str) -> Sort:
    words = folded.split()
    last = words[-1]
    if _PROCEDURE.fullmatch(last):
        return "procedure"
    if _TEST.fullmatch(last):
        return "test"
    if last in lexicon().drugs or _THERAPY.fullmatch(last):
        return "drug"
    if last in _NO_PROBLEMS:
        return "plain"
    if _PROBLEM.fullmatch(last) or name_key(folded) in lexicon().names or name_key(last) in lexicon().names:
        return "problem"
    return "other" if any(is_medical(word) for word in words) else "plain"


def is_denied(before: str) -> bool:
    """Whether what follows a stretch of text is denied in it: "no fever, chills, or".

    Args:
        before: The passage up to the phrase; its last 200 characters count.
    """
    clause = _CLAUSE_END.split(before[-200:])[-1]
    return _DENIAL.search(clause) is not None


def is_plural(phrase: str) -> bool:
    """Whether a verb after the phrase is to be plural, by the last word's ending."""
    last = phrase.split()[-1].casefold()
    return not _NOT_PLURAL.search(last) and _PLURAL.search(last) is not None


def is_general(phrase: str) -> bool:
    """Whether a phrase says too little to tell one patient from another: "pain", "the lesion"."""
    folded = phrase.casefold()
    return folded in _GENERAL or folded.endswith((" dissection", " incision", " closure", " placement"))
