"""What a training run needs of the module that it trains."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class TrainableModule(nn.Module):
    """A module that answers its own loss when it is called with a batch."""

    def rate(self, name: str) -> float:  # noqa: ARG002 - for those that override it
        """How many times faster than the run's learning rate the parameter *name* moves."""
        return 1.0

    def forward(self, **batch: Tensor) -> Tensor:
        """The batch's mean loss, a scalar."""
        raise NotImplementedError


def without_dropout(module: nn.Module) -> Any:
    """*module*, set to train without dropout: for a model that is nearly right from the start."""
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return module.train()
