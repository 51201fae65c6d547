"""Rough language detection by frequent function words.

About twenty words per language separate the European languages well on texts of at least one sentence. No library or
model is needed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

_WORD = re.compile(r"[^\W\d_]+")
_FUNCTION_WORDS: Mapping[str, frozenset[str]] = {
    code: frozenset(words.split())
    for code, words in {
        "en": "the of and to is that for with are this was from by as be it not or an which",
        "it": "il di che la è per un una non con del della sono gli nel alla più come dei le",
        "fr": "le les des est une dans pour que qui sur au avec pas du par sont aux ce cette et",
        "es": "el los las del una por con para es se que como más sus este fue son al lo y",
        "de": "der die das und ist nicht ein eine mit von zu den auf für im des dem sich auch wird",
        "pt": "o os as do da uma não para com em que por mais dos das ao são foi se pelo",
        "nl": "het een van en is niet dat voor met op zijn te aan door deze wordt ook bij naar uit",
    }.items()
}
_MIN_WORDS = 3
"""Minimum number of function words in a text: fewer occur by chance."""


def language_of(text: str) -> str | None:
    """Returns the ISO 639-1 code of the most likely language of *text*, or None for an ambiguous text."""
    words = [word.lower() for word in _WORD.findall(text)]
    counts = Counter(
        {code: sum(word in function_words for word in words) for code, function_words in _FUNCTION_WORDS.items()}
    )
    (first, most), (_, next_most) = counts.most_common(2)
    return first if most >= _MIN_WORDS and most > next_most else None


def language_fractions(texts: Iterable[str]) -> dict[str, float]:
    """Returns the fraction of each language among the texts with a known language, largest first."""
    counts = Counter(code for text in texts if (code := language_of(text)) is not None)
    total = counts.total()
    return {code: count / total for code, count in counts.most_common()}
