"""Rules for quantization to int8."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rerank.models.runtimes.openvino.quantization import (
    LEVELS,
    InputQuantization,
    ObservedInput,
    best_quantization,
    quantized_weight,
)


def observed(rows: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> ObservedInput:
    """Returns *rows* as an observed input with their bounds."""
    return ObservedInput(rows, rows.min(axis=0), rows.max(axis=0))


@given(st.floats(-100, 0), st.floats(0, 100))
def test_zero_is_exact_in_every_range(low: float, high: float) -> None:
    """A range contains zero as one of its 256 levels, because most values are near zero."""
    quantization = InputQuantization.around(np.ones(3, dtype=np.float32), low, high)
    assert quantization.quantized(np.zeros((1, 3), dtype=np.float32)).tolist() == [[0, 0, 0]]
    step = (quantization.high - quantization.low) / (LEVELS - 1)
    assert quantization.low <= 0 <= quantization.high
    assert abs(quantization.low / step - round(quantization.low / step)) < 1e-6


def test_quantized_weights_differ_by_at_most_half_a_step() -> None:
    """Each output has its own scale."""
    weight = np.random.default_rng(1).normal(size=(5, 16)).astype(np.float32) * np.array([[1], [10], [0.1], [3], [0]])
    steps, scale = quantized_weight(weight.astype(np.float32))
    assert np.abs(steps).max() <= 127
    assert (np.abs(steps * scale - weight) <= scale / 2 + 1e-7).all()


def test_channel_of_large_values_keeps_the_product_accurate() -> None:
    """With one channel a hundred times as large, the error of the product is below 1.5% of its deviation."""
    random = np.random.default_rng(2)
    rows = random.normal(size=(64, 32)).astype(np.float32)
    rows[:, 5] *= 100
    weight = random.normal(size=(16, 32)).astype(np.float32)
    weight[:, 5] /= 100
    quantization = best_quantization(observed(rows), weight)
    steps, scale = quantized_weight(weight * quantization.smooth)
    exact = rows @ weight.T
    error = quantization.quantized(rows) @ (steps * scale).T - exact
    assert np.sqrt(np.square(error).mean()) < 0.015 * exact.std()


def test_positive_values_use_all_levels() -> None:
    """A symmetric range would waste half of the levels on outputs of a GELU, which are rarely negative."""
    rows = np.abs(np.random.default_rng(3).normal(size=(64, 8))).astype(np.float32)
    quantization = best_quantization(observed(rows), np.eye(8, dtype=np.float32))
    assert quantization.low == 0
