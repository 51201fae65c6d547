"""Interfaces of runtimes: a library that computes networks on a device, in a precision.

Inputs and outputs are numpy arrays. The architectures (`models/architectures/`) turn texts into sequences and outputs
into logits; a runtime only computes.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rerank.core.document import Vectors
from rerank.core.settings import Precision, Runtime
from rerank.models.architectures.token_rows import TokenRows
from rerank.models.folder import ModelFolder


class PairClassifier(Protocol):
    """A network over whole sequences, with a head."""

    def labels(self, rows: TokenRows, types: NDArray[np.int32]) -> NDArray[np.float32]:
        """Returns float32 (n, labels) for rows and their token types (n, longest)."""


class TextBody(Protocol):
    """A network without a head; the token vectors are pooled by the model's layout."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def vectors(self, rows: TokenRows) -> Vectors:
        """Returns float32 (n, dim), rows of unit length."""


class LowerHalf(Protocol):
    """Output of the lower layers for a text: (1, tokens, hidden) in memory of the runtime."""


class JointHalves(Protocol):
    """The lower and the upper layers of a joint reranker."""

    def lower(self, rows: TokenRows) -> LowerHalf:
        """Returns the output of the lower layers for a single row."""

    def logits(self, query: LowerHalf, passages: TokenRows) -> NDArray[np.float32]:
        """Returns float32 (n,) for n passages: all layers for the passages, the upper ones with *query*."""


class ModelRuntime(Protocol):
    """A loader of networks. Methods raise ModelInvalid for missing or broken weights and for other kinds of models."""

    @property
    def name(self) -> Runtime:
        """`torch` or `openvino`."""

    @property
    def precision(self) -> Precision:
        """Precision of the matrix products."""

    @property
    def batch_tokens(self) -> int:
        """Padded tokens of an efficient batch."""

    def classifier(self, folder: ModelFolder) -> PairClassifier:
        """Loads the network of a cross-encoder."""

    def body(self, folder: ModelFolder) -> TextBody:
        """Loads the network of a bi-encoder."""

    def halves(self, folder: ModelFolder) -> JointHalves:
        """Loads the network of a joint reranker."""
