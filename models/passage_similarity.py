"""Cosines of a query with texts outside an index; the vectors of the texts are cached."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import RequestCancelled
from rerank.core.protocols import Encoder
from rerank.core.stop_condition import NEVER, StopCondition
from rerank.models.output_cache import CacheKeys, OutputCache

SLICE = 32
"""Texts encoded between two checks of the stop condition."""


class PassageSimilarity:
    """Thread-safe TextSimilarity over a bi-encoder.

    The cache, which it shares with scores, stores vectors in float16 by the hash of the text.
    """

    def __init__(self, encoder: Encoder, cache: OutputCache) -> None:
        self._encoder = encoder
        self._cache = cache
        self._keys = CacheKeys("passage vector", encoder.fingerprint)

    def cosines(self, query: str, texts: Sequence[str], *, stop: StopCondition = NEVER) -> NDArray[np.float64] | None:
        """Returns the cosine of *query* with each text on the reference scale, float64 (n,); None after the deadline.

        Vectors that were encoded before the deadline stay in the cache. Raises ModelError if the encoder fails, and
        RequestCancelled if the client has disconnected.
        """
        keys = {text: self._keys.key(text) for text in dict.fromkeys(texts)}
        vectors = {text: self._cache.get(key) for text, key in keys.items()}
        missing = [text for text, vector in vectors.items() if vector is None]
        for start in range(0, len(missing), SLICE):
            if stop.cancellation is not None and stop.cancellation.cancelled():
                raise RequestCancelled("the client disconnected")
            if stop.expired():
                return None
            batch = missing[start : start + SLICE]
            for text, vector in zip(batch, self._encoder.encode_documents(batch), strict=True):
                vectors[text] = vector.astype(np.float16)
                self._cache.put(keys[text], vectors[text], size=vectors[text].nbytes)
        if not texts:
            return np.zeros(0)
        query_vector = self._encoder.encode_queries([query])[0]
        matrix = np.stack([vectors[text] for text in texts]).astype(np.float32)
        return self._encoder.cosine_scale.to_reference((matrix @ query_vector).astype(np.float64))
