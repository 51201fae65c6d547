"""OpenVINO in each precision, with how far its scores may be from one another for the same text."""

from __future__ import annotations

from rerank.models.computing import DEFAULT_CACHE
from rerank.models.runtime import ModelRuntime
from rerank.models.runtimes.openvino.runtime import opened

OPENVINO_FLOAT32 = opened("float32", DEFAULT_CACHE)
OPENVINO_WAYS: list[tuple[ModelRuntime, float]] = [
    (OPENVINO_FLOAT32, 1e-5),
    (opened("bfloat16", DEFAULT_CACHE), 1e-2),
    (opened("int8", DEFAULT_CACHE), 1e-2),
]
