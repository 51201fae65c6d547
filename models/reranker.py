"""Cross-encoder reranker: one logit per text, within a deadline."""

from __future__ import annotations

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
_TOKENS_A_CHARACTER = 0.3
"""Initial estimate: English has about .25 with an English vocabulary, Italian with that vocabulary .4."""


class CrossEncoderReranker:
    """Thread-safe Reranker over a network and its tokenizer.

    *shared*: the scheduler and the cache of scores; by default an own scheduler without a cache. *passage_tokens*:
    limit of tokens per passage, of which the part that matches the query is kept; 0 for the limit of the model.
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
        self._tokens_per_character = _TOKENS_A_CHARACTER

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

        Raises ModelInvalid if the folder has no network that ranks.
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

    def max_text_tokens(self, query: str) -> int:
        """Returns the tokens of a text that fit beside *query*, without special tokens."""
        read = self._tokenizer.texts([self._prompts["query"] + query], limit=self._network.query_room)
        prompt = self._tokenizer.texts([self._prompts["document"]], limit=self._network.pair_room)
        return max(self._network.pair_room - len(read.ids[0]) - len(prompt.ids[0]), 1)

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
        """Scores each text, in order if *deadline* (time.monotonic() seconds) does not allow all.

        A started batch is finished. Duplicate texts and texts in the cache are not scored again; `cached` counts both.
        Raises ModelError if the model fails, ModelOutputInvalid for a value that is not finite, ModelOverloaded if too
        many requests wait, and RequestCancelled after *cancellation*.
        """
        unique, inverse = unique_texts(texts)
        read = self._tokenizer.texts([self._prompts["query"] + query], limit=self._network.query_room)
        reading = self._network.read(read.ids[0])
        scoring = _Scoring(unique, CacheKeys(self.fingerprint, str(self._passage_tokens), query))
        found = self._take_from_cache(scoring)
        if found < len(unique):
            limits = RequestLimits(deadline, cancellation)
            with self._shared.scheduler.place(what=f"the reranker {self.name}", cancellation=cancellation):
                self._fill(scoring, _Question(read.ids[0], reading), limits)
        scored = scoring.scored[inverse]
        return RerankScores(
            logits=scoring.logits[inverse],
            scored=scored,
            tokens=scoring.tokens[inverse],
            truncated=scoring.truncated[inverse],
            cached=int(scored.sum() - scoring.scored.sum()) + found,
            query_truncated=bool(read.truncated[0]),
            waited_ms=scoring.waited_ms,
        )

    def _take_from_cache(self, scoring: _Scoring) -> int:
        """Copies cached scores; returns their number."""
        for i, key in enumerate(scoring.keys):
            cached: _Score | None = self._shared.cache.get(key)
            if cached is not None:
                scoring.put(i, cached)
        return int(scoring.scored.sum())

    def _fill(self, scoring: _Scoring, question: _Question, limits: RequestLimits) -> None:
        """Scores the remaining texts, slice by slice."""
        reading = question.reading
        remaining = np.flatnonzero(~scoring.scored)
        characters = np.array([len(scoring.texts[i]) for i in remaining.tolist()], dtype=np.float64)
        room = min(reading.passage_room, self._passage_tokens or reading.passage_room)
        expected = np.minimum(characters * self._tokens_per_character, room) + reading.overhead
        slices = deadline_slices(expected, deadline=limits.deadline, affordable=lambda: self._affordable(limits))
        for start, stop in slices:
            self._score(scoring, question, remaining[start:stop], limits)

    def _score(
        self, scoring: _Scoring, question: _Question, positions: NDArray[np.intp], limits: RequestLimits
    ) -> None:
        reading = question.reading
        prompted = [self._prompts["document"] + scoring.texts[i] for i in positions.tolist()]
        passages = self._tokenizer.texts(prompted, limit=reading.passage_room)
        self._tokens_per_character = _tokens_per_character(passages.ids, prompted)
        ids, truncated = self._cut(passages, question)
        lengths = np.array([len(text) + reading.overhead for text in ids], dtype=np.int32)
        job = Job(self._batches, ids, lengths, query=reading, limits=limits)
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

    def _cut(self, passages: TokenizedTexts, question: _Question) -> tuple[Sequence[Ids], NDArray[np.bool_]]:
        """The parts of the passages that are read, and where that is not all."""
        if not self._passage_tokens:
            return passages.ids, passages.truncated
        ids = [cut(text, question.ids, tokens=self._passage_tokens) for text in passages.ids]
        shorter = np.array(
            [len(part) < len(text) for part, text in zip(ids, passages.ids, strict=True)], dtype=np.bool_
        )
        return ids, passages.truncated | shorter

    def _affordable(self, limits: RequestLimits) -> float | None:
        """Returns the tokens that one of the waiting requests can compute before its deadline."""
        rate = self._batches.throughput.tokens_per_second
        if rate is None or limits.deadline is None:
            return None
        return rate * max(limits.deadline - time.monotonic(), 0.0) / (1 + self._shared.scheduler.waiting)


class _Question(NamedTuple):
    """A query as tokens, and as the network has begun with it."""

    ids: Ids
    reading: PreparedQuery


class _Score(NamedTuple):
    """Output of the model for one text."""

    logit: float
    tokens: int
    truncated: bool


_SCORE_BYTES = 120
"""Size of a _Score with its float (measured)."""


class _Scoring:
    """Scores so far of unique texts, in input order."""

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
    """Returns the tokens per character of tokenized texts."""
    characters = sum(len(text) for text in texts)
    return sum(len(text) for text in ids) / characters if characters else _TOKENS_A_CHARACTER
