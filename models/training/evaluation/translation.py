"""Agreement of an encoder's vectors with a teacher's on held-out translations."""

from __future__ import annotations

import numpy as np

from rerank.models.training.data.text_batches import TextBatches
from rerank.models.training.data.translation_batches import AlignedTexts, TargetVectors
from rerank.models.training.text_encoder import TextEncoder

METRIC = "cosine"


class HeldOutTranslations:
    """Held-out texts, and the teacher's vectors of their sources (m, dim)."""

    def __init__(self, texts: TextBatches, aligned: AlignedTexts, targets: TargetVectors) -> None:
        self._texts = texts
        self._aligned = aligned
        self._targets = targets.astype(np.float32)

    def metrics(self, encoder: TextEncoder) -> dict[str, float]:
        """Returns the metrics with the encoder's current weights.

        `cosine`: of translations with the teacher's vectors of their sources. `source_cosine`: of the sources with the
        teacher's vectors. `accuracy`: fraction of the translations whose nearest source is their own.
        """
        vectors = encoder.encode(self._texts)
        count = len(self._aligned.sources)
        sources, others, rows = vectors[:count], vectors[count:], self._aligned.rows[count:]
        return {
            METRIC: float((others * self._targets[rows]).sum(1).mean()),
            "source_cosine": float((sources * self._targets).sum(1).mean()),
            "accuracy": float(((others @ sources.T).argmax(1) == rows).mean()),
        }
