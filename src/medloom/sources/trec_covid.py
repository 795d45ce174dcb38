"""TREC-COVID: titles and abstracts on COVID-19 (CORD-19), the corpus of a retrieval challenge.

For: title - text. Reads the folder of BEIR (``corpus.jsonl``), or the copy on the hub (mteb/trec-covid). Terms: each
article's own, as CORD-19 gives them; BEIR's card says CC BY-SA 4.0. A benchmark of BEIR and MTEB with a test split alone:
every document is marked as test, and a warning says so.
"""

from typing import ClassVar, Literal

from medloom.sources.base import Release
from medloom.sources.beir import BeirSource


class TrecCovidSource(BeirSource):
    """Titles and abstracts of the corpus."""

    type: Literal["trec-covid"] = "trec-covid"
    DATASET: ClassVar[str] = "mteb/trec-covid"
    LICENCE: ClassVar[str] = "each article's own"
    WHOLE: ClassVar[str] = "test"

    def release(self) -> Release:
        """Terms and citation; the version is the hub's, or the user's to state."""
        return Release(
            name="TREC-COVID (CORD-19), a benchmark",
            version=self._stated(),
            licence="each article's own, as CORD-19 gives them; BEIR's card says CC BY-SA 4.0",
            citation=(
                "Voorhees E, Alam T, Bedrick S, et al. TREC-COVID: constructing a pandemic information retrieval test "
                "collection. ACM SIGIR Forum 2021;54(1):1-12."
            ),
            url="https://ir.nist.gov/trec-covid/",
        )
