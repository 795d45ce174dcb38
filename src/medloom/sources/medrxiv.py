"""medRxiv: preprints of the health sciences with title, abstract and subject category, of each the latest version.

For: title - abstract, heading - section of structured abstracts. Fetched by the details interface of api.biorxiv.org a
month at a time, or read from its saved pages. Withdrawn preprints are marked ``retracted``. The licence of each is in its
metadata: many reserve all rights (``no-reuse``) or state none, so set ``licences`` before you publish text. Terms: see
:meth:`release <medloom.sources.services.preprints.PreprintSource.release>`.
"""

from datetime import date
from typing import ClassVar, Literal

from medloom.sources.services.preprints import PreprintSource


class MedrxivSource(PreprintSource):
    """Preprints of medRxiv."""

    type: Literal["medrxiv"] = "medrxiv"
    server: ClassVar[Literal["biorxiv", "medrxiv"]] = "medrxiv"
    title: ClassVar[str] = "medRxiv"
    opened: ClassVar[date] = date(2019, 6, 1)
