"""Interfaces of runtimes. A runtime is a library that computes networks on a device, in a precision.

Inputs and outputs are numpy arrays. The architectures (`models/architectures/`) build the input sequences and convert
the outputs to logits; a runtime only computes.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rerank.core.document import Vectors
from rerank.core.setting_types import Precision, Runtime
from rerank.models.architectures.token_rows import TokenRows
from rerank.models.folder import ModelFolder


class PairClassifier(Protocol):
    """A network with a classification head over complete sequences."""

    def labels(self, rows: TokenRows, types: NDArray[np.int32]) -> NDArray[np.float32]:
        """Returns float32 (n, labels) for rows and their token types (n, longest)."""


class TextBody(Protocol):
    """A network without a head. It pools the token vectors as the model folder specifies."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def vectors(self, rows: TokenRows) -> Vectors:
        """Returns float32 (n, dim), rows of unit length."""


class LowerOutput(Protocol):
    """Output of the lower layers for one text: (1, tokens, hidden), in the memory of the runtime."""


class JointLayers(Protocol):
    """The lower and the upper layers of a joint reranker."""

    def lower_output(self, rows: TokenRows) -> LowerOutput:
        """Returns the output of the lower layers for a single row."""

    def logits(self, query: LowerOutput, passages: TokenRows) -> NDArray[np.float32]:
        """Returns float32 (n,) for n passages. The upper layers process passages and *query* together."""


class ModelRuntime(Protocol):
    """A loader of networks. Methods raise ModelInvalid for missing or broken weights and for unsupported models."""

    @property
    def name(self) -> Runtime:
        """`torch` or `openvino`."""

    @property
    def precision(self) -> Precision:
        """Precision of matrix products."""

    @property
    def batch_tokens(self) -> int:
        """Padded tokens of an efficient batch."""

    def classifier(self, folder: ModelFolder) -> PairClassifier:
        """Loads the network of a cross-encoder."""

    def body(self, folder: ModelFolder) -> TextBody:
        """Loads the network of a bi-encoder."""

    def joint_layers(self, folder: ModelFolder) -> JointLayers:
        """Loads the network of a joint reranker."""
