"""Which languages texts are in, roughly: by their most frequent small words.

A dozen words a language part the European languages well on passages of a sentence or more, and cost neither a library
nor a model; a text without any of them counts for none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

_WORD = re.compile(r"[^\W\d_]+")
_SMALL_WORDS: Mapping[str, frozenset[str]] = {
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
"""Of one language, that a text must hold: fewer happen by chance."""


def language_of(text: str) -> str | None:
    """The ISO 639-1 code of the language that *text* is most likely in; None where its words do not tell."""
    words = [word.lower() for word in _WORD.findall(text)]
    counts = Counter({code: sum(word in small for word in words) for code, small in _SMALL_WORDS.items()})
    (first, most), (_, next_most) = counts.most_common(2)
    return first if most >= _MIN_WORDS and most > next_most else None


def language_fractions(texts: Iterable[str]) -> dict[str, float]:
    """The share of each language among the texts whose language is known, largest first."""
    counts = Counter(code for text in texts if (code := language_of(text)) is not None)
    total = counts.total()
    return {code: count / total for code, count in counts.most_common()}
