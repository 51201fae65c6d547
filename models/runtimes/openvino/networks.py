"""Networks over compiled graphs. Operations after the graphs run in numpy, in float32."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from rerank.core.document import Vectors
from rerank.core.setting_types import Precision
from rerank.models.architectures.token_rows import TokenRows
from rerank.models.runtime import LowerOutput
from rerank.models.runtimes.openvino.compiled import CompiledGraph, Inputs, pad_columns, run_rows
from rerank.models.runtimes.openvino.converted import ConvertedModel
from rerank.models.runtimes.openvino.graphs import BODY, LOWER, UPPER

Matrix = NDArray[np.float32]


class OpenVinoClassifier:
    """PairClassifier over a compiled graph. The dense layer and the output layer follow its first token."""

    def __init__(self, model: ConvertedModel, *, precision: Precision) -> None:
        self._graph = CompiledGraph(model.graphs[BODY], precision=precision)
        self._head = model.head
        self._positions = model.positions

    def labels(self, rows: TokenRows, types: NDArray[np.int32]) -> Matrix:
        """Returns float32 (n, labels) for rows and their token types (n, longest)."""

        def prepare(part: slice, longest: int) -> Inputs:
            inputs = (
                pad_columns(numbers[part], longest=longest, positions=self._positions) for numbers in (rows.ids, types)
            )
            return *inputs, rows.lengths[part]

        first = np.concatenate([outputs[0] for outputs in run_rows(self._graph, rows, prepare)])
        if not self._head:
            return first  # The graph includes the head.
        return self._linear(np.tanh(self._linear(first, "dense")), "out")

    def _linear(self, x: Matrix, name: str) -> Matrix:
        return cast(Matrix, x @ self._head[f"{name}.weight"].T + self._head[f"{name}.bias"])


class OpenVinoBody:
    """TextBody over a compiled graph."""

    def __init__(self, model: ConvertedModel, *, precision: Precision) -> None:
        self._graph = CompiledGraph(model.graphs[BODY], precision=precision)
        self._positions = model.positions
        self.dim = int(model.graphs[BODY].output(0).partial_shape[1].get_length())

    def vectors(self, rows: TokenRows) -> Vectors:
        """Returns float32 (n, dim), rows of unit length."""

        def prepare(part: slice, longest: int) -> Inputs:
            return pad_columns(rows.ids[part], longest=longest, positions=self._positions), rows.lengths[part]

        return _unit(np.concatenate([outputs[0] for outputs in run_rows(self._graph, rows, prepare)]))


class OpenVinoJointLayers:
    """JointLayers over compiled graphs. A LowerOutput is float32 (1, tokens, hidden) and its length without padding."""

    def __init__(self, model: ConvertedModel, *, precision: Precision) -> None:
        self._lower = CompiledGraph(model.graphs[LOWER], precision=precision)
        self._upper = CompiledGraph(model.graphs[UPPER], precision=precision)
        self._positions = model.positions
        self._scale, self._bias, self._head = (model.head[name] for name in ("scale", "bias", "head.weight"))

    def lower_output(self, rows: TokenRows) -> LowerOutput:
        """Returns the output of the lower layers for a single row."""
        (hidden,) = self._lower_outputs(rows)
        return hidden, rows.lengths

    def logits(self, query: LowerOutput, passages: TokenRows) -> NDArray[np.float32]:
        """Returns float32 (n,) for n passages and the output of the lower layers for a query."""
        query_hidden, query_length = cast(tuple[Matrix, NDArray[np.int32]], query)
        passage_hidden = iter(self._lower_outputs(passages))

        def prepare(part: slice, longest: int) -> Inputs:
            del longest
            return query_hidden, query_length, next(passage_hidden), passages.lengths[part]

        outputs = run_rows(self._upper, passages, prepare)
        query_means, passage_means = (_unit(np.concatenate(means)) for means in zip(*outputs, strict=True))
        similarity = (query_means * passage_means) @ (1.0 + self._head[0])
        return cast(NDArray[np.float32], (self._scale * similarity + self._bias).astype(np.float32))

    def _lower_outputs(self, rows: TokenRows) -> list[Matrix]:
        def prepare(part: slice, longest: int) -> Inputs:
            return pad_columns(rows.ids[part], longest=longest, positions=self._positions), rows.lengths[part]

        return [outputs[0] for outputs in run_rows(self._lower, rows, prepare)]


def _unit(rows: Matrix) -> Matrix:
    """Returns rows of unit length."""
    # A row of zeros stays zero, as in torch.
    return cast(Matrix, rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-12)))
