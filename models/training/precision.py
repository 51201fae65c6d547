"""In what precision a model is trained."""

from __future__ import annotations

import torch

from rerank.models.runtimes.torch.placement import best_placement


def supports_bfloat16() -> bool:
    """Whether this machine multiplies in bfloat16 itself; imitated it is slower than float32."""
    return best_placement().dtype == torch.bfloat16


def autocast() -> torch.autocast:
    """bfloat16 where the machine has it; the weights stay in float32."""
    return torch.autocast(best_placement().device.type, dtype=torch.bfloat16, enabled=supports_bfloat16())
