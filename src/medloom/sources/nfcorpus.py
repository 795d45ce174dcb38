"""NFCorpus: titles and abstracts on nutrition and health, judged for lay queries from NutritionFacts.org.

For: title - text. Reads the folder of BEIR (``corpus.jsonl``, ``qrels/train.tsv``, ``dev.tsv``, ``test.tsv``), or the copy
on the hub (mteb/nfcorpus). Terms: free for academic use, other use to be asked of NutritionFacts.org (the corpus' home
page); BEIR's card says CC BY-SA 4.0. A benchmark of BEIR and MTEB: all of its documents are candidates of the test. Each
is marked with the splits that it is judged for; ``splits: [train]`` leaves out those that are judged for validation or
test.
"""

from typing import ClassVar, Literal

from medloom.sources.base import Release
from medloom.sources.beir import BeirSource


class NfCorpusSource(BeirSource):
    """Titles and abstracts of the corpus."""

    type: Literal["nfcorpus"] = "nfcorpus"
    DATASET: ClassVar[str] = "mteb/nfcorpus"
    LICENCE: ClassVar[str] = "academic use"

    def release(self) -> Release:
        """Terms and citation; the version is the hub's, or the user's to state."""
        return Release(
            name="NFCorpus, a benchmark",
            version=self._stated(),
            licence="free for academic use, other use to be asked of NutritionFacts.org; BEIR's card says CC BY-SA 4.0",
            citation=(
                "Boteva V, Gholipour D, Sokolov A, Riezler S. A full-text learning to rank dataset for medical information "
                "retrieval. Advances in Information Retrieval (ECIR) 2016:716-722."
            ),
            url="https://www.cl.uni-heidelberg.de/statnlpgroup/nfcorpus/",
        )
