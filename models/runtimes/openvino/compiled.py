"""Graphs compiled for this CPU. They use all cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from rerank.core.setting_types import Precision
from rerank.models.architectures.token_rows import TokenRows
from rerank.models.processors import processors

Inputs = Sequence[NDArray[Any]]
Outputs = list[NDArray[np.float32]]

_STEP = 8
"""Step of row lengths. OpenVINO prepares its kernels for each new combination of lengths, about 10 ms for a MiniLM.
Steps of eight give few combinations, for 3% more tokens at 128."""
_MIN_TOKENS = 256
"""Minimum number of tokens for which another core saves time."""
_HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "bf16"}
"""Precision of operations other than int8 products: bfloat16 on CPUs that support it, else float32."""


class CompiledGraph:
    """A compiled graph. It runs on the calling thread, one call at a time, and splits rows among the cores.

    One stream with one thread per core took .7 to 1.0 of the time of one stream with all threads on two cores, because
    no core waits for another inside a layer.
    """

    def __init__(self, graph: openvino.Model, *, precision: Precision) -> None:
        self.streams = processors()
        options: Mapping[str, Any] = {
            # By default OpenVINO computes in bfloat16 on CPUs that support it.
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": self.streams,
            "NUM_STREAMS": self.streams,
            # Pinning would put several processes of a service on the same cores.
            "ENABLE_CPU_PINNING": False,
        }
        compiled = openvino.Core().compile_model(graph, "CPU", options)
        self._requests = [compiled.create_infer_request() for _ in range(self.streams)]

    def run(self, parts: Sequence[Inputs]) -> list[Outputs]:
        """Returns the outputs for each of at most `streams` sets of inputs, computed in parallel."""
        requests = self._requests[: len(parts)]
        for request, inputs in zip(requests, parts, strict=True):
            request.start_async(dict(enumerate(inputs)), share_inputs=True)
        for request in requests:
            request.wait()
        return [[output.data.copy() for output in request.output_tensors] for request in requests]


def split_rows(rows: TokenRows, *, streams: int) -> list[slice]:
    """Returns at most *streams* slices of neighbouring rows with similar numbers of tokens."""
    tokens = np.cumsum(rows.lengths, dtype=np.int64)
    parts = int(max(1, min(streams, len(rows.lengths), tokens[-1] // _MIN_TOKENS)))
    limits = tokens[-1] * np.arange(1, parts) / parts
    ends = [0, *np.searchsorted(tokens, limits, side="left") + 1, len(rows.lengths)]
    bounds = np.minimum(np.maximum.accumulate(ends), len(rows.lengths)).tolist()
    return [slice(start, stop) for start, stop in pairwise(bounds) if stop > start]


def pad_columns(numbers: NDArray[np.int32], *, longest: int, positions: int) -> NDArray[np.int32]:
    """Returns the first *longest* columns, padded with zeros to a multiple of eight, or to *positions*."""
    width = min(-(-longest // _STEP) * _STEP, positions)
    padded = np.zeros((len(numbers), width), dtype=np.int32)
    padded[:, :longest] = numbers[:, :longest]
    return padded


Prepare = Callable[[slice, int], Inputs]
"""Function that returns the inputs of a graph for a slice of rows and the length of its longest row."""


def run_rows(graph: CompiledGraph, rows: TokenRows, prepare: Prepare) -> list[Outputs]:
    """Runs *graph* over all *rows*; returns the outputs of each part in order."""
    parts = split_rows(rows, streams=graph.streams)
    return graph.run([prepare(part, int(rows.lengths[part].max())) for part in parts])
