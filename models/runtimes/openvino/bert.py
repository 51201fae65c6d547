"""Layers of the BERT family as an OpenVINO graph, built from the stored tensors."""

from __future__ import annotations

import numpy as np
from openvino import opset13 as ops

from rerank.models.runtimes.bert_family import BertShape
from rerank.models.runtimes.openvino.matrix_products import Node, Products, constant
from rerank.models.runtimes.openvino.tensors import Array, Tensors

_PADDING_BIAS = -1e4
"""Attention bias of padding. The weight of padding after the softmax is 0, in bfloat16 too."""


class BertGraph:
    """Builder of the layers of one model. `positions`: maximum number of tokens of a text."""

    def __init__(self, tensors: Tensors, shape: BertShape, products: Products) -> None:
        self._tensors = tensors
        self._shape = shape
        self._products = products
        self._position_table = tensors["embeddings.position_embeddings.weight"][shape.first_position :]
        self.positions = len(self._position_table)

    def embeddings(self, ids: Node, types: Node | None = None) -> Node:
        """Returns (n, t, hidden) for ids and types int32 (n, t); None means types of zero."""
        type_table = self._tensors["embeddings.token_type_embeddings.weight"]
        positions = _first_rows(
            self._position_table if types is not None else self._position_table + type_table[0], _length(ids)
        )
        words = _table(self._tensors["embeddings.word_embeddings.weight"])
        x = ops.convert(ops.gather(words, ids, constant(0, dtype=np.int64)), "f32")
        if types is not None:
            x = ops.add(x, ops.gather(constant(type_table), types, constant(0, dtype=np.int64)))
        return self._layer_norm(ops.add(x, positions), "embeddings.LayerNorm")

    def layer(self, x: Node, bias: Node, number: int, *, first_only: bool = False) -> Node:
        """Returns (n, t, hidden), or (n, 1, hidden) with *first_only*. bias: output of `padding_bias`."""
        name = f"encoder.layer.{number}"
        q, k, v = (self._heads(part) for part in self._linear(x, name, "attention.self", ("query", "key", "value")))
        if first_only:
            x, q = _first(x, axis=1), _first(q, axis=2)
        weights = ops.softmax(ops.add(ops.matmul(q, k, transpose_a=False, transpose_b=True), bias), -1)
        heads = ops.transpose(ops.matmul(weights, v, transpose_a=False, transpose_b=False), _int64(0, 2, 1, 3))
        x_attended = ops.reshape(heads, _int64(0, 0, self._shape.hidden), special_zero=True)
        (attended,) = self._linear(x_attended, name, "attention.output", ("dense",))
        x = self._layer_norm(ops.add(attended, x), f"{name}.attention.output.LayerNorm")
        (wide,) = self._linear(x, name, "intermediate", ("dense",))
        (narrow,) = self._linear(ops.gelu(wide, "erf"), name, "output", ("dense",))
        return self._layer_norm(ops.add(narrow, x), f"{name}.output.LayerNorm")

    def _linear(self, x: Node, layer: str, part: str, names: tuple[str, ...]) -> list[Node]:
        part_names = [f"{layer}.{part}.{name}" for name in names]
        # The weights of the query include the scale of the attention scores, which saves a pass over a large tensor.
        scales = [self._scale if name == "query" else 1.0 for name in names]
        weights = [
            self._tensors[f"{part_name}.weight"] * scale for part_name, scale in zip(part_names, scales, strict=True)
        ]
        biases = [
            self._tensors[f"{part_name}.bias"] * scale for part_name, scale in zip(part_names, scales, strict=True)
        ]
        outputs = self._products.multiply(x, weights, name=f"{layer}.{part}")
        return [ops.add(y, constant(bias[None, None])) for y, bias in zip(outputs, biases, strict=True)]

    @property
    def _scale(self) -> np.float32:
        return np.float32((self._shape.hidden // self._shape.heads) ** -0.5)

    def _heads(self, x: Node) -> Node:  # (n, t, hidden) -> (n, heads, t, size)
        heads, size = self._shape.heads, self._shape.hidden // self._shape.heads
        return ops.transpose(ops.reshape(x, _int64(0, 0, heads, size), special_zero=True), _int64(0, 2, 1, 3))

    def _layer_norm(self, x: Node, name: str) -> Node:
        scaled = ops.mvn(x, _int64(-1), True, self._shape.epsilon, "inside_sqrt")
        weight, bias = (self._tensors[f"{name}.{part}"][None, None] for part in ("weight", "bias"))
        return ops.add(ops.multiply(scaled, constant(weight)), constant(bias))


def padding(rows: Node, lengths: Node) -> Node:
    """Returns boolean (n, t): True where a row of *rows*, (n, t) or (n, t, hidden), is padding."""
    positions = ops.range(constant(0, dtype=np.int32), _length(rows), constant(1, dtype=np.int32), "i32")
    return ops.greater_equal(ops.unsqueeze(positions, _int64(0)), ops.unsqueeze(lengths, _int64(1)))


def padding_bias(padded: Node) -> Node:
    """Returns the attention bias (n, 1, 1, t) that masks padding."""
    return ops.unsqueeze(ops.select(padded, constant(_PADDING_BIAS), constant(0.0)), _int64(1, 2))


def mean(x: Node, padded: Node, lengths: Node) -> Node:
    """Returns (n, hidden): the mean of (n, t, hidden) over the tokens of each row."""
    mask = ops.convert(ops.unsqueeze(ops.logical_not(padded), _int64(2)), "f32")
    counts = ops.convert(ops.unsqueeze(lengths, _int64(1)), "f32")
    return ops.divide(ops.reduce_sum(ops.multiply(x, mask), _int64(1)), counts)


def first_token(x: Node) -> Node:
    """Returns (n, hidden): the first token of each row of (n, t, hidden)."""
    return ops.squeeze(_first(x, axis=1), _int64(1))


def last_token(x: Node, lengths: Node) -> Node:
    """Returns (n, hidden): the last token of each row of (n, t, hidden)."""
    positions = ops.subtract(lengths, constant(1, dtype=np.int32))
    return ops.gather(x, positions, constant(1, dtype=np.int64), 1)


def _table(words: Array) -> Node:
    """Returns the table of words, the largest part of a model, in half precision if that is lossless."""
    half = words.astype(np.float16)
    return constant(words, dtype=np.float16 if np.array_equal(half, words) else np.float32)


def _first(x: Node, *, axis: int) -> Node:
    return ops.slice(x, _int64(0), _int64(1), _int64(1), _int64(axis))


def _first_rows(table: Array, count: Node) -> Node:
    return ops.slice(constant(table), _int64(0), ops.unsqueeze(count, _int64(0)), _int64(1), _int64(0))


def _length(rows: Node) -> Node:  # int32 scalar: t of (n, t) or (n, t, hidden)
    return ops.gather(ops.shape_of(rows, "i32"), constant(1, dtype=np.int32), constant(0, dtype=np.int64))


def _int64(*numbers: int) -> Node:
    return constant(numbers, dtype=np.int64)
