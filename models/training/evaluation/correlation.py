"""Correlation of predicted and true scores. Constant series correlate 0, where scipy returns NaN with a warning."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Values = NDArray[np.float64]


def pearson(predicted: Values, true: Values) -> float:
    """Returns the linear correlation of two series (n,), -1 to 1."""
    if not np.ptp(predicted) or not np.ptp(true):
        return 0.0
    return float(np.corrcoef(predicted, true)[0, 1])


def spearman(predicted: Values, true: Values) -> float:
    """Returns the correlation of the ranks of two series (n,). Equal values share the mean of their ranks."""
    return pearson(rankdata(predicted), rankdata(true))
