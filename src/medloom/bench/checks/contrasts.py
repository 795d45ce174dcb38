"""What each kind of check tells apart: two meanings, and the words that express them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from medloom.bench.checks.lexicon import Lexicon
from medloom.bench.checks.numerals import decade, in_words
from medloom.text import characters_key

_RIVALS = 2
_LATIN = {1: "QD", 2: "BID", 3: "TID", 4: "QID"}
_TIMES = {1: "once a day", 2: "twice a day", 3: "three times a day", 4: "four times a day"}
_HOURS = {1: "every 24 hours", 2: "every 12 hours", 3: "every 8 hours", 4: "every 6 hours"}


@dataclass(frozen=True)
class Meaning:
    """One of two meanings.

    Attributes:
        concept: Disease, drug, part of the body, ... that it is about.
        slots: What frames are filled with.
    """

    concept: str
    slots: dict[str, str]

    @property
    def key(self) -> str:
        """Equal for equal meanings only."""
        return "\t".join([self.concept, *(f"{name}={self.slots[name]}" for name in sorted(self.slots))])


@dataclass(frozen=True)
class Contrast:
    """Two meanings that must not be taken for each other: a text of the one is wrong for the other."""

    first: Meaning
    second: Meaning

    @property
    def key(self) -> str:
        """Equal for equal contrasts only."""
        return f"{self.first.key}\n{self.second.key}"

    @property
    def meanings(self) -> tuple[Meaning, Meaning]:
        """Both, by side."""
        return self.first, self.second


def contrasts(kind: str, words: Lexicon) -> Iterator[Contrast]:
    """Every contrast of a kind, each once; of two that differ in the order of the meanings only, the first.

    Raises:
        KeyError: No such kind.
    """
    seen: set[frozenset[str]] = set()
    for contrast in _KINDS[kind](words):
        key = frozenset(meaning.key for meaning in contrast.meanings)
        if key not in seen:
            seen.add(key)
            yield contrast


def rivals(names: Mapping[str, str], n: int = _RIVALS) -> Iterator[tuple[str, str]]:
    """Each entry with the n others that look most like it: by the trigrams (Jaccard) of name and counterpart together."""
    keys = {name: characters_key(f"{name} {other}", 3) for name, other in names.items()}

    def likeness(one: str, other: str) -> float:
        return len(keys[one] & keys[other]) / len(keys[one] | keys[other])

    for name in names:
        others = sorted((other for other in names if other != name), key=lambda o: (-likeness(name, o), o))
        yield from ((name, other) for other in others[:n])


def _framed(concept: str, **slots: str) -> Contrast:
    meaning = Meaning(concept, slots)
    return Contrast(meaning, meaning)


def _each(concepts: Iterable[str]) -> Iterator[Contrast]:
    return (_framed(concept, it=concept) for concept in concepts)


def _sided(words: Lexicon) -> Iterator[Contrast]:
    return (_framed(site, site=site, finding=f) for site, findings in words.sided.items() for f in findings)


def _family(words: Lexicon) -> Iterator[Contrast]:
    return (_framed(disease, it=disease, relative=r) for disease in words.heritable for r in words.relatives)


def _dose(words: Lexicon) -> Iterator[Contrast]:
    for drug, doses in words.strengths.items():
        yield Contrast(*(Meaning(drug, {"drug": drug, "digits": f"{d:,}", "words": _milligrams(d)}) for d in doses))


def _milligrams(dose: int) -> str:
    return f"{in_words(dose)} milligram{'' if dose == 1 else 's'}"


def _unit(words: Lexicon) -> Iterator[Contrast]:
    for amount in words.amounts:
        meant = _amount(amount, amount, "mg", "mcg")
        yield Contrast(meant, _amount(amount, amount, "g", "mg"))
        yield Contrast(meant, _amount(amount, 10 * amount, "mg", "mcg"))


def _amount(concept: int, small: int, large_unit: str, small_unit: str) -> Meaning:
    return Meaning(str(concept), {"large": f"{small / 1000:g} {large_unit}", "small": f"{small:,} {small_unit}"})


def _frequency(words: Lexicon) -> Iterator[Contrast]:
    for drug, daily in words.frequencies.items():
        yield Contrast(
            *(Meaning(drug, {"drug": drug, "latin": _LATIN[n], "words": _TIMES[n], "hours": _HOURS[n]}) for n in daily)
        )


def _abbreviation(words: Lexicon) -> Iterator[Contrast]:
    for lead, names in words.abbreviations.items():
        for pair in rivals(names):
            yield Contrast(*(Meaning(a, {"lead": lead, "abbreviation": a, "expansion": names[a]}) for a in pair))


def _brand(words: Lexicon) -> Iterator[Contrast]:
    generics = {brand: generic for drugs in words.drugs.values() for brand, generic in drugs.items()}
    for pair in rivals(generics):
        yield Contrast(*(Meaning(generics[b], {"brand": b, "generic": generics[b]}) for b in pair))


def _lay(words: Lexicon) -> Iterator[Contrast]:
    for pair in rivals(words.lay):
        yield Contrast(*(Meaning(t, {"technical": t, "lay": words.lay[t]}) for t in pair))


def _age(words: Lexicon) -> Iterator[Contrast]:
    pairs: list[tuple[str, list[dict[str, str]]]] = []
    for ages in words.ages:
        spans = [(age, "year", f"in the {decade(age)}") for age in ages]
        pairs.append(("/".join(map(str, ages)), [_age_slots(*span) for span in spans]))
    for young in words.young_ages:
        both = zip(young.units, young.stages, strict=True)
        pairs.append((f"{young.number} {'/'.join(young.units)}", [_age_slots(young.number, u, stage) for u, stage in both]))
    for concept, ages_slots in pairs:
        for complaint in words.complaints:
            yield Contrast(*(Meaning(concept, {"it": complaint, **slots}) for slots in ages_slots))


def _age_slots(number: int, unit: str, stage: str) -> dict[str, str]:
    return {"digits": f"{number}-{unit}-old", "words": f"{in_words(number)}-{unit}-old", "stage": stage}


def _eponym(words: Lexicon) -> Iterator[Contrast]:
    return (_framed(disease, eponym=disease, name=name, plain=plain) for disease, name, plain in words.eponyms)


def _site(words: Lexicon) -> Iterator[Contrast]:
    for sites in words.sites.values():
        for pair in rivals(sites):
            for lesion in words.lesions:
                yield Contrast(*(Meaning(n, {"noun": n, "adjective": sites[n], "finding": lesion}) for n in pair))


def _medication(words: Lexicon) -> Iterator[Contrast]:
    return _each(generic for drugs in words.drugs.values() for generic in drugs.values())


def _lab(words: Lexicon) -> Iterator[Contrast]:
    for measure, terms in words.measures.items():
        yield Contrast(*(Meaning(measure, {"measure": measure, "term": term}) for term in terms))


def _switch(words: Lexicon) -> Iterator[Contrast]:
    for group, drugs in words.drugs.items():
        for old, new in combinations(drugs.values(), 2):
            yield Contrast(Meaning(group, {"old": old, "new": new}), Meaning(group, {"old": new, "new": old}))


_KINDS: dict[str, Callable[[Lexicon], Iterator[Contrast]]] = {
    "negation": lambda words: _each(words.findings),
    "uncertainty": lambda words: _each(words.findings),
    "hypothetical": lambda words: _each(words.symptoms),
    "laterality": _sided,
    "dose": _dose,
    "unit": _unit,
    "frequency": _frequency,
    "family": _family,
    "past": lambda words: _each(words.passing),
    "abbreviation": _abbreviation,
    "brand": _brand,
    "lay": _lay,
    "age": _age,
    "sex": lambda words: _each(words.findings),
    "eponym": _eponym,
    "severity": lambda words: _each(words.graded),
    "acuity": lambda words: _each(words.acute_or_chronic),
    "site": _site,
    "medication": _medication,
    "lab": _lab,
    "allergy": lambda words: _each(words.allergens),
    "course": lambda words: _each(words.changing),
    "switch": _switch,
}
