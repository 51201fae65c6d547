"""Measurement of an encoder's cosine scale on sample texts."""

from __future__ import annotations

import numpy as np

from rerank.core.cosine_scale import REFERENCE, CosineScale
from rerank.core.document import Vectors
from rerank.models.runtimes.sample import sample

STEP = 3
"""Every third sample pair is measured: 16 pairs in both languages."""
MIN_GAP = 0.01
"""An encoder with a smaller gap between matching and unrelated texts does not discriminate; its scale is not used."""


def cosine_scale(queries: Vectors, passages: Vectors) -> CosineScale:
    """Returns the scale for n >= 2 queries and their matching passages, vectors float32 (n, dim)."""
    cosines = (queries @ passages.T).astype(np.float64)
    matching = float(np.diag(cosines).mean())
    unrelated = float(cosines[~np.eye(len(cosines), dtype=bool)].mean())
    return CosineScale(unrelated, matching) if matching - unrelated > MIN_GAP else REFERENCE


def scale_texts() -> tuple[list[str], list[str]]:
    """Returns the sample questions and their passages."""
    pairs = sample()[::STEP]
    return [pair.query for pair in pairs], [pair.passage for pair in pairs]
