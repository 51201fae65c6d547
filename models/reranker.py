"""The cross-encoder as the searching road sees it: one logit a text, within a deadline."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError, ModelOutputInvalid
from core.protocols import RerankScores
from models.batching import batches, distinct
from models.folder import ModelFolder
from models.network import PairNetwork, QueryReading
from models.tokenizer import TextTokenizer, TokenizedTexts
from models.turns import Turns

if TYPE_CHECKING:
    from models.runtimes.torch import Placement

MAX_WAITING = 64
_SHOWN = 80
_FIRST_WINDOW = 16
"""Texts scored before the speed is known. Under a deadline the best texts come first, in windows: a window is as much
as half of the time left allows, so that the first ones are never lost to the last ones."""


class CrossEncoderReranker:
    """A Reranker over a network and its tokenizer. Safe for many threads, which it serves one after the other."""

    def __init__(
        self, folder: ModelFolder, network: PairNetwork, tokenizer: TextTokenizer, *, batch_tokens: int
    ) -> None:
        self.name = folder.name
        self.fingerprint = folder.fingerprint
        self.max_tokens = folder.max_tokens
        self._prompts = folder.prompts
        self._network = network
        self._tokenizer = tokenizer
        self._batch_tokens = batch_tokens
        self._turns = Turns(waiting=MAX_WAITING, what=f"the reranker {self.name}")

    @classmethod
    def from_folder(cls, folder: ModelFolder, *, placement: Placement | None = None) -> Self:
        """Load the folder's network, by default where and as this machine runs it fastest.

        Raises ModelInvalid where the folder does not hold a network that ranks.
        """
        from models.architectures.cross import CrossEncoderNetwork
        from models.architectures.shared_query import JointNetwork
        from models.runtimes.torch import best_placement

        placement = placement or best_placement()
        tokenizer = TextTokenizer.from_folder(folder)
        kind = JointNetwork if folder.architecture == "joint" else CrossEncoderNetwork
        network: PairNetwork = kind.from_folder(folder, tokenizer, placement=placement)
        return cls(folder, network, tokenizer, batch_tokens=placement.batch_tokens)

    def score(self, query: str, texts: Sequence[str], *, deadline: float | None = None) -> RerankScores:
        """Score each text, first ones first where *deadline* (time.monotonic() seconds) does not allow all.

        A batch that has begun is finished. Identical texts are scored once; `cached` counts the others. Raises
        ModelError when the model fails, ModelOutputInvalid on a value that is not finite, and ModelOverloaded when
        too many requests are waiting.
        """
        different, inverse = distinct(texts)
        scoring = _Scoring(len(different))
        with self._turns.turn(deadline=deadline) as mine:
            if mine and different:
                self._fill(scoring, query, different, deadline)
        scored = scoring.scored[inverse]
        return RerankScores(
            logits=scoring.logits[inverse],
            scored=scored,
            tokens=scoring.tokens[inverse],
            truncated=scoring.truncated[inverse],
            cached=int(scored.sum() - scoring.scored.sum()),
            query_truncated=scoring.query_truncated,
        )

    def _fill(self, scoring: _Scoring, query: str, texts: Sequence[str], deadline: float | None) -> None:
        read = self._tokenizer.texts([self._prompts["query"] + query], limit=self._network.query_room)
        scoring.query_truncated = bool(read.truncated[0])
        try:
            reading = self._network.read(read.ids[0])
            for start, stop in _windows(scoring, len(texts), deadline):
                prompted = [self._prompts["document"] + text for text in texts[start:stop]]
                passages = self._tokenizer.texts(prompted, limit=reading.passage_room)
                self._score_window(scoring, reading, passages, start=start, deadline=deadline)
        except (RuntimeError, MemoryError) as exc:
            raise ModelError(f"the reranker {self.name} failed: {exc}") from exc
        self._check(scoring, texts)

    def _score_window(
        self, scoring: _Scoring, reading: QueryReading, passages: TokenizedTexts, *, start: int, deadline: float | None
    ) -> None:
        lengths = np.array([len(ids) + reading.overhead for ids in passages.ids], dtype=np.int32)
        # A deadline can be overshot by one batch: a smaller one then, as long as it costs no speed.
        budget = self._batch_tokens if deadline is None else self._batch_tokens // 2
        for batch in batches(lengths, budget=budget):
            if deadline is not None and time.monotonic() >= deadline:
                return
            places = batch + start
            scoring.logits[places] = reading.logits([passages.ids[i] for i in batch.tolist()])
            scoring.tokens[places] = lengths[batch]
            scoring.truncated[places] = passages.truncated[batch]
            scoring.scored[places] = True

    def _check(self, scoring: _Scoring, texts: Sequence[str]) -> None:
        wrong = np.flatnonzero(~np.isfinite(scoring.logits))
        if len(wrong):
            text = texts[int(wrong[0])]
            raise ModelOutputInvalid(
                f"the reranker {self.name} answered {scoring.logits[wrong[0]]} for the text {text[:_SHOWN]!r}"
            )


class _Scoring:
    """What is known so far of *n* texts, in input order."""

    def __init__(self, n: int) -> None:
        self.logits: NDArray[np.float32] = np.zeros(n, dtype=np.float32)
        self.scored: NDArray[np.bool_] = np.zeros(n, dtype=np.bool_)
        self.tokens: NDArray[np.int32] = np.zeros(n, dtype=np.int32)
        self.truncated: NDArray[np.bool_] = np.zeros(n, dtype=np.bool_)
        self.query_truncated = False


def _windows(scoring: _Scoring, n: int, deadline: float | None) -> Iterator[tuple[int, int]]:
    """Stretches of the *n* texts, in order, until all are done or the deadline has passed."""
    if deadline is None:
        yield 0, n
        return
    begun = time.monotonic()
    start, size = 0, _FIRST_WINDOW
    while start < n and time.monotonic() < deadline:
        stop = min(start + size, n)
        yield start, stop
        start = stop
        now = time.monotonic()
        texts_a_second = int(scoring.scored.sum()) / max(now - begun, 1e-9)
        size = max(_FIRST_WINDOW, int((deadline - now) / 2 * texts_a_second))
