"""Predictions for pairs of texts by any cross-encoder: a score, or the probability of each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

TextPair = tuple[str, str | None]
"""Two texts, or one text for classifiers of single texts."""


@dataclass(frozen=True, slots=True)
class LabelScore:
    """Label with its probability or logit."""

    label: str
    score: float


@dataclass(frozen=True)
class PairPredictions:
    """Predictions for n pairs, in input order.

    logits: float32 (n, labels). probabilities: float64 (n, labels); several labels sum to 1, a single label has its
    probability or similarity. truncated: bool (n,), True if the model did not process the whole pair.
    """

    labels: tuple[str, ...]
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    truncated: NDArray[np.bool_]

    def ranked(self, i: int, *, raw: bool = False) -> list[LabelScore]:
        """Returns the labels of pair *i*, best first, ties in the model's order; *raw* returns logits as scores."""
        values = (self.logits if raw else self.probabilities)[i].tolist()
        order = np.argsort(-self.probabilities[i], kind="stable").tolist()
        return [LabelScore(self.labels[label], float(values[label])) for label in order]


class PairModel(Protocol):
    """Model that scores or labels pairs of texts."""

    @property
    def name(self) -> str:
        """Name of the model for users."""

    def predict(self, pairs: Sequence[TextPair]) -> PairPredictions:
        """Returns the predictions for *pairs*.

        Raises InvalidRequest for a single text if the model requires pairs, and ModelError if the model fails.
        """


class PairModels(Protocol):
    """Pair models that a request can name."""

    def get(self, name: str | None) -> PairModel:
        """Returns the model called *name*; None and `default` return the default model.

        Raises ModelNotFound for a name that is not configured, and ModelInvalid for a model that cannot be loaded.
        """
