"""Small deterministic models for tests, based on words."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rerank.core.cosine_scale import REFERENCE, CosineScale
from rerank.core.document import Vectors
from rerank.core.errors import ModelNotFound, ModelTimeout, RequestCancelled
from rerank.core.pairs import PairModel, PairPredictions, TextPair
from rerank.core.protocols import Cancellation, EncoderIdentity, RerankScores
from rerank.core.ranking import RankingModel
from rerank.core.text_embedder import Token

_WORD = re.compile(r"\w+|[^\w\s]")


def words(text: str) -> list[str]:
    """Returns the lower-case words of *text*."""
    return [word.lower() for word in re.findall(r"\w+", text)]


def _spans(text: str) -> NDArray[np.int32]:
    return np.array([match.span() for match in _WORD.finditer(text)], dtype=np.int32).reshape(-1, 2)


class FakeEncoder:
    """Encoder whose vectors are sums of fixed random vectors of the words: texts with common words are close."""

    def __init__(self, *, dim: int = 64, max_tokens: int = 64, name: str = "fake-encoder") -> None:
        self._dim = dim
        self._max_tokens = max_tokens
        self._name = name
        self.encoded: list[str] = []
        """Document texts that were encoded, in order."""

    @property
    def name(self) -> str:
        return self._name

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"{self._name}-{self._dim}".encode()).hexdigest()

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    @property
    def cosine_scale(self) -> CosineScale:
        return REFERENCE

    @property
    def identity(self) -> EncoderIdentity:
        """Identity that an index stores."""
        return EncoderIdentity(self.name, self.fingerprint, self.dim)

    def encode_queries(self, texts: Sequence[str], *, deadline: float | None = None) -> Vectors:
        if deadline is not None and time.monotonic() >= deadline:
            raise ModelTimeout("the encoder did not finish before the deadline")
        return self._encode(texts)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        self.encoded.extend(texts)
        return self._encode(texts)

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        return [_spans(text) for text in texts]

    def tokens(self, texts: Sequence[str], *, special_tokens: bool) -> list[list[Token]]:
        ends = [Token(0, "[end]")] if special_tokens else []
        spans = [enumerate(_spans(text).tolist(), start=1) for text in texts]
        return [
            [*(Token(i, text[start:stop], start, stop) for i, (start, stop) in text_spans), *ends]
            for text, text_spans in zip(texts, spans, strict=True)
        ]

    def _encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self._dim), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in words(text)[: self._max_tokens] or [""]:
                row += _word_vector(word, self._dim)
            row /= np.linalg.norm(row)
        return vectors


@cache
def _word_vector(word: str, dim: int) -> NDArray[np.float32]:
    seed = int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "big")
    return np.random.default_rng(seed).standard_normal(dim, dtype=np.float32)


class FakeReranker:
    """Reranker whose logit is the fraction of the query's words in the text, from -4 (none) to 4 (all).

    before_each: function that is called before each text, for tests of slow or failing models.
    """

    def __init__(
        self,
        *,
        name: str = "fake-reranker",
        max_tokens: int = 256,
        before_each: Callable[[str], None] | None = None,
    ) -> None:
        self._name = name
        self._max_tokens = max_tokens
        self._before_each = before_each
        self.calls: list[tuple[str, tuple[str, ...]]] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self._name.encode()).hexdigest()

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    def max_text_tokens(self, query: str) -> int:
        return max(self._max_tokens - len(words(query)), 1)

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        return [_spans(text) for text in texts]

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        self.calls.append((query, tuple(texts)))
        query_words = set(words(query))
        logits = np.zeros(len(texts), dtype=np.float32)
        scored = np.zeros(len(texts), dtype=np.bool_)
        tokens = np.zeros(len(texts), dtype=np.int32)
        for i, text in enumerate(texts):
            if cancellation is not None and cancellation.cancelled():
                raise RequestCancelled("the client disconnected")
            if deadline is not None and time.monotonic() >= deadline:
                break
            if self._before_each is not None:
                self._before_each(text)
            text_words = words(text)[: self._max_tokens]
            logits[i] = 8 * len(query_words & set(text_words)) / max(len(query_words), 1) - 4
            tokens[i] = min(len(query_words) + len(words(text)), self._max_tokens)
            scored[i] = True
        truncated = np.array([len(words(text)) > self._max_tokens for text in texts], dtype=np.bool_)
        return RerankScores(logits, scored, tokens, truncated & scored, 0, len(words(query)) > self._max_tokens)


class FakeModels:
    """RankingModels over given rerankers; the first one is the default."""

    def __init__(self, *models: RankingModel) -> None:
        self._models = {model.reranker.name: model for model in models}
        self._default = models[0] if models else None

    def get(self, name: str | None) -> RankingModel:
        if name in (None, "default") and self._default is not None:
            return self._default
        if name is not None and name in self._models:
            return self._models[name]
        raise ModelNotFound(f'no reranker "{name}" is configured. Configured: {", ".join(self._models) or "none"}')


class FakePairModel:
    """PairModel with the labels same and other, by the fraction of the first text's words in the second text."""

    def __init__(self, *, name: str = "fake-labels", max_tokens: int = 16) -> None:
        self._name = name
        self._max_tokens = max_tokens

    @property
    def name(self) -> str:
        return self._name

    def predict(self, pairs: Sequence[TextPair]) -> PairPredictions:
        shared = [
            len(set(words(first)) & set(words(second or ""))) / max(len(set(words(first))), 1)
            for first, second in pairs
        ]
        logits = np.array([[4.0 * fraction, 2.0] for fraction in shared], dtype=np.float32).reshape(-1, 2)
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        longest = [max(len(words(first)), len(words(second or ""))) for first, second in pairs]
        truncated = np.array([length > self._max_tokens for length in longest], dtype=np.bool_)
        return PairPredictions(("same", "other"), logits, probabilities.astype(np.float64), truncated)


class FakePairModels:
    """PairModels over given models; the first one is the default."""

    def __init__(self, *models: PairModel) -> None:
        self._models = {model.name: model for model in models}
        self._default = models[0]

    def get(self, name: str | None) -> PairModel:
        if name in (None, "default"):
            return self._default
        if name is not None and name in self._models:
            return self._models[name]
        raise ModelNotFound(f'no model "{name}" is configured. Configured: {", ".join(self._models)}')
