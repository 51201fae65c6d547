"""Quantization to 8-bit integers with the least error of a product.

A channel with large values would leave few steps to the other channels. So part of its scale moves into the weights,
which is exact except for rounding (SmoothQuant: Xiao et al., ICML 2023). Each product is tried with several amounts of
smoothing and with several limits that clip rare large values. The choice minimises the error of the product on recorded
inputs (as in AWQ: Lin et al., 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rerank.models.processors import has_int8_dot_product
from rerank.models.runtimes.openvino.tensors import Array

LARGEST = 127
"""Largest weight in 8 bits."""
LARGEST_IN_7_BITS = 64
"""Largest weight for processors without an 8-bit dot product. They add two products in 16 bits, which overflow above
2 x 255 x 64 = 32,640."""
LEVELS = 256
_STEPS = LEVELS - 1
_SMOOTHINGS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_CLIPS = (1.0, 0.85, 0.7)
_TINY = np.float32(1e-6)


@dataclass(frozen=True)
class InputQuantization:
    """Division by `smooth` (inputs,), clipping to `low` and `high`, and rounding to 256 steps."""

    smooth: Array
    low: float
    high: float

    @classmethod
    def around(cls, smooth: Array, low: float, high: float) -> InputQuantization:
        """Returns a range near *low* to *high* in which zero is exact, because most values are near zero."""
        step = max(high - low, float(_TINY)) / _STEPS
        steps_below_zero = min(round(-low / step), _STEPS)
        return cls(smooth, -steps_below_zero * step, (_STEPS - steps_below_zero) * step)

    def quantized(self, x: Array) -> Array:
        """Returns x / `smooth` (rows, inputs) after quantization."""
        step = np.float32((self.high - self.low) / _STEPS)
        return np.clip(np.round(x / self.smooth / step), round(self.low / step), round(self.high / step)) * step


@dataclass(frozen=True)
class ObservedInput:
    """Recorded values of an input: a sample of rows (rows, inputs), and the bounds (inputs,) of each channel."""

    rows: Array
    lowest: Array
    highest: Array

    @property
    def largest(self) -> Array:
        """Largest absolute value of each channel."""
        return np.maximum(np.maximum(-self.lowest, self.highest), _TINY)


def largest_weight() -> int:
    """Returns the largest quantized weight that this processor multiplies without overflow."""
    return LARGEST if has_int8_dot_product() else LARGEST_IN_7_BITS


def best_quantization(observed: ObservedInput, weight: Array, *, largest: int = LARGEST) -> InputQuantization:
    """Returns the quantization with the least error of the observed input times weight (outputs, inputs).

    *largest*: see quantized_weight.
    """
    exact = observed.rows @ weight.T
    largest_weights = np.maximum(np.abs(weight).max(axis=0), _TINY)  # (inputs,)
    tried: list[tuple[float, InputQuantization]] = []
    for smoothing in _SMOOTHINGS:
        smooth = observed.largest**smoothing / largest_weights ** (1 - smoothing)
        steps, scale = quantized_weight(weight * smooth, largest=largest)
        low, high = (float(end) for end in ((observed.lowest / smooth).min(), (observed.highest / smooth).max()))
        for clip in _CLIPS:
            quantization = InputQuantization.around(smooth, min(low * clip, 0.0), max(high * clip, 0.0))
            error = quantization.quantized(observed.rows) @ (steps * scale).T - exact
            tried.append((float(np.square(error).sum()), quantization))
    return min(tried, key=lambda trial: trial[0])[1]


def quantized_weight(weight: Array, *, largest: int = LARGEST) -> tuple[Array, Array]:
    """Returns (outputs, inputs) as integers from -*largest* to *largest*, and a scale (outputs, 1) per output."""
    scale = np.maximum(np.abs(weight).max(axis=1, keepdims=True), _TINY) / largest
    return np.clip(np.round(weight / scale), -largest, largest), scale
