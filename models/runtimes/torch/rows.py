"""Padded batches of token ids in torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rerank.models.architectures.token_rows import TokenRows
from rerank.models.runtimes.torch.bert import padding_bias
from rerank.models.runtimes.torch.placement import Placement


@dataclass(frozen=True)
class TorchRows:
    """Batch of n sequences on a device.

    ids: int64 (n, longest), padded on the right; lengths: int64 (n,), tokens of each row.
    """

    ids: torch.Tensor
    lengths: torch.Tensor
    placement: Placement

    @classmethod
    def of(cls, rows: TokenRows, *, placement: Placement) -> TorchRows:
        """Copies *rows* to the device of *placement*."""
        return cls(on_device(rows.ids, placement), on_device(rows.lengths, placement), placement)

    @property
    def longest(self) -> int:
        """Number of tokens of the longest row."""
        return self.ids.shape[1]

    @property
    def bias(self) -> torch.Tensor | None:
        """Attention bias (n, 1, longest) that masks padding; None without padding."""
        return padding_bias(self.lengths, self.longest, placement=self.placement)

    @property
    def mask(self) -> torch.Tensor:
        """Mask int64 (n, longest): 1 on tokens, 0 on padding."""
        return (torch.arange(self.longest, device=self.ids.device) < self.lengths[:, None]).long()

    def mean(self, hidden: torch.Tensor) -> torch.Tensor:
        """Returns float32 (n, hidden): the mean of (n, longest, hidden) over the tokens of each row."""
        weights = self.mask.unsqueeze(-1).float()
        return (hidden.float() * weights).sum(1) / self.lengths[:, None].float()


def on_device(numbers: NDArray[np.int32], placement: Placement) -> torch.Tensor:
    """Copies *numbers* to the device of *placement* as int64."""
    return torch.from_numpy(numbers.astype(np.int64)).to(placement.device)
