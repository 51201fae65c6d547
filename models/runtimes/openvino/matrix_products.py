"""Matrix products with a model's weights in a graph: in floating point, measured, or in int8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from openvino import opset13 as ops

from rerank.models.runtimes.openvino.quantization import LEVELS, InputQuantization, whole
from rerank.models.runtimes.openvino.tensors import Array

Node = Any
"""A value in a graph: OpenVINO gives its nodes no type that its own functions accept."""


class Products(Protocol):
    """How a graph multiplies."""

    def of(self, x: Node, weights: Sequence[Array], *, name: str) -> list[Node]:
        """x (…, inputs) with each of *weights* (outputs, inputs): one (…, outputs) a weight. *name* is x's own."""


class FloatProducts:
    """Products in the precision that the graph is compiled for."""

    def of(self, x: Node, weights: Sequence[Array], *, name: str) -> list[Node]:
        """x (…, inputs) with each of *weights* (outputs, inputs)."""
        del name
        return [ops.matmul(x, constant(weight), transpose_a=False, transpose_b=True) for weight in weights]


class Product(NamedTuple):
    """An input and the weights that it is multiplied with: (all outputs, inputs)."""

    x: Node
    weight: Array


class RecordingProducts(FloatProducts):
    """Products in floating point; `found` are those whose inputs are to be measured, by the inputs' names."""

    def __init__(self) -> None:
        self.found: dict[str, Product] = {}

    def of(self, x: Node, weights: Sequence[Array], *, name: str) -> list[Node]:
        """As FloatProducts, and x is remembered."""
        self.found[name] = Product(x, np.concatenate(weights))
        return super().of(x, weights, name=name)


class Int8Products:
    """Products of 8-bit whole numbers: weights with a scale for each output, inputs with one scale."""

    def __init__(self, roundings: Mapping[str, InputQuantization]) -> None:
        self._roundings = roundings

    def of(self, x: Node, weights: Sequence[Array], *, name: str) -> list[Node]:
        """x (…, inputs) with each of *weights* (outputs, inputs)."""
        rounding = self._roundings[name]
        rounded = _rounded(x, rounding)
        scaled = (whole(weight * rounding.smooth) for weight in weights)
        return [
            ops.matmul(
                rounded,
                ops.multiply(ops.convert(constant(steps, dtype=np.int8), "f32"), constant(scale)),
                transpose_a=False,
                transpose_b=True,
            )
            for steps, scale in scaled
        ]


def constant(values: object, *, dtype: type[np.generic] = np.float32) -> Node:
    """*values* as a constant of a graph."""
    return ops.constant(np.array(values, dtype=dtype, order="C"))


def _rounded(x: Node, rounding: InputQuantization) -> Node:
    low, high = constant(rounding.low), constant(rounding.high)
    smoothed = ops.multiply(x, constant(1 / rounding.smooth[None, None]))
    return ops.fake_quantize(smoothed, low, high, low, high, LEVELS)
