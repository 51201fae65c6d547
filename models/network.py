"""What a model's network offers to those who call it with tokens: no text, no queue, no deadline.

A network is built for one place and precision, and runs on the thread that calls it, one call at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rerank.core.document import Vectors
from rerank.models.tokenizer import Ids


class PreparedQuery(Protocol):
    """A query that was read once, for all passages of a request."""

    @property
    def passage_room(self) -> int:
        """Tokens of a passage that are read beside this query."""

    @property
    def overhead(self) -> int:
        """Tokens read beside a passage's own: the query's and the special ones."""

    def logits(self, passages: Sequence[Ids]) -> NDArray[np.float32]:
        """float32 (len(passages),) for passages of at most `passage_room` tokens: one batch, in one go."""


class PairNetwork(Protocol):
    """Reads query and passage together."""

    @property
    def pair_room(self) -> int:
        """Tokens of query and passage together, special tokens excluded."""

    @property
    def query_room(self) -> int:
        """Tokens of a query that are read at most, however short the passages."""

    def read(self, query: Ids) -> PreparedQuery:
        """Begin with a query of at most `query_room` tokens. Nothing is computed before the first `logits`."""


@runtime_checkable
class MultiQueryNetwork(Protocol):
    """A PairNetwork that reads pairs of different queries in one batch."""

    def mixed(self, queries: Sequence[PreparedQuery], passages: Sequence[Ids]) -> NDArray[np.float32]:
        """float32 (n,) for n passages, each beside its own one of n readings of this network: one batch."""


class TextNetwork(Protocol):
    """Turns a text into a vector."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def text_room(self) -> int:
        """Tokens of a text that are read."""

    def vectors(self, texts: Sequence[Ids]) -> Vectors:
        """float32 (len(texts), dim), rows of unit length, for texts of at most `text_room` tokens: one batch."""
