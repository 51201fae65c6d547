"""BM25 in memory, for what is measured or prepared without a store."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class WordIndex:
    """BM25 over lower-cased words (k1 1.2, b .75)."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(_words(text)) for text in texts]
        lengths = np.array([sum(count.values()) for count in counts], dtype=np.float64)
        weights = 1.2 * (0.25 + 0.75 * lengths / max(lengths.mean(), 1.0))
        postings: dict[str, list[tuple[int, int]]] = {}
        for place, count in enumerate(counts):
            for word, times in count.items():
                postings.setdefault(word, []).append((place, times))
        self._count = len(texts)
        self._postings: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        for word, found in postings.items():
            places = np.array([place for place, _ in found], dtype=np.int64)
            times_ = np.array([times for _, times in found], dtype=np.float64)
            rarity = math.log(1 + (len(texts) - len(found) + 0.5) / (len(found) + 0.5))
            self._postings[word] = places, rarity * times_ * 2.2 / (times_ + weights[places])

    def scores(self, query: str) -> NDArray[np.float64]:
        """float64 (n,), 0 where no word is shared."""
        scores = np.zeros(self._count)
        for word in set(_words(query)):
            if word in self._postings:
                places, gains = self._postings[word]
                scores[places] += gains
        return scores


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
