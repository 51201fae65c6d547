"""Embeddings of the texts of requests, through the queue of rerank requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rerank.core.chunking import SPECIAL_TOKENS
from rerank.core.errors import InvalidRequest, ModelOverloaded, ModelUnavailable, RequestCancelled
from rerank.core.long_texts import LongTextPolicy
from rerank.core.protocols import Encoder
from rerank.core.stop_condition import NEVER, StopCondition
from rerank.core.text_embedder import Embeddings, TextRole, Token
from rerank.models.scheduler import Scheduler

SLICE = 64
"""Texts encoded between two checks of the stop condition."""


@runtime_checkable
class TokenizingEncoder(Encoder, Protocol):
    """Encoder that lists its tokens."""

    def tokens(self, texts: Sequence[str], *, special_tokens: bool) -> list[list[Token]]:
        """Returns the tokens of each text, not truncated."""


class ScheduledEmbedder:
    """Thread-safe TextEmbedder over a bi-encoder. A request holds a waiting slot of *scheduler*."""

    def __init__(self, encoder: Encoder, scheduler: Scheduler) -> None:
        self._encoder = encoder
        self._scheduler = scheduler

    @property
    def dim(self) -> int:
        """Number of dimensions of a vector."""
        return self._encoder.dim

    def embed(
        self,
        texts: Sequence[str],
        *,
        role: TextRole = "document",
        policy: LongTextPolicy = LongTextPolicy.CUT_END,
        stop: StopCondition = NEVER,
    ) -> Embeddings:
        """Returns the vectors of *texts*; see TextEmbedder.embed."""
        limit = self._encoder.max_tokens - SPECIAL_TOKENS
        spans = self._encoder.token_spans(texts)
        truncated = tuple(i for i, tokens in enumerate(spans) if len(tokens) > limit)
        if truncated and policy is LongTextPolicy.REFUSE:
            first = truncated[0]
            raise InvalidRequest(
                f"text {first} must have at most {limit:,} tokens, got {len(spans[first]):,}. "
                "Shorten the text or allow truncation"
            )
        cut = list(texts)
        if policy is LongTextPolicy.CUT_START:
            for i in truncated:
                cut[i] = texts[i][int(spans[i][-limit][0]) :]
        with self._scheduler.waiting_slot(model=f"the encoder {self._encoder.name}", cancellation=stop.cancellation):
            vectors = [self._encoded(cut[start : start + SLICE], role, stop) for start in range(0, len(cut), SLICE)]
        tokens = sum(min(len(span), limit) for span in spans)
        return Embeddings(np.concatenate(vectors), tokens, truncated)

    def tokenize(self, texts: Sequence[str], *, special_tokens: bool = True) -> list[list[Token]]:
        """Returns the tokens of each text, not truncated. Raises ModelUnavailable if the encoder does not list them."""
        if not isinstance(self._encoder, TokenizingEncoder):
            raise ModelUnavailable(f"the encoder {self._encoder.name} does not list its tokens")
        return self._encoder.tokens(texts, special_tokens=special_tokens)

    def _encoded(self, texts: Sequence[str], role: TextRole, stop: StopCondition) -> NDArray[np.float32]:
        if stop.cancellation is not None and stop.cancellation.cancelled():
            raise RequestCancelled("the client disconnected")
        if stop.expired():
            raise ModelOverloaded("the time budget ended before all texts were encoded. Send fewer texts, or retry")
        return self._encoder.encode_queries(texts) if role == "query" else self._encoder.encode_documents(texts)
