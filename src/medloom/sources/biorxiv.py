"""bioRxiv: preprints of biology with title, abstract and subject category, of each the latest version.

For: title - abstract, heading - section of structured abstracts. Fetched by the details interface of api.biorxiv.org a
month at a time, or read from its saved pages. Withdrawn preprints are marked ``retracted``. The licence of each is in its
metadata: about one in five reserves all rights (``no-reuse``), so set ``licences`` before you publish text. Terms: see
:meth:`release <medloom.sources.services.preprints.PreprintSource.release>`.
"""

from datetime import date
from typing import ClassVar, Literal

from medloom.sources.services.preprints import PreprintSource


class BiorxivSource(PreprintSource):
    """Preprints of bioRxiv."""

    type: Literal["biorxiv"] = "biorxiv"
    server: ClassVar[Literal["biorxiv", "medrxiv"]] = "biorxiv"
    title: ClassVar[str] = "bioRxiv"
    opened: ClassVar[date] = date(2013, 11, 1)
