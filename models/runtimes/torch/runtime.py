"""Torch as a ModelRuntime: every kind of model, on the processor or a GPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rerank.core.settings import Precision
from rerank.models.folder import ModelFolder
from rerank.models.runtime import JointHalves, PairClassifier, TextBody
from rerank.models.runtimes.torch.networks import TorchBody, TorchClassifier, TorchHalves
from rerank.models.runtimes.torch.placement import REFERENCE, Placement, best_placement


@dataclass(frozen=True)
class TorchRuntime:
    """A ModelRuntime; by default where and as this machine runs torch fastest."""

    placement: Placement = field(default_factory=best_placement)
    name: Literal["torch"] = "torch"

    @property
    def precision(self) -> Precision:
        """What the matrix products are computed in."""
        return self.placement.precision

    @property
    def batch_tokens(self) -> int:
        """Padded tokens of a batch that is filled well."""
        return self.placement.batch_tokens

    def classifier(self, folder: ModelFolder) -> PairClassifier:
        """An ordinary cross-encoder's network."""
        return TorchClassifier(folder, placement=self.placement)

    def body(self, folder: ModelFolder) -> TextBody:
        """A bi-encoder's network."""
        return TorchBody(folder, placement=self.placement)

    def halves(self, folder: ModelFolder) -> JointHalves:
        """A joint reranker's network."""
        return TorchHalves(folder, placement=self.placement)


TORCH_REFERENCE = TorchRuntime(REFERENCE)
"""What answers are compared with."""
