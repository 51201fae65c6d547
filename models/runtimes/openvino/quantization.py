"""How numbers become 8-bit whole ones so that a product loses least.

A channel with large values would leave the others few steps; so part of its size is moved into the weights, which is
exact but for rounding (SmoothQuant: Xiao et al., ICML 2023). How much is tried out for each product, and so is cutting
off rare large values: what counts is the error of the product on inputs that were seen (as in AWQ: Lin et al., 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rerank.models.runtimes.openvino.tensors import Array

_LARGEST = 127
LEVELS = 256
_STEPS = LEVELS - 1
_SMOOTHINGS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_CUTS = (1.0, 0.85, 0.7)
_TINY = np.float32(1e-6)


@dataclass(frozen=True)
class InputQuantization:
    """An input is divided by `smooth` (inputs,), cut off below `low` and above `high`, and rounded to 256 steps."""

    smooth: Array
    low: float
    high: float

    @classmethod
    def around(cls, smooth: Array, low: float, high: float) -> InputQuantization:
        """From about *low* to *high*, so that zero is one of the steps: most of a row's values are near it."""
        step = max(high - low, float(_TINY)) / _STEPS
        below = min(round(-low / step), _STEPS)
        return cls(smooth, -below * step, (_STEPS - below) * step)

    def rounded(self, x: Array) -> Array:
        """*x* (rows, inputs) as int8 says it, in x's own unit divided by `smooth`."""
        step = np.float32((self.high - self.low) / _STEPS)
        return np.clip(np.round(x / self.smooth / step), round(self.low / step), round(self.high / step)) * step


@dataclass(frozen=True)
class ObservedInput:
    """What an input was seen to be: some rows (rows, inputs), and over all rows each channel's bounds (inputs,)."""

    rows: Array
    lowest: Array
    highest: Array

    @property
    def largest(self) -> Array:
        """The largest absolute value of each channel."""
        return np.maximum(np.maximum(-self.lowest, self.highest), _TINY)


def best_quantization(seen: ObservedInput, weight: Array) -> InputQuantization:
    """The Rounding with the least error of an input times weight (outputs, inputs)."""
    exact = seen.rows @ weight.T
    heaviest = np.maximum(np.abs(weight).max(axis=0), _TINY)  # (inputs,)
    tried: list[tuple[float, InputQuantization]] = []
    for smoothing in _SMOOTHINGS:
        smooth = seen.largest**smoothing / heaviest ** (1 - smoothing)
        steps, scale = whole(weight * smooth)
        low, high = (float(end) for end in ((seen.lowest / smooth).min(), (seen.highest / smooth).max()))
        for cut in _CUTS:
            rounding = InputQuantization.around(smooth, min(low * cut, 0.0), max(high * cut, 0.0))
            error = rounding.rounded(seen.rows) @ (steps * scale).T - exact
            tried.append((float(np.square(error).sum()), rounding))
    return min(tried, key=lambda found: found[0])[1]


def whole(weight: Array) -> tuple[Array, Array]:
    """(outputs, inputs) as whole numbers from -127 to 127, and a scale (outputs, 1) for each output."""
    scale = np.maximum(np.abs(weight).max(axis=1, keepdims=True), _TINY) / _LARGEST
    return np.clip(np.round(weight / scale), -_LARGEST, _LARGEST), scale
