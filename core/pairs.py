"""What a cross-encoder of any kind says of pairs of texts: a score, or the probability of each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

TextPair = tuple[str, str | None]
"""Two texts, or one alone: some classifiers read single texts."""


@dataclass(frozen=True, slots=True)
class LabelScore:
    """A label, and its probability or raw answer."""

    label: str
    score: float


@dataclass(frozen=True)
class PairPredictions:
    """The answers to n pairs, in input order.

    logits: float32 (n, labels). probabilities: float64 (n, labels); of several labels they add up to 1, of one alone it
    is how sure or how alike. truncated: bool (n,), a part was not read.
    """

    labels: tuple[str, ...]
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    truncated: NDArray[np.bool_]

    def ranked(self, i: int, *, raw: bool = False) -> list[LabelScore]:
        """The labels of pair *i*, best first, equal ones in the model's order; *raw*: with logits."""
        values = (self.logits if raw else self.probabilities)[i].tolist()
        order = np.argsort(-self.probabilities[i], kind="stable").tolist()
        return [LabelScore(self.labels[place], float(values[place])) for place in order]


class PairModel(Protocol):
    """Reads pairs."""

    @property
    def name(self) -> str:
        """What a user calls it."""

    def predict(self, pairs: Sequence[TextPair]) -> PairPredictions:
        """Raises InvalidRequest for a single text where the model reads pairs only, and ModelError when it fails."""


class PairModels(Protocol):
    """The models that requests may name."""

    def get(self, name: str | None) -> PairModel:
        """The model of that name, None or `default`: the default one.

        Raises ModelNotFound for a name that is not configured, ModelInvalid for one that cannot be loaded.
        """
