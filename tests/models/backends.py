"""OpenVINO in each precision, with the tolerance of its scores for one text in different batches."""

from __future__ import annotations

from rerank.models.compute_options import DEFAULT_CACHE
from rerank.models.runtime import ModelRuntime
from rerank.models.runtimes.openvino.runtime import openvino_runtime

OPENVINO_FLOAT32 = openvino_runtime("float32", DEFAULT_CACHE)
OPENVINO_RUNTIMES: list[tuple[ModelRuntime, float]] = [
    (OPENVINO_FLOAT32, 1e-5),
    (openvino_runtime("bfloat16", DEFAULT_CACHE), 1e-2),
    (openvino_runtime("int8", DEFAULT_CACHE), 1e-2),
]
