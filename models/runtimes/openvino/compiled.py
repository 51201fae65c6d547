"""A graph compiled for this processor, run on all of its cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from rerank.core.settings import Precision
from rerank.models.architectures.token_rows import TokenRows
from rerank.models.processors import processors

Inputs = Sequence[NDArray[Any]]
Outputs = list[NDArray[np.float32]]

# Each row of lengths that was not seen before makes OpenVINO prepare its kernels anew, about 10 ms for a MiniLM: with
# lengths in steps of eight it has soon seen all, for 3% more tokens at 128.
_STEP = 8
_FEWEST_TOKENS = 256
"""A part of a batch with fewer is not worth another core."""
_HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "bf16"}
"""What is not a product of int8 runs in bfloat16 where the processor has it, and in float32 where it has not."""


class CompiledGraph:
    """Runs a graph on the thread that calls it, one call at a time. `rows` are shared out among the cores.

    One stream of one thread a core: against one stream of all threads it took .7 to 1.0 of the time on two cores, for
    no core waits for another inside a layer.
    """

    def __init__(self, graph: openvino.Model, *, precision: Precision) -> None:
        self.streams = processors()
        options: Mapping[str, Any] = {
            # OpenVINO computes in bfloat16 by itself where the processor has it.
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": self.streams,
            "NUM_STREAMS": self.streams,
            # Several processes of one service would be pinned to the same cores.
            "ENABLE_CPU_PINNING": False,
        }
        compiled = openvino.Core().compile_model(graph, "CPU", options)
        self._requests = [compiled.create_infer_request() for _ in range(self.streams)]

    def run(self, parts: Sequence[Inputs]) -> list[Outputs]:
        """The outputs for each of at most `streams` sets of inputs, computed at the same time."""
        requests = self._requests[: len(parts)]
        for request, inputs in zip(requests, parts, strict=True):
            request.start_async(dict(enumerate(inputs)), share_inputs=True)
        for request in requests:
            request.wait()
        return [[output.data.copy() for output in request.output_tensors] for request in requests]


def split_rows(rows: TokenRows, *, streams: int) -> list[slice]:
    """Neighbouring rows, at most *streams* parts of like many tokens, none much below what is worth a core."""
    tokens = np.cumsum(rows.lengths, dtype=np.int64)
    parts = int(max(1, min(streams, len(rows.lengths), tokens[-1] // _FEWEST_TOKENS)))
    shares = tokens[-1] * np.arange(1, parts) / parts
    ends = [0, *np.searchsorted(tokens, shares, side="left") + 1, len(rows.lengths)]
    bounds = np.minimum(np.maximum.accumulate(ends), len(rows.lengths)).tolist()
    return [slice(start, stop) for start, stop in pairwise(bounds) if stop > start]


def padded(numbers: NDArray[np.int32], *, longest: int, positions: int) -> NDArray[np.int32]:
    """The first *longest* columns, filled with zeros up to a multiple of eight, or to *positions*."""
    width = min(-(-longest // _STEP) * _STEP, positions)
    found = np.zeros((len(numbers), width), dtype=np.int32)
    found[:, :longest] = numbers[:, :longest]
    return found


Prepare = Callable[[slice, int], Inputs]
"""From a stretch of rows and its longest row to a graph's inputs."""


def run_rows(graph: CompiledGraph, rows: TokenRows, prepare: Prepare) -> list[Outputs]:
    """Run *graph* over all *rows*, in parts: each part's outputs, in order."""
    parts = split_rows(rows, streams=graph.streams)
    return graph.run([prepare(part, int(rows.lengths[part].max())) for part in parts])
