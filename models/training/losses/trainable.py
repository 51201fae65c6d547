"""Base class of the modules that a run trains."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class TrainableModule(nn.Module):
    """Module that returns its own loss for a batch."""

    def rate(self, name: str) -> float:  # noqa: ARG002 - subclasses use it
        """Returns the learning rate of the parameter *name* as a multiple of the run's learning rate."""
        return 1.0

    def forward(self, **batch: Tensor) -> Tensor:
        """Returns the batch's mean loss, a scalar."""
        raise NotImplementedError


def without_dropout(module: nn.Module) -> Any:
    """Returns *module* in training mode with dropout disabled, for models that need little change."""
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return module.train()
