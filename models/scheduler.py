"""Scheduler: one thread that runs the batches of all models for all requests of the process.

The request with the fewest remaining tokens runs first. Each token computed for other requests reduces this number
by 1. So small requests do not wait for large ones, and the waiting time of a request is limited by its size. This is
shortest remaining processing time (Schrage, A proof of the optimality of the shortest remaining processing time
discipline, Operations Research 16, 1968), which minimises the mean waiting time, with ageing against starvation.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rerank.core.errors import ModelOverloaded, RequestCancelled
from rerank.core.model_load import ModelLoad
from rerank.core.protocols import Cancellation
from rerank.models.scheduler_job import BatchPart, Job, RequestLimits

MAX_WAITING = 16
_IDLE_SECONDS = 10.0
"""Idle time after which the thread ends, so that an unused scheduler holds no resources."""


class Scheduler:
    """Thread-safe scheduler of batches. At most *max_waiting* requests wait at once; further requests are refused."""

    def __init__(self, *, max_waiting: int = MAX_WAITING) -> None:
        self._max_waiting = max_waiting
        self._slots: list[RequestLimits] = []
        """Limits of the requests that hold a waiting slot."""
        self._changed = threading.Condition()
        self._jobs: list[Job] = []
        """Jobs with texts that are not taken, in order of arrival."""
        self._running: Sequence[BatchPart] = ()
        self._thread: threading.Thread | None = None
        self._idle_seconds = _IDLE_SECONDS
        self._tokens = self._padding = self._batches = self._refused = self._cancelled = 0

    @contextmanager
    def waiting_slot(self, *, model: str, cancellation: Cancellation | None = None) -> Iterator[None]:
        """Holds a waiting slot inside the block. The slot of a disconnected client counts as free.

        Raises ModelOverloaded, naming the requested *model*, if no slot is free.
        """
        limits = RequestLimits(cancellation=cancellation)
        with self._changed:
            if self._occupied_slots() >= self._max_waiting:
                self._refused += 1
                raise ModelOverloaded(f"{model}: {self._max_waiting} requests are already waiting. Retry later")
            self._slots.append(limits)
        try:
            yield
        finally:
            with self._changed:
                self._slots = [slot for slot in self._slots if slot is not limits]

    def run(self, job: Job) -> None:
        """Runs *job* until it is complete or its deadline passes; a started batch is finished.

        Raises RequestCancelled if the client has disconnected, and the errors of the model.
        """
        if job.all_taken:
            return
        with self._changed:
            job.arrive(self._tokens)
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run_batches, name="scheduler", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            deadline = job.limits.deadline
            job.finished.wait(None if deadline is None else max(deadline - time.monotonic(), 0.0))
        finally:
            self._withdraw(job)
        job.finished.wait()
        if job.error is not None:
            raise job.error

    def close(self) -> None:
        """Ends the thread when its queue is empty, without the idle time. Further calls do nothing."""
        with self._changed:
            self._idle_seconds = 0.0
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Number of running and waiting jobs."""
        with self._changed:
            return len({id(job) for job in [*self._jobs, *(part.job for part in self._running)]})

    def load(self) -> ModelLoad:
        """Returns the current load and the counters since the start."""
        with self._changed:
            return ModelLoad(
                waiting=self._occupied_slots(),
                batches=self._batches,
                tokens=self._tokens,
                padding=self._padding,
                refused=self._refused,
                cancelled=self._cancelled,
            )

    def _occupied_slots(self) -> int:
        return sum(not slot.cancelled for slot in self._slots)

    def _withdraw(self, job: Job) -> None:
        """Removes *job* from the queue. The job finishes at once, or after its running batch."""
        with self._changed:
            self._jobs = [other for other in self._jobs if other is not job]
            job.end_waiting()
            if all(part.job is not job for part in self._running):
                job.finished.set()

    def _run_batches(self) -> None:
        while parts := self._next_batch():
            self._compute(parts)
            with self._changed:
                self._running = ()
                for job in {id(part.job): part.job for part in parts}.values():
                    if all(other is not job for other in self._jobs):
                        job.finished.set()

    def _next_batch(self) -> Sequence[BatchPart]:
        """Waits for a batch. Returns an empty batch after the idle time, which ends the thread."""
        with self._changed:
            while True:
                self._finish_cancelled_and_expired()
                if self._jobs:
                    break
                if not self._changed.wait(self._idle_seconds) and not self._jobs:
                    self._thread = None
                    return ()
            self._running = self._compose_batch()
            for part in self._running:
                part.job.end_waiting()
            self._jobs = [job for job in self._jobs if not job.all_taken]
            return self._running

    def _finish_cancelled_and_expired(self) -> None:
        """Finishes cancelled and expired jobs with their outputs so far."""
        for job in list(self._jobs):
            if job.limits.cancelled:
                self._cancelled += 1
                job.error = RequestCancelled("the client has disconnected; its remaining texts were not scored")
            elif not job.limits.expired:
                continue
            self._jobs.remove(job)
            job.finished.set()

    def _compose_batch(self) -> list[BatchPart]:
        """Returns a batch of the next job, filled with texts of other jobs if the model mixes requests."""
        by_priority = sorted(self._jobs, key=lambda job: job.rank)
        first = by_priority[0]
        budget = _budget(first)
        parts = [first.take(budget)]
        for job in by_priority[1:]:
            free_tokens = budget - sum(part.padded for part in parts)
            if not first.model.mixes_requests or free_tokens < parts[0].longest:
                break
            if job.model is first.model and (more := job.join(parts[0], max_tokens=free_tokens)) is not None:
                parts.append(more)
        return parts

    def _compute(self, parts: Sequence[BatchPart]) -> None:
        model = parts[0].job.model
        started_at = time.monotonic()
        try:
            outputs = model.compute(parts)
        except Exception as exc:  # noqa: BLE001 - a runtime error must fail the request, not end the thread
            self._handle_error(parts, exc)
            return
        seconds = time.monotonic() - started_at
        for part, rows in zip(parts, outputs, strict=True):
            part.job.outputs[part.positions] = rows
            part.job.has_output[part.positions] = True
        tokens = sum(part.tokens for part in parts)
        model.throughput.add(tokens, seconds)
        with self._changed:
            self._batches += 1
            self._tokens += tokens
            self._padding += sum(part.padded for part in parts) - tokens

    def _handle_error(self, parts: Sequence[BatchPart], error: Exception) -> None:
        """Retries a shared batch request by request, because an error in one request must not fail the others."""
        if len(parts) > 1:
            for part in parts:
                self._compute([part])
            return
        job = parts[0].job
        job.error = error
        with self._changed:
            self._jobs = [other for other in self._jobs if other is not job]


def _budget(job: Job) -> int:
    """Returns the maximum number of padded tokens of the next batch."""
    full = job.model.batch_tokens
    deadline, rate = job.limits.deadline, job.model.throughput.tokens_per_second
    if deadline is None:
        return full
    # A request can overrun its deadline by one batch. So a batch has at most half of the usual size, which does not
    # reduce the throughput, and at most the tokens that the remaining time allows.
    affordable = full if rate is None else int(rate * max(deadline - time.monotonic(), 0.0))
    return min(full // 2, affordable)
