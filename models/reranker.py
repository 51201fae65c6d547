"""The cross-encoder as the searching road sees it: one logit a text, within a deadline."""

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

_SHOWN = 80
_TOKENS_A_CHARACTER = 0.3
"""Before a text has been read: English has about .25 in a vocabulary of its own, Italian in an English one .4."""


class CrossEncoderReranker:
    """A Reranker over a network and its tokenizer. Safe for many threads.

    *shared*: the scheduler that runs its batches and the cache of its scores; by default ones of its own, without a
    cache. *passage_tokens*: of a longer passage only the part that matters is read; 0: all that the model takes.
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
        self._tokens_a_character = _TOKENS_A_CHARACTER

    @classmethod
    def from_folder(
        cls,
        folder: ModelFolder,
        *,
        runtime: ModelRuntime | None = None,
        shared: SharedResources | None = None,
        passage_tokens: int = 0,
    ) -> Self:
        """Load the folder's network into *runtime*, by default the one that runs it fastest here.

        Raises ModelInvalid where the folder does not hold a network that ranks.
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

    def text_room(self, query: str) -> int:
        """Tokens of a text that are read beside *query*, special tokens excluded; the rest is cut."""
        read = self._tokenizer.texts([self._prompts["query"] + query], limit=self._network.query_room)
        prompt = self._tokenizer.texts([self._prompts["document"]], limit=self._network.pair_room)
        return max(self._network.pair_room - len(read.ids[0]) - len(prompt.ids[0]), 1)

    def token_spans(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """For each text the characters behind each token: int32 (tokens, 2), start and end, no special tokens."""
        return self._tokenizer.spans(texts)

    def score(
        self,
        query: str,
        texts: Sequence[str],
        *,
        deadline: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> RerankScores:
        """Score each text, first ones first where *deadline* (time.monotonic() seconds) does not allow all.

        A batch that has begun is finished. Identical texts are scored once, and what the cache holds is not scored
        again; `cached` counts both. Raises ModelError when the model fails, ModelOutputInvalid on a value that is not
        finite, ModelOverloaded when too many requests are waiting, and RequestCancelled once *cancellation* says that
        nobody waits any more.
        """
        different, inverse = unique_texts(texts)
        read = self._tokenizer.texts([self._prompts["query"] + query], limit=self._network.query_room)
        reading = self._network.read(read.ids[0])
        scoring = _Scoring(different, CacheKeys(self.fingerprint, str(self._passage_tokens), query))
        found = self._recall(scoring)
        if found < len(different):
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

    def _recall(self, scoring: _Scoring) -> int:
        """Take over what the cache knows; returns how many texts that was."""
        for i, key in enumerate(scoring.keys):
            known: _Score | None = self._shared.cache.get(key)
            if known is not None:
                scoring.put(i, known)
        return int(scoring.scored.sum())

    def _fill(self, scoring: _Scoring, question: _Question, limits: RequestLimits) -> None:
        """Score what is not scored yet, stretch by stretch."""
        reading = question.reading
        left = np.flatnonzero(~scoring.scored)
        characters = np.array([len(scoring.texts[i]) for i in left.tolist()], dtype=np.float64)
        room = min(reading.passage_room, self._passage_tokens or reading.passage_room)
        expected = np.minimum(characters * self._tokens_a_character, room) + reading.overhead
        stretches = deadline_slices(expected, deadline=limits.deadline, affordable=lambda: self._affordable(limits))
        for start, stop in stretches:
            self._score(scoring, question, left[start:stop], limits)

    def _score(self, scoring: _Scoring, question: _Question, places: NDArray[np.intp], limits: RequestLimits) -> None:
        reading = question.reading
        prompted = [self._prompts["document"] + scoring.texts[i] for i in places.tolist()]
        passages = self._tokenizer.texts(prompted, limit=reading.passage_room)
        self._tokens_a_character = _share(passages.ids, prompted)
        ids, truncated = self._cut(passages, question)
        lengths = np.array([len(text) + reading.overhead for text in ids], dtype=np.int32)
        job = Job(self._batches, ids, lengths, query=reading, limits=limits)
        try:
            self._shared.scheduler.run(job)
        except (RuntimeError, MemoryError) as exc:
            raise ModelError(f"the reranker {self.name} failed: {exc}") from exc
        scoring.waited_ms += job.waited_ms
        for j in np.flatnonzero(job.answered).tolist():
            i, logit = int(places[j]), float(job.answers[j])
            if not np.isfinite(logit):
                shown = scoring.texts[i][:_SHOWN]
                raise ModelOutputInvalid(f"the reranker {self.name} answered {logit} for the text {shown!r}")
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
        """Tokens that can be read for one of the waiting requests until its deadline."""
        speed = self._batches.speed.tokens_per_second
        if speed is None or limits.deadline is None:
            return None
        return speed * max(limits.deadline - time.monotonic(), 0.0) / (1 + self._shared.scheduler.waiting)


class _Question(NamedTuple):
    """A query as tokens, and as the network has begun with it."""

    ids: Ids
    reading: PreparedQuery


class _Score(NamedTuple):
    """What the model said of one text."""

    logit: float
    tokens: int
    truncated: bool


_SCORE_BYTES = 120
"""A _Score with its float; measured."""


class _Scoring:
    """What is known so far of different texts, in input order."""

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
        """Text *i* has been scored."""
        self.logits[i], self.tokens[i], self.truncated[i] = score
        self.scored[i] = True


def _share(ids: Sequence[Ids], texts: Sequence[str]) -> float:
    """Tokens a character of texts that were read."""
    characters = sum(len(text) for text in texts)
    return sum(len(text) for text in ids) / characters if characters else _TOKENS_A_CHARACTER
