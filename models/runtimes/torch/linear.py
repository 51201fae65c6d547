"""Fast matrix products with fixed weights."""

from __future__ import annotations

from functools import cache

import torch
from torch.nn import functional

from rerank.models.runtimes.torch.placement import Placement


class Linear:
    """Product x W^T + b, plus activation or residual. On a CPU, oneDNN stores W in its own layout and fuses the rest.

    Plain torch needs three passes over memory instead of one, and reorders W at each call. A MiniLM in bfloat16 ran 1.3
    times as fast with fused products, with the same result.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, *, placement: Placement, gelu: bool = False) -> None:
        self._packed = placement.device.type == "cpu" and _has_fused_products(placement.dtype)
        self._gelu = gelu
        self._bias = bias.to(placement.device, placement.dtype)
        weight = weight.to(placement.device, placement.dtype).contiguous()
        self._weight = _pack(weight, placement.batch_tokens) if self._packed else weight

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Returns (…, outputs) for x (…, inputs)."""
        if self._packed:
            activation = "gelu" if self._gelu else "none"
            return _linear_pointwise(x, self._weight, self._bias, activation)
        y = functional.linear(x, self._weight, self._bias)
        return functional.gelu(y) if self._gelu else y

    def plus(self, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Returns the product plus *residual* (…, outputs)."""
        if self._packed:
            y: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(x, residual, self._weight, self._bias, "add")
            return y
        return functional.linear(x, self._weight, self._bias) + residual


def _pack(weight: torch.Tensor, rows: int) -> torch.Tensor:
    packed: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return packed


def _linear_pointwise(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, activation: str) -> torch.Tensor:
    y: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], "none")
    return y


@cache
def _has_fused_products(dtype: torch.dtype) -> bool:
    """Returns True if torch has the fused products of its compiler, and they return the values of plain products."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    x, weight, bias = (torch.linspace(-1, 1, n, dtype=dtype) for n in (64, 256, 16))
    x, weight = x.view(4, 16), weight.view(16, 16)
    try:
        y = _linear_pointwise(x, _pack(weight, 4), bias, "gelu")
    except (AttributeError, RuntimeError):
        return False
    return torch.allclose(y, functional.gelu(functional.linear(x, weight, bias)), rtol=2e-2, atol=2e-2)
