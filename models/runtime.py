"""What computes networks: a library, on a device, in a precision. Numbers go in and come out as numpy arrays.

The architectures (`models/architectures/`) know how texts become sequences and answers become logits; a runtime knows
nothing of that, and multiplies.
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
        """Rows and their token types (n, longest) -> float32 (n, labels)."""


class TextBody(Protocol):
    """A network without a head, its tokens' vectors pooled as the model's layout says."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def vectors(self, rows: TokenRows) -> Vectors:
        """float32 (n, dim), rows of unit length."""


class LowerHalf(Protocol):
    """What the lower layers made of a text: (1, tokens, hidden) wherever the runtime keeps it."""


class JointHalves(Protocol):
    """The two halves of a joint reranker."""

    def lower(self, rows: TokenRows) -> LowerHalf:
        """One row, taken through the layers that read texts apart."""

    def logits(self, query: LowerHalf, passages: TokenRows) -> NDArray[np.float32]:
        """float32 (n,): n passages, taken through all layers beside a query that has been through the lower ones."""


class ModelRuntime(Protocol):
    """Loads networks. Each raises ModelInvalid for weights that are missing, broken, or another kind's."""

    @property
    def name(self) -> Runtime:
        """`torch` or `openvino`."""

    @property
    def precision(self) -> Precision:
        """What the matrix products are computed in."""

    @property
    def batch_tokens(self) -> int:
        """Padded tokens of a batch that is filled well."""

    def classifier(self, folder: ModelFolder) -> PairClassifier:
        """An ordinary cross-encoder's network."""

    def body(self, folder: ModelFolder) -> TextBody:
        """A bi-encoder's network."""

    def halves(self, folder: ModelFolder) -> JointHalves:
        """A joint reranker's network."""
