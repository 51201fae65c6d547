"""ModelRuntime over torch: all models, on a CPU or a GPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rerank.core.setting_types import Precision
from rerank.models.folder import ModelFolder
from rerank.models.runtime import JointLayers, PairClassifier, TextBody
from rerank.models.runtimes.torch.networks import TorchBody, TorchClassifier, TorchJointLayers
from rerank.models.runtimes.torch.placement import REFERENCE, Placement, best_placement


@dataclass(frozen=True)
class TorchRuntime:
    """ModelRuntime over torch. The default is the fastest placement on this machine."""

    placement: Placement = field(default_factory=best_placement)
    name: Literal["torch"] = "torch"

    @property
    def precision(self) -> Precision:
        """Precision of matrix products."""
        return self.placement.precision

    @property
    def batch_tokens(self) -> int:
        """Padded tokens of an efficient batch."""
        return self.placement.batch_tokens

    def classifier(self, folder: ModelFolder) -> PairClassifier:
        """Loads the network of a cross-encoder."""
        return TorchClassifier(folder, placement=self.placement)

    def body(self, folder: ModelFolder) -> TextBody:
        """Loads the network of a bi-encoder."""
        return TorchBody(folder, placement=self.placement)

    def joint_layers(self, folder: ModelFolder) -> JointLayers:
        """Loads the network of a joint reranker."""
        return TorchJointLayers(folder, placement=self.placement)


TORCH_REFERENCE = TorchRuntime(REFERENCE)
"""Runtime that is the reference for accuracy."""
