"""Jobs of the scheduler: the texts of one request for one model, computed in batches."""

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

Outputs = NDArray[np.float32]
"""One row per text: a logit (n,), or a vector (n, dim)."""
_MIN_FILL = 0.6
"""Minimum length of a text that joins a batch, as a fraction of the longest text of the batch: limits padding."""


class BatchModel(Protocol):
    """A model that the scheduler calls with one batch at a time, on one thread."""

    @property
    def batch_tokens(self) -> int:
        """Padded tokens of an efficient batch."""

    @property
    def mixes_requests(self) -> bool:
        """True if texts of several requests can share a batch."""

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the output for a text: () for a logit, (dim,) for a vector."""

    @property
    def throughput(self) -> Throughput:
        """The scheduler's measurements of this model."""

    def compute(self, parts: Sequence[BatchPart]) -> Sequence[Outputs]:
        """Returns the outputs of each part of one batch. A batch has several parts only if the model mixes requests."""


class Job:
    """Texts of one request for one model. The scheduler takes batches from a job and stores the outputs in the job."""

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
        self.outputs: Outputs = np.zeros((len(texts), *model.output_shape), dtype=np.float32)
        self.has_output: NDArray[np.bool_] = np.zeros(len(texts), dtype=np.bool_)
        self.error: Exception | None = None
        self.finished = threading.Event()
        self.rank = 0
        """Position in the queue: the scheduler's token count at the arrival, plus the tokens of this job."""
        self.waited_ms = 0.0
        """Time from arrival to the start of the first batch."""
        self._arrived_at: float | None = None
        self._lengths = lengths
        # Longest first: neighbours in length need little padding, and smaller tensors can reuse the memory of the
        # largest. Equal lengths keep their order.
        self._untaken: NDArray[np.intp] = np.argsort(-lengths, kind="stable")
        self.remaining = int(lengths.sum())
        """Number of tokens of the texts that are not taken."""

    @property
    def all_taken(self) -> bool:
        """True if all texts are taken."""
        return len(self._untaken) == 0

    def arrive(self, tokens: int) -> None:
        """Starts the waiting time. *tokens*: number of tokens that the scheduler computed before."""
        # Tokens computed for this job move from `remaining` to the scheduler's count, so they leave the rank unchanged.
        self.rank, self._arrived_at = tokens + self.remaining, time.monotonic()

    def end_waiting(self) -> None:
        """Ends the waiting time at the first batch or at the withdrawal; later calls have no effect."""
        if self._arrived_at is not None:
            self.waited_ms, self._arrived_at = (time.monotonic() - self._arrived_at) * 1000, None

    def take(self, max_tokens: int) -> BatchPart:
        """Returns the longest texts within *max_tokens* padded tokens, at least one text."""
        longest = max(int(self._lengths[self._untaken[0]]), 1)
        return self._part(0, max(max_tokens // longest, 1), longest)

    def join(self, batch: BatchPart, *, max_tokens: int) -> BatchPart | None:
        """Returns texts within *max_tokens* padded tokens that can be added to *batch*, or None.

        No text is longer than the longest text of *batch*.
        """
        lengths = self._lengths[self._untaken]  # descending
        start = int(np.searchsorted(-lengths, -batch.longest, side="left"))
        stop = int(np.searchsorted(-lengths, -batch.longest * _MIN_FILL, side="right"))
        count = min(max_tokens // batch.longest, stop - start)
        return self._part(start, count, batch.longest) if count > 0 else None

    def _part(self, start: int, count: int, longest: int) -> BatchPart:
        positions = self._untaken[start : start + count]
        self._untaken = np.delete(self._untaken, slice(start, start + count))
        tokens = int(self._lengths[positions].sum())
        self.remaining -= tokens
        return BatchPart(self, positions, tokens=tokens, longest=longest)


@dataclass(frozen=True)
class RequestLimits:
    """The *deadline* of a request in time.monotonic() seconds, and its *cancellation*."""

    deadline: float | None = None
    cancellation: Cancellation | None = None

    @property
    def expired(self) -> bool:
        """True if the deadline has passed."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    @property
    def cancelled(self) -> bool:
        """True if the client has disconnected."""
        return self.cancellation is not None and self.cancellation.cancelled()


@dataclass(frozen=True, eq=False)
class BatchPart:
    """Texts of one job in a batch.

    positions (n,): positions of the texts in the job. tokens: number of their tokens. longest: number of tokens of the
    longest text in the batch.
    """

    job: Job
    positions: NDArray[np.intp]
    tokens: int
    longest: int

    @property
    def padded(self) -> int:
        """Number of tokens with padding."""
        return len(self.positions) * self.longest

    @property
    def texts(self) -> list[Ids]:
        """Token ids in the order of `positions`."""
        return [self.job.texts[i] for i in self.positions.tolist()]
