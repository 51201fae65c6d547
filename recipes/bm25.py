"""BM25 in memory, for measurements and training data without a store."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class BM25Index:
    """BM25 index over lower-cased words, with k1 = 1.2 and b = 0.75."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(_words(text)) for text in texts]
        lengths = np.array([sum(count.values()) for count in counts], dtype=np.float64)
        length_norms = 1.2 * (0.25 + 0.75 * lengths / max(lengths.mean(), 1.0))
        postings: dict[str, list[tuple[int, int]]] = {}
        for row, count in enumerate(counts):
            for word, frequency in count.items():
                postings.setdefault(word, []).append((row, frequency))
        self._size = len(texts)
        self._postings: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        for word, entries in postings.items():
            rows = np.array([row for row, _ in entries], dtype=np.int64)
            frequencies = np.array([frequency for _, frequency in entries], dtype=np.float64)
            idf = math.log(1 + (len(texts) - len(entries) + 0.5) / (len(entries) + 0.5))
            self._postings[word] = rows, idf * frequencies * 2.2 / (frequencies + length_norms[rows])

    def scores(self, query: str) -> NDArray[np.float64]:
        """Returns the scores of all texts, float64 (n,), 0 for texts without a word of the query."""
        scores = np.zeros(self._size)
        for word in set(_words(query)):
            if word in self._postings:
                rows, gains = self._postings[word]
                scores[rows] += gains
        return scores


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
