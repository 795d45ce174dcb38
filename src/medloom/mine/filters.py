"""False negatives: candidates that are not wrong, and how each is told."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from medloom.mine.candidates import Candidate, Pool
from medloom.mine.config import NegativesConfig
from medloom.mine.relations import Concept, Relations
from medloom.mine.rerank import Guide
from medloom.mine.topk import Floats, Ints
from medloom.records import TrainingRecord
from medloom.text import text_key

_KEYS_KEPT = 65_536
_CONTAINED_WORDS = 5


@dataclass
class Known:
    """What is known of a record before its candidates are looked at.

    Attributes:
        number: Which record.
        reached: Cosine similarity of its query to its first positive.
        concept: Its document.
        prose: Whether the document is prose rather than an entry of a terminology.
        equal: Normal forms of its query and its positives.
        others: Normal forms of the positives that other records have for the same query.
        positives: Vectors of its positives, each float32 of shape (d,).
        taken: Normal forms of the negatives that it has so far.
    """

    number: int
    reached: float
    concept: Concept
    prose: bool
    equal: set[str]
    others: frozenset[str]
    positives: list[Floats]
    taken: set[str] = field(default_factory=set)


class Filters:
    """All filters but the cross-encoder.

    Args:
        records: Records of one source and target, n of them.
        queries: float32, shape (n, d): the queries' vectors.
        own: int64, shape (n,): where in the pool each record's first positive stands.
        pool: Where candidates stand.
        relations: What is known of the documents.
        config: Margins, and which filters are on.
        guide: Vectors of the guide model, if there is one.
    """

    def __init__(
        self,
        records: Sequence[TrainingRecord],
        queries: Floats,
        own: Ints,
        pool: Pool,
        relations: Relations,
        config: NegativesConfig,
        guide: Guide | None,
    ) -> None:
        self._records, self._queries, self._own, self._pool = records, queries, own, pool
        self._relations, self._config, self._guide = relations, config, guide
        self._key = lru_cache(_KEYS_KEPT)(text_key)
        self._places = {text: number for number, text in enumerate(pool.texts)}
        self._answers = self._answers_of_repeated_queries()

    def known(self, number: int, reached: float) -> Known:
        """What is known of a record.

        Args:
            number: Which record.
            reached: Cosine similarity of its query to its first positive.
        """
        record = self._records[number]
        concept = (record.source, record.doc_id)
        query, positives = self._key(record.query), [self._key(text) for text in record.positives]
        places = [int(self._own[number]), *(self._places[t] for t in record.positives[1:] if t in self._places)]
        return Known(
            number=number,
            reached=reached,
            concept=concept,
            prose=not self._relations.is_entry(concept),
            equal={query, *positives},
            others=self._answers.get(query, frozenset()),
            positives=[self._pool.vectors[place] for place in places],
        )

    def written(self, number: int) -> Iterator[Candidate]:
        """The negatives that a record came with, as candidates."""
        for text in self._records[number].negatives:
            place = self._places[text]
            yield Candidate(place, float(self._pool.vectors[place] @ self._queries[number]), "written")

    def passing(self, candidates: Iterable[Candidate], known: Known, counts: dict[str, int]) -> Iterator[Candidate]:
        """The candidates that are no false negatives, lazily and in order.

        Args:
            candidates: Of one record.
            known: What is known of the record.
            counts: Increased by reason, in place, as far as candidates are asked for.
        """
        for candidate in candidates:
            key = self._key(self._pool.texts[candidate.number])
            reason = (
                self._by_source(candidate, key, known)
                or self._by_text(candidate, key, known)
                or self._by_vectors(candidate, known)
                or ("repeated_text" if key in known.taken else None)
            )
            if reason:
                counts[reason] = counts.get(reason, 0) + 1
            else:
                known.taken.add(key)
                yield candidate

    def _by_source(self, candidate: Candidate, key: str, known: Known) -> str | None:
        """Why the candidate is a false negative by what the sources say."""
        if key in known.equal:
            return "equal_text"
        if self._relations.is_name(self._pool.texts[candidate.number], known.concept):
            return "same_concept"
        owners = self._pool.concepts[candidate.number]
        related = next((r for owner in owners if (r := self._relations.related(known.concept, owner))), None)
        if related is None and self._config.same_group:
            return "same_group" if any(self._relations.same_group(known.concept, owner) for owner in owners) else None
        return related

    def _by_text(self, candidate: Candidate, key: str, known: Known) -> str | None:
        """Why it is one by its words."""
        if key in known.others:
            return "answers_query"
        if self._config.contained and known.prose and any(_holds(key, other) for other in known.equal):
            return "contained"
        return None

    def _by_vectors(self, candidate: Candidate, known: Known) -> str | None:
        """Why it is one by the base, or by the guide."""
        config, guide = self._config, self._guide
        if candidate.score > known.reached - config.margin:
            return "over_margin"
        vector = self._pool.vectors[candidate.number]
        if any(float(vector @ positive) >= config.like_positive for positive in known.positives):
            return "like_positive"
        if guide is None:
            return None
        query = guide.queries[known.number]
        reached = float(guide.vectors[self._own[known.number]] @ query)
        return "over_guide_margin" if float(guide.vectors[candidate.number] @ query) > reached - config.margin else None

    def _answers_of_repeated_queries(self) -> dict[str, frozenset[str]]:
        """For each query that several records ask, the normal forms of all their positives."""
        keys = [text_key(record.query) for record in self._records]
        times = Counter(keys)
        answers: dict[str, set[str]] = {}
        for key, record in zip(keys, self._records, strict=True):
            if times[key] > 1:
                answers.setdefault(key, set()).update(map(text_key, record.positives))
        return {key: frozenset(texts) for key, texts in answers.items()}


def _holds(one: str, other: str) -> bool:
    """Whether one normal form holds the other as a run of whole words, five or more."""
    short, long = sorted((one, other), key=len)
    return short.count(" ") + 1 >= _CONTAINED_WORDS and f" {short} " in f" {long} "
