"""Scale of a reranker's logits, measured on sample texts."""

from __future__ import annotations

import numpy as np

from rerank.core.protocols import Reranker
from rerank.models.runtimes.sample import sample

PAIRS_PER_SIDE = 4
"""Number of questions, and of passages per question: enough for a scale, few enough for a fast start."""


def logit_deviation(reranker: Reranker) -> float:
    """Returns the standard deviation of the logits of sample questions with matching and with unrelated passages.

    Returns 1 for a model that scores all pairs equally. Raises ModelError if the model fails.
    """
    pairs = sample()[:: len(sample()) // PAIRS_PER_SIDE][:PAIRS_PER_SIDE]
    passages = [pair.passage for pair in pairs]
    logits = np.stack([reranker.score(pair.query, passages).logits for pair in pairs]).astype(np.float64)
    deviation = float(logits.std())
    return deviation if deviation > 1e-6 else 1.0
