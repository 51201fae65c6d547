"""The int8 limit: operations per second of a bare matrix product, and operations per pair."""

from __future__ import annotations

import time

import rerank.models  # noqa: F401 - disables OpenVINO's telemetry, so it comes before openvino

# isort: split
import numpy as np
import openvino as ov
from openvino import opset13 as op

HIDDEN = 384
INTERMEDIATE = 1536
LAYERS = 6
_ROWS = 2048
_REPEATS = 30


def operations(tokens: int) -> float:
    """Returns the multiplications and additions of a pair of *tokens* through MiniLM-L6: weights and attention."""
    weights = 2 * tokens * (4 * HIDDEN * HIDDEN + 2 * HIDDEN * INTERMEDIATE)
    attention = 2 * 2 * tokens * tokens * HIDDEN
    return float(LAYERS * (weights + attention))


def int8_operations_per_second() -> float:
    """Returns the best of several runs of (2048, 384) x (384, 1536) with weights and activations in int8."""
    rng = np.random.default_rng(0)
    rows = op.parameter([_ROWS, HIDDEN], np.float32)
    low, high = np.float32(-1.28), np.float32(1.27)
    rounded = op.fake_quantize(rows, low, high, low, high, 256)
    weights = op.constant(rng.integers(-127, 128, (HIDDEN, INTERMEDIATE)).astype(np.int8))
    scaled = op.multiply(op.convert(weights, np.float32), np.float32(0.01))
    model = ov.Model([op.matmul(rounded, scaled, False, False)], [rows])
    compiled = ov.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
    rows_in = rng.standard_normal((_ROWS, HIDDEN), dtype=np.float32)
    request = compiled.create_infer_request()
    took = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        request.infer({0: rows_in}, share_inputs=True, share_outputs=True)
        took.append(time.perf_counter() - started)
    return 2.0 * _ROWS * HIDDEN * INTERMEDIATE / min(took)
