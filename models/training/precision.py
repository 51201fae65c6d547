"""Numeric precision of training and evaluation."""

from __future__ import annotations

import torch

from rerank.models.runtimes.torch.placement import best_placement


def supports_bfloat16() -> bool:
    """Returns True if this machine has bfloat16 arithmetic in hardware. Emulated, it is slower than float32."""
    return best_placement().dtype == torch.bfloat16


def autocast() -> torch.autocast:
    """Returns a context that computes in bfloat16 if the hardware supports it. Weights stay in float32."""
    return torch.autocast(best_placement().device.type, dtype=torch.bfloat16, enabled=supports_bfloat16())
