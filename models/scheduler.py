"""Whose texts are read next: one thread runs the batches of all models, for all requests of the process.

The request that needs least comes first, and each token read for others counts as one less of its own: small requests
do not stand behind large ones, and none waits for much more than its own size again. That is shortest remaining
processing time (Schrage, A proof of the optimality of the shortest remaining processing time discipline, Operations
Research 16, 1968), which has the least mean waiting time, with ageing, so that nothing starves.
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
"""A thread with nothing to do ends after so long, so that a scheduler that is no longer used leaves nothing behind."""


class Scheduler:
    """Batches for many threads. At most *places* requests are taken on at once; one more is refused."""

    def __init__(self, *, places: int = MAX_WAITING) -> None:
        self._limit = places
        self._places: list[RequestLimits] = []
        self._changed = threading.Condition()
        self._jobs: list[Job] = []
        """Those with texts left to take, in the order they came."""
        self._running: Sequence[BatchPart] = ()
        self._thread: threading.Thread | None = None
        self._tokens = self._padding = self._batches = self._refused = self._cancelled = 0

    @contextmanager
    def place(self, *, what: str, cancellation: Cancellation | None = None) -> Iterator[None]:
        """Hold one of the places; one whose client has left counts as free.

        Raises ModelOverloaded at once, naming *what* is asked for, when none is free.
        """
        mine = RequestLimits(cancellation=cancellation)
        with self._changed:
            if self._taken_places() >= self._limit:
                self._refused += 1
                raise ModelOverloaded(f"{what}: {self._limit} requests are waiting already; try again later")
            self._places.append(mine)
        try:
            yield
        finally:
            with self._changed:
                self._places = [place for place in self._places if place is not mine]

    def run(self, job: Job) -> None:
        """Return when *job* is answered, or as far as its deadline allows: a batch that has begun is finished.

        Raises RequestCancelled when nobody waits for the answer any more, and what the model raised.
        """
        if job.all_taken:
            return
        with self._changed:
            job.come(self._tokens)
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="scheduler", daemon=True)
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

    @property
    def waiting(self) -> int:
        """Jobs that are being read or wait for it."""
        with self._changed:
            return len({id(job) for job in [*self._jobs, *(part.job for part in self._running)]})

    def load(self) -> ModelLoad:
        """What is going on, and what has been done so far."""
        with self._changed:
            return ModelLoad(
                waiting=self._taken_places(),
                batches=self._batches,
                tokens=self._tokens,
                padding=self._padding,
                refused=self._refused,
                cancelled=self._cancelled,
            )

    def _taken_places(self) -> int:
        return sum(not place.cancelled for place in self._places)

    def _withdraw(self, job: Job) -> None:
        """Take no more texts of *job*. It is finished then, but for a batch that is running."""
        with self._changed:
            self._jobs = [other for other in self._jobs if other is not job]
            job.end_waiting()
            if all(part.job is not job for part in self._running):
                job.finished.set()

    def _serve(self) -> None:
        while parts := self._next_batch():
            self._compute(parts)
            with self._changed:
                self._running = ()
                for job in {id(part.job): part.job for part in parts}.values():
                    if all(other is not job for other in self._jobs):
                        job.finished.set()

    def _next_batch(self) -> Sequence[BatchPart]:
        """Wait for one; none once nothing has come for a while, and then this thread is no longer the one."""
        with self._changed:
            while True:
                self._drop()
                if self._jobs:
                    break
                if not self._changed.wait(_IDLE_SECONDS) and not self._jobs:
                    self._thread = None
                    return ()
            self._running = self._fill()
            for part in self._running:
                part.job.end_waiting()
            self._jobs = [job for job in self._jobs if not job.all_taken]
            return self._running

    def _drop(self) -> None:
        """Finish the jobs that are of no more use, as far as they are answered."""
        for job in list(self._jobs):
            if job.limits.cancelled:
                self._cancelled += 1
                job.error = RequestCancelled("the client has left: its texts were not read any further")
            elif not job.limits.expired:
                continue
            self._jobs.remove(job)
            job.finished.set()

    def _fill(self) -> list[BatchPart]:
        """A batch of the job whose turn it is, filled up with like texts of others where the model mixes."""
        in_turn = sorted(self._jobs, key=lambda job: job.joined_at + job.remaining)
        first = in_turn[0]
        budget = _budget(first)
        parts = [first.take(budget)]
        for job in in_turn[1:]:
            room = budget - sum(part.padded for part in parts)
            if not first.model.mixes or room < parts[0].longest:
                break
            if job.model is first.model and (more := job.join(parts[0], room=room)) is not None:
                parts.append(more)
        return parts

    def _compute(self, parts: Sequence[BatchPart]) -> None:
        model = parts[0].job.model
        begun = time.monotonic()
        try:
            answers = model.compute(parts)
        except Exception as exc:  # noqa: BLE001 - whatever a runtime raises belongs to the request, not to this thread
            self._failed(parts, exc)
            return
        seconds = time.monotonic() - begun
        for part, rows in zip(parts, answers, strict=True):
            part.job.answers[part.places] = rows
            part.job.answered[part.places] = True
        tokens = sum(part.tokens for part in parts)
        model.speed.add(tokens, seconds)
        with self._changed:
            self._batches += 1
            self._tokens += tokens
            self._padding += sum(part.padded for part in parts) - tokens

    def _failed(self, parts: Sequence[BatchPart], error: Exception) -> None:
        """A shared batch is tried again request by request: what is wrong with one must not fail the others."""
        if len(parts) > 1:
            for part in parts:
                self._compute([part])
            return
        job = parts[0].job
        job.error = error
        with self._changed:
            self._jobs = [other for other in self._jobs if other is not job]


def _budget(job: Job) -> int:
    """Padded tokens of the next batch."""
    full = job.model.batch_tokens
    deadline, speed = job.limits.deadline, job.model.speed.tokens_per_second
    if deadline is None:
        return full
    # A deadline can be overshot by one batch: a smaller one then, as long as it costs no speed, and no larger one
    # than fits.
    fits = full if speed is None else int(speed * max(deadline - time.monotonic(), 0.0))
    return min(full // 2, fits)
