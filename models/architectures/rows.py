"""Token ids of several texts as the rectangular tensors that networks read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from models.runtimes.bert import padding_bias
from models.runtimes.torch import Placement
from models.tokenizer import Ids


@dataclass(frozen=True)
class Rows:
    """ids: int64 (n, longest), padded on the right; lengths: int64 (n,), tokens of each row."""

    ids: torch.Tensor
    lengths: torch.Tensor
    placement: Placement

    @classmethod
    def of(cls, texts: Sequence[Ids], *, pad_id: int, placement: Placement) -> Rows:
        """One row a text; at least one text, each with at least one token."""
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        ids = np.full((len(texts), int(lengths.max())), pad_id, dtype=np.int64)
        for row, text in zip(ids, texts, strict=True):
            row[: len(text)] = text
        return cls(
            torch.from_numpy(ids).to(placement.device), torch.from_numpy(lengths).to(placement.device), placement
        )

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return self.ids.shape[1]

    @property
    def bias(self) -> torch.Tensor | None:
        """What attention adds so that padding is not read: (n, 1, longest), None without padding."""
        return padding_bias(self.lengths, self.longest, placement=self.placement)

    @property
    def mask(self) -> torch.Tensor:
        """int64 (n, longest): 1 on tokens, 0 on padding."""
        return (torch.arange(self.longest, device=self.ids.device) < self.lengths[:, None]).long()

    def mean(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, longest, hidden) -> float32 (n, hidden): the mean over each row's tokens."""
        weights = self.mask.unsqueeze(-1).float()
        return (hidden.float() * weights).sum(1) / self.lengths[:, None].float()
