"""Which language a text is in, where that can be told.

Told by py3langid (Lui and Baldwin's langid.py, trained anew for 139 languages), which comes with its model: nothing is
fetched. Figures, doses and single letters are left out before it is asked. Names alone cannot be told ("Fever", a list of
drugs or of bacteria): medical terms are Latin and Greek in every language. Such texts get :data:`UNKNOWN`.
"""

import re
from collections.abc import Collection, Iterable
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from medloom.errors import RecipeError
from medloom.records import Document

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

UNKNOWN = "und"
"""ISO 639's code for a language that was not determined."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_WIDE = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Letters of scripts that put no blanks between words, and Hangul."""
_FEWEST_WORDS, _FIRST_LOOK, _MOST_WORDS = 6, 16, 40
_FEWEST_WIDE = 6
_LOOKED_AT = 2_000
_SURE, _CERTAIN = 0.7, 0.95
_MISTAKEN = frozenset({"la", "pcm"})
"""What terms (Latin) and telegraphic English (Nigerian Pidgin) are taken for, and hardly ever are."""


def language_of(text: str) -> tuple[str, float]:
    """The language of a text and how sure that is.

    Looks at the first 16 words, and at 40 where these do not make it certain (0.95). A guess is sure from 0.7 on. Under
    that, with fewer than 6 words (or characters, in scripts without blanks), and for Latin and Nigerian Pidgin, which lists
    of terms and telegraphic English are taken for, it is :data:`UNKNOWN`.

    Returns:
        Code as in ISO 639 (``en``, ``de``, ``zh``), and the guess's probability between 0 and 1; 0 where there was too
        little to guess from.
    """
    start = text[:_LOOKED_AT]
    words = [word[0] for word in islice(_WORD.finditer(start), _MOST_WORDS)]
    if len(words) < _FEWEST_WORDS and len(_WIDE.findall(start)) < _FEWEST_WIDE:
        return UNKNOWN, 0.0
    language, probability = _identifier().classify(" ".join(words[:_FIRST_LOOK]))
    if probability < _CERTAIN and len(words) > _FIRST_LOOK:
        language, probability = _identifier().classify(" ".join(words))
    return (language if probability >= _SURE and language not in _MISTAKEN else UNKNOWN), float(probability)


def is_in(document: Document, languages: Collection[str]) -> bool:
    """Whether a document is in one of some languages, or in one that cannot be told.

    Args:
        document: Asked by its text, its sections, or its title: the first of these that tells.
        languages: Codes as in ISO 639.
    """
    for text in (document.text, " ".join(section.text for section in document.sections[:3]), document.title):
        language, _ = language_of(text) if text else (UNKNOWN, 0.0)
        if language != UNKNOWN:
            return language in languages
    return True


def check_languages(languages: Iterable[str]) -> None:
    """See that every language can be told.

    Raises:
        RecipeError: One cannot, so that no document would be found to be in it.
    """
    known = set(_identifier().labels) - _MISTAKEN
    for language in languages:
        if language not in known:
            raise RecipeError(f"language {language!r} cannot be told; give codes of ISO 639: {', '.join(sorted(known))}")


@cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
