"""Matrix products of a graph with the weights of a model: in floating point, recorded, or in int8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from openvino import opset13 as ops

from rerank.models.runtimes.openvino.quantization import LEVELS, InputQuantization, largest_weight, quantized_weight
from rerank.models.runtimes.openvino.tensors import Array

Node = Any
"""A value in a graph. OpenVINO's nodes have no type that its functions accept."""


class Products(Protocol):
    """Interface of matrix products in a graph."""

    def multiply(self, x: Node, weights: Sequence[Array], *, name: str) -> list[Node]:
        """Returns x (…, inputs) times each of *weights* (outputs, inputs). *name* identifies x."""


class FloatProducts:
    """Products in the precision of the compiled graph."""

    def multiply(self, x: Node, weights: Sequence[Array], *, name: str) -> list[Node]:
        """Returns x (…, inputs) times each of *weights* (outputs, inputs)."""
        del name
        return [ops.matmul(x, constant(weight), transpose_a=False, transpose_b=True) for weight in weights]


class Product(NamedTuple):
    """An input, and its weights (all outputs, inputs)."""

    x: Node
    weight: Array


class RecordingProducts(FloatProducts):
    """Products in floating point. `recorded` has the products by the name of their input."""

    def __init__(self) -> None:
        self.recorded: dict[str, Product] = {}

    def multiply(self, x: Node, weights: Sequence[Array], *, name: str) -> list[Node]:
        """Returns the products of FloatProducts, and records x."""
        self.recorded[name] = Product(x, np.concatenate(weights))
        return super().multiply(x, weights, name=name)


class Int8Products:
    """Products of 8-bit integers: weights with a scale per output, inputs with one scale."""

    def __init__(self, quantizations: Mapping[str, InputQuantization]) -> None:
        self._quantizations = quantizations

    def multiply(self, x: Node, weights: Sequence[Array], *, name: str) -> list[Node]:
        """Returns x (…, inputs) times each of *weights* (outputs, inputs)."""
        quantization = self._quantizations[name]
        quantized = _quantized(x, quantization)
        largest = largest_weight()
        scaled = (quantized_weight(weight * quantization.smooth, largest=largest) for weight in weights)
        return [
            ops.matmul(
                quantized,
                ops.multiply(ops.convert(constant(steps, dtype=np.int8), "f32"), constant(scale)),
                transpose_a=False,
                transpose_b=True,
            )
            for steps, scale in scaled
        ]


def constant(values: object, *, dtype: type[np.generic] = np.float32) -> Node:
    """Returns *values* as a constant of a graph."""
    return ops.constant(np.array(values, dtype=dtype, order="C"))


def _quantized(x: Node, quantization: InputQuantization) -> Node:
    low, high = constant(quantization.low), constant(quantization.high)
    smoothed = ops.multiply(x, constant(1 / quantization.smooth[None, None]))
    return ops.fake_quantize(smoothed, low, high, low, high, LEVELS)
