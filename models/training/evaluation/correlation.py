"""How two series of scores go together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def pearson(said: Values, true: Values) -> float:
    """Linear correlation from -1 to 1 of two series (n,); 0 where one of them does not vary."""
    x, y = said - said.mean(), true - true.mean()
    size = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / size if size > 0 else 0.0


def spearman(said: Values, true: Values) -> float:
    """Correlation of the ranks; equal values share the mean of their ranks."""
    return pearson(_ranks(said), _ranks(true))


def _ranks(values: Values) -> Values:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    ranks: Values = (ends - (count - 1) / 2)[place]
    return ranks
