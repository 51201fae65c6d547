"""What one request wants of one model: texts, batch by batch, and what has been answered so far."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rerank.core.protocols import Cancellation
from rerank.models.network import PreparedQuery
from rerank.models.throughput import Throughput
from rerank.models.tokenizer import Ids

Answers = NDArray[np.float32]
"""One row a text: a logit (n,), or a vector (n, dim)."""
_MIN_FILL = 0.6
"""A shorter text than this share of a batch's longest one is not taken along: it would be mostly padding."""


class BatchModel(Protocol):
    """A model as the scheduler sees it: it answers batches, on one thread, one after the other."""

    @property
    def batch_tokens(self) -> int:
        """Padded tokens of a batch that is filled well."""

    @property
    def mixes(self) -> bool:
        """Whether texts of several requests may share a batch."""

    @property
    def width(self) -> tuple[int, ...]:
        """Shape of one answer: () for a logit, (dim,) for a vector."""

    @property
    def speed(self) -> Throughput:
        """What the scheduler has measured of it."""

    def compute(self, parts: Sequence[BatchPart]) -> Sequence[Answers]:
        """The answers to each portion; together they are one batch. One portion alone unless the model mixes."""


class Job:
    """Texts of one request for one model. The scheduler takes batches out of it and puts answers in."""

    def __init__(
        self,
        model: BatchModel,
        texts: Sequence[Ids],
        lengths: NDArray[np.int32],
        *,
        query: PreparedQuery | None = None,
        limits: RequestLimits | None = None,
    ) -> None:
        self.model = model
        self.texts = texts
        self.query = query
        self.limits = limits or RequestLimits()
        self.answers: Answers = np.zeros((len(texts), *model.width), dtype=np.float32)
        self.answered: NDArray[np.bool_] = np.zeros(len(texts), dtype=np.bool_)
        self.error: Exception | None = None
        self.finished = threading.Event()
        self.joined_at = 0
        """The scheduler's count of tokens when this job came."""
        self.waited_ms = 0.0
        """From its coming to its first batch, once that has begun."""
        self._came: float | None = None
        self._lengths = lengths
        # Longest first: padding is what a batch's longest text makes of the others, and the largest tensors come
        # first, so that their memory is used again. Equal lengths keep their order.
        self._left: NDArray[np.intp] = np.argsort(-lengths, kind="stable")
        self.remaining = int(lengths.sum())
        """Tokens not yet taken."""

    @property
    def all_taken(self) -> bool:
        """Whether no text is left to be taken."""
        return len(self._left) == 0

    def come(self, tokens: int) -> None:
        """It stands in line from now on; the scheduler has read so many *tokens* before."""
        self.joined_at, self._came = tokens, time.monotonic()

    def end_waiting(self) -> None:
        """Its first batch begins, or nothing of it is read any more; what comes later changes nothing."""
        if self._came is not None:
            self.waited_ms, self._came = (time.monotonic() - self._came) * 1000, None

    def take(self, room: int) -> BatchPart:
        """The next batch: texts of falling length, count times longest at most *room*, but one text at least."""
        longest = max(int(self._lengths[self._left[0]]), 1)
        return self._taken(0, max(room // longest, 1), longest)

    def join(self, batch: BatchPart, *, room: int) -> BatchPart | None:
        """Texts that fit beside *batch* into *room* more padded tokens, at most as long as its longest; None: none."""
        lengths = self._lengths[self._left]  # falling
        start = int(np.searchsorted(-lengths, -batch.longest, side="left"))
        stop = int(np.searchsorted(-lengths, -batch.longest * _MIN_FILL, side="right"))
        count = min(room // batch.longest, stop - start)
        return self._taken(start, count, batch.longest) if count > 0 else None

    def _taken(self, start: int, count: int, longest: int) -> BatchPart:
        places = self._left[start : start + count]
        self._left = np.delete(self._left, slice(start, start + count))
        tokens = int(self._lengths[places].sum())
        self.remaining -= tokens
        return BatchPart(self, places, tokens=tokens, longest=longest)


@dataclass(frozen=True)
class RequestLimits:
    """Until when an answer is of use: *deadline* in time.monotonic() seconds, and whether anybody still waits."""

    deadline: float | None = None
    cancellation: Cancellation | None = None

    @property
    def expired(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits any more."""
        return self.cancellation is not None and self.cancellation.cancelled()


@dataclass(frozen=True, eq=False)
class BatchPart:
    """Some texts of a job, taken for a batch: their *places* in it, their tokens, and the longest row's tokens."""

    job: Job
    places: NDArray[np.intp]
    tokens: int
    longest: int

    @property
    def padded(self) -> int:
        """Tokens that are computed for it, padding included."""
        return len(self.places) * self.longest

    @property
    def texts(self) -> list[Ids]:
        """The token ids, in the order of `places`."""
        return [self.job.texts[i] for i in self.places.tolist()]
