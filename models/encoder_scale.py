"""Measurement of an encoder's cosine scale on sample texts."""

from __future__ import annotations

import numpy as np

from rerank.core.cosine_scale import REFERENCE, CosineScale
from rerank.core.document import Vectors
from rerank.models.runtimes.sample import sample

STEP = 3
"""Every third sample pair: 16 pairs in both languages."""
LEAST_GAP = 0.01
"""Encoders with a smaller gap between matching and unrelated texts do not discriminate; their scale is not used."""


def cosine_scale(queries: Vectors, passages: Vectors) -> CosineScale:
    """Returns the scale from vectors of matching queries and passages, float32 (n, dim) each, with n >= 2."""
    cosines = (queries @ passages.T).astype(np.float64)
    matching = float(np.diag(cosines).mean())
    unrelated = float(cosines[~np.eye(len(cosines), dtype=bool)].mean())
    return CosineScale(unrelated, matching) if matching - unrelated > LEAST_GAP else REFERENCE


def scale_texts() -> tuple[list[str], list[str]]:
    """Returns the sample questions and their passages."""
    pairs = sample()[::STEP]
    return [pair.query for pair in pairs], [pair.passage for pair in pairs]
