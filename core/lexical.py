"""Lexical overlap of query and text at a fixed scale: BM25 divided by the highest value that the query can reach."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

TABLE = "background_idf.npz"
STEM_LETTERS = 6
"""Words are compared by their first six letters: a stemmer that works in all languages of the built-in models."""
MAX_WORDS = 250
"""Maximum number of words to compare. A passage has fewer; the limit bounds the time for a long text."""
_K1, _B, _AVERAGE_WORDS = 1.2, 0.75, 80.0
_WORD = re.compile(r"\w+")
_UNSEGMENTED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
"""Scripts that write words without spaces, or long compounds: Kana, Han, Hangul, Thai."""


def stems(text: str, *, limit: int | None = None) -> list[str]:
    """Returns the stems of the words in *text*, at most *limit*, in order: lower case, no accents, first six letters.

    A word of an unsegmented script becomes its overlapping pairs of characters.
    """
    plain = text.lower()
    if not plain.isascii():
        plain = "".join(char for char in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(char))
    result: list[str] = []
    for match in _WORD.finditer(plain):
        word = match.group()
        if not word.isascii() and _UNSEGMENTED.search(word):
            result += [word[i : i + 2] for i in range(max(1, min(len(word), 4 * MAX_WORDS) - 1))]
        else:
            result.append(word[:STEM_LETTERS])
        if limit is not None and len(result) >= limit:
            return result[:limit]
    return result


@dataclass(frozen=True)
class BackgroundIdf:
    """Inverse document frequencies of word stems in general Italian and English text.

    keys: uint32 (n,), CRC-32 of each stem, ascending. values: float32 (n,), natural logarithms. A stem outside the
    table has the value *unknown*, the highest one.
    """

    keys: NDArray[np.uint32]
    values: NDArray[np.float32]
    unknown: float

    def idf(self, stem: str) -> float:
        """Returns the inverse document frequency of *stem*, above 0."""
        key = crc32(stem.encode(errors="surrogatepass"))
        position = int(np.searchsorted(self.keys, np.uint32(key)))
        known = position < len(self.keys) and int(self.keys[position]) == key
        return float(self.values[position]) if known else self.unknown

    def overlap(self, query: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """Returns float64 (n,) in [0, 1]: BM25 of each text, divided by the maximum for *query*.

        BM25 (Robertson, Zaragoza: The Probabilistic Relevance Framework: BM25 and Beyond, 2009) with k1 1.2, b 0.75
        and an average length of 80 words. A value depends on query and text alone, not on the other texts.
        """
        weights = {stem: self.idf(stem) for stem in dict.fromkeys(stems(query, limit=MAX_WORDS))}
        highest = sum(weights.values()) * (_K1 + 1)
        if not highest:
            return np.zeros(len(texts))
        return np.array([_bm25(weights, text) / highest for text in texts], dtype=np.float64)


def _bm25(weights: dict[str, float], text: str) -> float:
    text_stems = stems(text, limit=MAX_WORDS)
    saturation = _K1 * (1 - _B + _B * len(text_stems) / _AVERAGE_WORDS)
    counts = Counter(stem for stem in text_stems if stem in weights)
    return sum(weights[stem] * count * (_K1 + 1) / (count + saturation) for stem, count in counts.items())


@cache
def background_idf() -> BackgroundIdf:
    """Returns the table that ships with rerank (`recipes/background_idf.py` writes it)."""
    with as_file(files("rerank.core") / TABLE) as path, np.load(path) as table:
        return BackgroundIdf(table["keys"], table["values"].astype(np.float32), float(table["unknown"]))
