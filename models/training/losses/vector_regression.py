"""Learning another encoder's vectors: a text and its translations are all put where the teacher puts the text.

Reimers, Gurevych: Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation, EMNLP 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rerank.models.training.data.text_batches import TextBatches
from rerank.models.training.data.translations import Translation
from rerank.models.training.losses.trainable import TrainableModule
from rerank.models.training.text_encoder import WORDS, TextEncoder

METRIC = "cosine"
_SCALE = 20.0
_NEIGHBOURS = 0.1
"""How much the places among the batch's other texts weigh beside the distance to the text's own place."""

Targets = NDArray[np.float16]


@dataclass(frozen=True)
class TargetedTexts:
    """Texts, and for each the row of `sources` whose vector it is to have."""

    sources: tuple[str, ...]
    texts: tuple[str, ...]
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, translations: Sequence[Translation]) -> TargetedTexts:
        """Every different source once, then every translation."""
        sources = {text: row for row, text in enumerate(dict.fromkeys(one.source for one in translations))}
        others = [one for one in translations if one.other]
        rows = [*sources.values(), *(sources[one.source] for one in others)]
        return cls(tuple(sources), (*sources, *(one.other for one in others)), np.array(rows))


class RegressionBatches:
    """Texts as tokens, with the vectors that they are to have."""

    def __init__(self, texts: TextBatches, rows: NDArray[np.int64], targets: Targets) -> None:
        self.texts = texts
        self._rows = rows
        self._targets = targets

    def batch(self, places: Sequence[int]) -> dict[str, Tensor]:
        """`ids` and `mask` int64 (n, longest), `targets` float32 (n, dim)."""
        ids, mask = self.texts.batch(places)
        targets = torch.from_numpy(self._targets[self._rows[list(places)]]).float()
        return {"ids": ids, "mask": mask, "targets": targets}


class VectorRegressionModule(TrainableModule):
    """An encoder whose vectors are drawn to given ones."""

    def __init__(self, encoder: TextEncoder, *, words_rate: float) -> None:
        super().__init__()
        self.encoder = encoder
        self._words_rate = words_rate

    def rate(self, name: str) -> float:
        """Pieces of another language's words stand for other things here, and each is met in few batches."""
        return self._words_rate if WORDS in name else 1.0

    def forward(self, **batch: Tensor) -> Tensor:
        """1 - cosine with the own target, and a little divergence from its nearness to the others' targets."""
        vectors, targets = self.encoder(batch["ids"], batch["mask"]), batch["targets"]  # (n, dim)
        distance = (1.0 - (vectors * targets).sum(-1)).mean()
        expected = (targets @ targets.T * _SCALE).log_softmax(-1)
        found = (vectors @ targets.T * _SCALE).log_softmax(-1)
        divergence = (expected.exp() * (expected - found)).sum(-1).mean()
        loss: Tensor = distance + _NEIGHBOURS * divergence
        return loss


class HeldOutTranslations:
    """Texts that are measured on, and the teacher's vectors of their sources (m, dim)."""

    def __init__(self, texts: TextBatches, placed: TargetedTexts, targets: Targets) -> None:
        self._texts = texts
        self._placed = placed
        self._targets = targets.astype(np.float32)

    def scores(self, encoder: TextEncoder) -> dict[str, float]:
        """`cosine`: of translations with the teacher's vectors of their sources; `source_cosine`: of the sources with
        them; `accuracy`: how many translations are nearest to their own source, all as the encoder has them."""
        vectors = encoder.vectors(self._texts)
        count = len(self._placed.sources)
        sources, others, rows = vectors[:count], vectors[count:], self._placed.rows[count:]
        return {
            METRIC: float((others * self._targets[rows]).sum(1).mean()),
            "source_cosine": float((sources * self._targets).sum(1).mean()),
            "accuracy": float(((others @ sources.T).argmax(1) == rows).mean()),
        }
