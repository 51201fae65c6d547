"""Interface for embeddings of texts outside an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from rerank.core.document import Vectors
from rerank.core.long_texts import LongTextPolicy
from rerank.core.stop_condition import NEVER, StopCondition

TextRole = Literal["query", "document"]
"""What a text is used for. It selects the prompt of the encoder."""


@dataclass(frozen=True)
class Embeddings:
    """Vectors of n texts, float32 (n, dim), rows of unit length, in input order.

    tokens: number of tokens that the encoder processed, without special tokens. truncated: positions of the texts that
    it processed in part.
    """

    vectors: Vectors
    tokens: int
    truncated: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a text: its id, its text, and its range of characters; a special token has no range."""

    id: int
    text: str
    start: int | None = None
    stop: int | None = None

    @property
    def special(self) -> bool:
        """True for a token that the tokenizer adds to a text."""
        return self.start is None


class TextEmbedder(Protocol):
    """Encoder for the texts of requests, with the limits of rerank requests."""

    @property
    def dim(self) -> int:
        """Number of dimensions of a vector."""

    def embed(
        self,
        texts: Sequence[str],
        *,
        role: TextRole = "document",
        policy: LongTextPolicy = LongTextPolicy.CUT_END,
        stop: StopCondition = NEVER,
    ) -> Embeddings:
        """Returns the vectors of *texts*. *policy* applies to texts that exceed the model's length.

        Raises InvalidRequest for a long text under LongTextPolicy.REFUSE, ModelOverloaded if too many requests wait or
        the time budget ends, RequestCancelled if the client disconnects, and ModelError if the model fails.
        """

    def tokenize(self, texts: Sequence[str], *, special_tokens: bool = True) -> list[list[Token]]:
        """Returns the tokens of each text, not truncated."""
