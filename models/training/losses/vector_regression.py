"""Regression to a teacher's vectors: a text and its translations learn the teacher's vector of the source text.

Reimers, Gurevych: Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation, EMNLP 2020.
"""

from __future__ import annotations

from torch import Tensor

from rerank.models.training.losses.trainable import TrainableModule
from rerank.models.training.text_encoder import WORD_EMBEDDINGS, TextEncoder

_SCALE = 20.0
_NEIGHBOUR_WEIGHT = 0.1
"""Weight of the similarities to the batch's other targets, relative to the distance from the own target."""


class VectorRegressionModule(TrainableModule):
    """Encoder whose vectors are regressed to target vectors."""

    def __init__(self, encoder: TextEncoder, *, words_rate: float) -> None:
        super().__init__()
        self.encoder = encoder
        self._words_rate = words_rate

    def rate(self, name: str) -> float:
        """Returns a higher relative learning rate for word embeddings.

        Tokens of a new language have other meanings in the base model, and each occurs in few batches.
        """
        return self._words_rate if WORD_EMBEDDINGS in name else 1.0

    def forward(self, **batch: Tensor) -> Tensor:
        """Returns 1 - cosine with the own target, plus a weighted divergence of the similarities to all targets."""
        vectors, targets = self.encoder(batch["ids"], batch["mask"]), batch["targets"]  # (n, dim)
        distance = (1.0 - (vectors * targets).sum(-1)).mean()
        expected = (targets @ targets.T * _SCALE).log_softmax(-1)
        actual = (vectors @ targets.T * _SCALE).log_softmax(-1)
        divergence = (expected.exp() * (expected - actual)).sum(-1).mean()
        loss: Tensor = distance + _NEIGHBOUR_WEIGHT * divergence
        return loss
