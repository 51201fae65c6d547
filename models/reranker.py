"""Cross-encoder reranker: computes one logit per text, within a deadline."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import ModelError, ModelOutputInvalid
from rerank.core.protocols import Cancellation, RerankScores
from rerank.models.architectures.pair_network import pair_network
from rerank.models.compute_options import AUTO_COMPUTE
from rerank.models.deadline_slices import deadline_slices
from rerank.models.folder import ModelFolder
from rerank.models.network import PairNetwork, PreparedQuery
from rerank.models.output_cache import CacheKeys
from rerank.models.pair_batches import PairBatches
from rerank.models.passage_cut import cut
from rerank.models.runtime import ModelRuntime
from rerank.models.runtimes.choice import runtime_for
from rerank.models.scheduler_job import Job, RequestLimits
from rerank.models.shared_resources import SharedResources
from rerank.models.tokenizer import Ids, TextTokenizer, TokenizedTexts
from rerank.models.unique_texts import unique_texts

_QUOTED_CHARACTERS = 80
_INITIAL_TOKENS_PER_CHARACTER = 0.3
"""With an English vocabulary, English has about .25 tokens per character and Italian .4."""


class CrossEncoderReranker:
    """Thread-safe Reranker over a network and its tokenizer.

    *shared*: the scheduler and the cache of scores. By default the reranker has its own scheduler and no cache.
    *passage_tokens*: limit of tokens per passage, of which the part that matches the query is kept; 0 for the limit of
    the model.
    """

    def __init__(
        self,
        folder: ModelFolder,
        network: PairNetwork,
        tokenizer: TextTokenizer,
        *,
        batch_tokens: int,
        shared: SharedResources | None = None,
        passage_tokens: int = 0,
    ) -> None:
        self.name = folder.name
        self.fingerprint = folder.fingerprint
        self.max_tokens = folder.max_tokens
        self._prompts = folder.prompts
        self._network = network
        self._tokenizer = tokenizer
        self._batches = PairBatches(network, batch_tokens=batch_tokens)
        self._shared = shared or SharedResources()
        self._passage_tokens = passage_tokens
        self._tokens_per_character = _INITIAL_TOKENS_PER_CHARACTER

    @classmethod
    def from_folder(
        cls,
        folder: ModelFolder,
        *,
        runtime: ModelRuntime | None = None,
        shared: SharedResources | None = None,
        passage_tokens: int = 0,
    ) -> Self:
        """Loads the folder's network into *runtime*, by default the fastest one on this machine.

        Raises ModelInvalid for a folder without a network that ranks.
        """
        runtime = runtime or runtime_for(folder, AUTO_COMPUTE)
        tokenizer = TextTokenizer.from_folder(folder)
        network = pair_network(folder, tokenizer, runtime=runtime)
        return cls(
            folder,
            network,
            tokenizer,
            batch_tokens=runtime.batch_tokens,
            shared=shared,
            passage_tokens=passage_tokens,
        )

    def with_query_prompt(self, prompt: str) -> Self:
        """Returns this reranker with *prompt* before queries instead of the model's own. Both share the network."""
        prompted = copy.copy(self)
        prompted._prompts = {**self._prompts, "query": prompt}
        return prompted

    def max_text_tokens(self, query: str) -> int:
        """Returns the maximum number of tokens of a text with *query*, without special tokens."""
        query_tokens = self._query_tokens(query).ids[0]
        prompt = self._tokenizer.texts([self._prompts["document"]], limit=self._network.max_pair_tokens)
        return max(self._network.max_pair_tokens - len(query_tokens) - len(prompt.ids[0]), 1)

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Returns for each text the character span of each token: int32 (tokens, 2), without special tokens."""
        return self._tokenizer.spans(texts)

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        """Scores each text; the first texts first if *deadline* (time.monotonic() seconds) excludes some.

        A started batch is finished. Duplicate texts and texts in the cache are not scored again; `cached` counts both.
        Raises ModelError if the model fails, ModelOutputInvalid for a value that is not finite, ModelOverloaded if too
        many requests wait, and RequestCancelled after *cancellation*.
        """
        unique, inverse = unique_texts(texts)
        tokens = self._query_tokens(query)
        keys = CacheKeys(self.fingerprint, str(self._passage_tokens), self._prompts["query"], query)
        scoring = _Scoring(unique, keys)
        cached = self._take_from_cache(scoring)
        if cached < len(unique):
            limits = RequestLimits(deadline, cancellation)
            prepared = self._network.prepare(tokens.ids[0])
            with self._shared.scheduler.waiting_slot(model=f"the reranker {self.name}", cancellation=cancellation):
                self._score_remaining(scoring, _TokenizedQuery(tokens.ids[0], prepared), limits)
        scored = scoring.scored[inverse]
        return RerankScores(
            logits=scoring.logits[inverse],
            scored=scored,
            tokens=scoring.tokens[inverse],
            truncated=scoring.truncated[inverse],
            cached=int(scored.sum() - scoring.scored.sum()) + cached,
            query_truncated=bool(tokens.truncated[0]),
            waited_ms=scoring.waited_ms,
        )

    def _query_tokens(self, query: str) -> TokenizedTexts:
        return self._tokenizer.texts([self._prompts["query"] + query], limit=self._network.max_query_tokens)

    def _take_from_cache(self, scoring: _Scoring) -> int:
        """Copies cached scores into *scoring*; returns their number."""
        for i, key in enumerate(scoring.keys):
            cached: _Score | None = self._shared.cache.get(key)
            if cached is not None:
                scoring.put(i, cached)
        return int(scoring.scored.sum())

    def _score_remaining(self, scoring: _Scoring, query: _TokenizedQuery, limits: RequestLimits) -> None:
        """Scores the texts without a score, slice by slice."""
        prepared = query.prepared
        remaining = np.flatnonzero(~scoring.scored)
        characters = np.array([len(scoring.texts[i]) for i in remaining.tolist()], dtype=np.float64)
        limit = min(prepared.max_passage_tokens, self._passage_tokens or prepared.max_passage_tokens)
        expected = np.minimum(characters * self._tokens_per_character, limit) + prepared.overhead
        slices = deadline_slices(expected, deadline=limits.deadline, affordable=lambda: self._affordable(limits))
        for start, stop in slices:
            self._score_slice(scoring, query, remaining[start:stop], limits)

    def _score_slice(
        self, scoring: _Scoring, query: _TokenizedQuery, positions: NDArray[np.intp], limits: RequestLimits
    ) -> None:
        prepared = query.prepared
        prompted = [self._prompts["document"] + scoring.texts[i] for i in positions.tolist()]
        passages = self._tokenizer.texts(prompted, limit=prepared.max_passage_tokens)
        self._tokens_per_character = _tokens_per_character(passages.ids, prompted)
        ids, truncated = self._cut(passages, query)
        lengths = np.array([len(text) + prepared.overhead for text in ids], dtype=np.int32)
        job = Job(self._batches, ids, lengths, query=prepared, limits=limits)
        try:
            self._shared.scheduler.run(job)
        except (RuntimeError, MemoryError) as exc:
            raise ModelError(f"the reranker {self.name} failed: {exc}") from exc
        scoring.waited_ms += job.waited_ms
        for j in np.flatnonzero(job.has_output).tolist():
            i, logit = int(positions[j]), float(job.outputs[j])
            if not np.isfinite(logit):
                quoted = scoring.texts[i][:_QUOTED_CHARACTERS]
                raise ModelOutputInvalid(f"the reranker {self.name} returned {logit} for the text {quoted!r}")
            score = _Score(logit, int(lengths[j]), bool(truncated[j]))
            scoring.put(i, score)
            self._shared.cache.put(scoring.keys[i], score, size=_SCORE_BYTES)

    def _cut(self, passages: TokenizedTexts, query: _TokenizedQuery) -> tuple[Sequence[Ids], NDArray[np.bool_]]:
        """Returns the parts of the passages to score, and a mask (n,) of the passages that were cut."""
        if not self._passage_tokens:
            return passages.ids, passages.truncated
        ids = [cut(text, query.ids, tokens=self._passage_tokens) for text in passages.ids]
        shorter = np.array(
            [len(part) < len(text) for part, text in zip(ids, passages.ids, strict=True)], dtype=np.bool_
        )
        return ids, passages.truncated | shorter

    def _affordable(self, limits: RequestLimits) -> float | None:
        """Returns the number of tokens that a request can compute before its deadline while others wait."""
        rate = self._batches.throughput.tokens_per_second
        if rate is None or limits.deadline is None:
            return None
        return rate * max(limits.deadline - time.monotonic(), 0.0) / (1 + self._shared.scheduler.waiting)


class _TokenizedQuery(NamedTuple):
    """Token ids of a query, and the query as prepared by the network."""

    ids: Ids
    prepared: PreparedQuery


class _Score(NamedTuple):
    """Output of the model for one text."""

    logit: float
    tokens: int
    truncated: bool


_SCORE_BYTES = 120
"""Size of a _Score with its float (measured)."""


class _Scoring:
    """Scores of unique texts in input order; some may be missing."""

    def __init__(self, texts: Sequence[str], keys: CacheKeys) -> None:
        n = len(texts)
        self.texts = texts
        self.keys = [keys.key(text) for text in texts]
        self.logits: NDArray[np.float32] = np.zeros(n, dtype=np.float32)
        self.scored: NDArray[np.bool_] = np.zeros(n, dtype=np.bool_)
        self.tokens: NDArray[np.int32] = np.zeros(n, dtype=np.int32)
        self.truncated: NDArray[np.bool_] = np.zeros(n, dtype=np.bool_)
        self.waited_ms = 0.0

    def put(self, i: int, score: _Score) -> None:
        """Stores the score of text *i*."""
        self.logits[i], self.tokens[i], self.truncated[i] = score
        self.scored[i] = True


def _tokens_per_character(ids: Sequence[Ids], texts: Sequence[str]) -> float:
    """Returns the mean number of tokens per character of tokenized texts."""
    characters = sum(len(text) for text in texts)
    return sum(len(text) for text in ids) / characters if characters else _INITIAL_TOKENS_PER_CHARACTER
