"""Texts with target vectors as batches of token ids, for learning another encoder's vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rerank.models.training.data.text_batches import TextBatches
from rerank.models.training.data.translations import Translation

TargetVectors = NDArray[np.float16]


@dataclass(frozen=True)
class AlignedTexts:
    """Texts, and for each the row in `sources` of the text whose vector is its target."""

    sources: tuple[str, ...]
    texts: tuple[str, ...]
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, translations: Sequence[Translation]) -> AlignedTexts:
        """Returns every different source text once, followed by every translation."""
        sources = {
            text: row for row, text in enumerate(dict.fromkeys(translation.source for translation in translations))
        }
        others = [translation for translation in translations if translation.other]
        rows = [*sources.values(), *(sources[translation.source] for translation in others)]
        return cls(tuple(sources), (*sources, *(translation.other for translation in others)), np.array(rows))


class RegressionBatches:
    """Tokenized texts with their target vectors."""

    def __init__(self, texts: TextBatches, rows: NDArray[np.int64], targets: TargetVectors) -> None:
        self.texts = texts
        self._rows = rows
        self._targets = targets

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Returns `ids` and `mask`, int64 (n, longest text), and `targets`, float32 (n, dim)."""
        ids, mask = self.texts.batch(indices)
        targets = torch.from_numpy(self._targets[self._rows[list(indices)]]).float()
        return {"ids": ids, "mask": mask, "targets": targets}
