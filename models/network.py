"""Interfaces of model networks: token ids in, logits or vectors out.

A network is built for one device and precision. It runs on the calling thread, one call at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rerank.core.document import Vectors
from rerank.models.tokenizer import Ids


class PreparedQuery(Protocol):
    """A query that is processed once for all passages of a request."""

    @property
    def passage_room(self) -> int:
        """Maximum number of tokens of a passage beside this query."""

    @property
    def overhead(self) -> int:
        """Tokens beside the passage's own: those of the query and the special tokens."""

    def logits(self, passages: Sequence[Ids]) -> NDArray[np.float32]:
        """Returns float32 (len(passages),) for one batch of passages of at most `passage_room` tokens."""


class PairNetwork(Protocol):
    """A network that computes a logit for a query and a passage."""

    @property
    def pair_room(self) -> int:
        """Maximum number of tokens of query and passage together, without special tokens."""

    @property
    def query_room(self) -> int:
        """Maximum number of tokens of a query, for passages of any length."""

    def read(self, query: Ids) -> PreparedQuery:
        """Prepares a query of at most `query_room` tokens. Nothing is computed before the first `logits`."""


@runtime_checkable
class MultiQueryNetwork(Protocol):
    """A PairNetwork that computes pairs of different queries in one batch."""

    def mixed(self, queries: Sequence[PreparedQuery], passages: Sequence[Ids]) -> NDArray[np.float32]:
        """Returns float32 (n,) for one batch of n passages, each with its own query."""


class TextNetwork(Protocol):
    """A network that computes a vector for a text."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def max_text_tokens(self) -> int:
        """Maximum number of tokens of a text."""

    def vectors(self, texts: Sequence[Ids]) -> Vectors:
        """Returns float32 (len(texts), dim), rows of unit length, for one batch of texts.

        Each text has at most `max_text_tokens` tokens.
        """
