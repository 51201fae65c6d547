"""Interfaces of model networks, which compute logits or vectors from token ids.

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
    def max_passage_tokens(self) -> int:
        """Maximum number of tokens of a passage with this query, without special tokens."""

    @property
    def overhead(self) -> int:
        """Number of tokens in addition to those of the passage: query and special tokens."""

    def logits(self, passages: Sequence[Ids]) -> NDArray[np.float32]:
        """Returns float32 (len(passages),) for one batch of passages of at most `max_passage_tokens` tokens."""


class PairNetwork(Protocol):
    """A network that computes a logit for a query and a passage."""

    @property
    def max_pair_tokens(self) -> int:
        """Maximum number of tokens of query and passage together, without special tokens."""

    @property
    def max_query_tokens(self) -> int:
        """Maximum number of tokens of a query, without special tokens."""

    def prepare(self, query: Ids) -> PreparedQuery:
        """Prepares a query of at most `max_query_tokens` tokens. The network runs at the first `logits` only."""


@runtime_checkable
class MultiQueryNetwork(Protocol):
    """A PairNetwork that computes pairs of different queries in one batch."""

    def pair_logits(self, queries: Sequence[PreparedQuery], passages: Sequence[Ids]) -> NDArray[np.float32]:
        """Returns float32 (n,) for one batch of n passages, each with its own query."""


class TextNetwork(Protocol):
    """A network that computes a vector for a text."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def max_text_tokens(self) -> int:
        """Maximum number of tokens of a text, without special tokens."""

    def vectors(self, texts: Sequence[Ids]) -> Vectors:
        """Returns float32 (len(texts), dim), rows of unit length, for texts of at most `max_text_tokens` tokens."""
