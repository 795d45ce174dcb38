"""Ages over 89, which Safe Harbor lets stand only as one group: 90 and over."""

import re

OLD = "90+"
_NUMBER = re.compile(r"(?<![\d.])(\d{1,3})(?:\.\d+)?(?!\d)(?:['’]?s\b)?")
_WORDS = re.compile(
    r"\bninety(?:[\s-]?(?:one|two|three|four|five|six|seven|eight|nine))?\b"
    r"|\b(?:one|a)\s+hundred(?:(?:\s+and)?[\s-](?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve))?\b",
    re.IGNORECASE,
)
_LAST_TOLD = 89


def grouped(text: str) -> str:
    """The text with every age over 89 as ``90+``, and the rest as it is; ``90+`` alone if it says no number at all."""
    changed = _WORDS.sub(OLD, _NUMBER.sub(lambda m: OLD if int(m[1]) > _LAST_TOLD else m[0], text))
    return changed if any(c.isdigit() for c in changed) else OLD
