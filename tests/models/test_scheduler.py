"""Rules for the order and the composition of batches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.models.scheduler import Scheduler
from rerank.models.scheduler_job import BatchPart, Job, Outputs, RequestLimits
from rerank.models.throughput import Throughput


class RecordingModel:
    """A BatchModel that returns the first token of each text and records the texts of each batch."""

    output_shape = ()

    def __init__(self, *, batch_tokens: int = 20, mixes: bool = False) -> None:
        self.batch_tokens = batch_tokens
        self.mixes_requests = mixes
        self.throughput = Throughput()
        self.batches: list[list[int]] = []
        self.failing: set[int] = set()
        self.started, self.resume = threading.Event(), threading.Event()
        self.resume.set()

    def compute(self, parts: Sequence[BatchPart]) -> Sequence[Outputs]:
        self.started.set()
        assert self.resume.wait(10)
        outputs = [np.array([text[0] for text in part.texts], dtype=np.float32) for part in parts]
        names = [int(value) for rows in outputs for value in rows]
        if self.failing & set(names):
            raise RuntimeError("broken")
        self.batches.append(names)
        return outputs

    def job(self, name: int, count: int, *, tokens: int = 10, limits: RequestLimits | None = None) -> Job:
        """Returns a job of *count* texts of *tokens* tokens each, with the output *name*."""
        texts = [np.full(tokens, name, dtype=np.int32)] * count
        return Job(self, texts, np.full(count, tokens, dtype=np.int32), limits=limits)


class Queue:
    """Jobs that arrive while the first job runs, so that the scheduler determines the order of the others."""

    def __init__(self, model: RecordingModel, first: Job) -> None:
        self.scheduler = Scheduler()
        self.model = model
        self.threads: list[threading.Thread] = []
        self.errors: dict[int, Exception] = {}
        self.waiting = 0
        model.resume.clear()
        self.add(first)
        assert model.started.wait(10)

    def add(self, job: Job) -> None:
        """Runs *job* in a thread, and waits until the job is in the queue."""

        def run() -> None:
            try:
                self.scheduler.run(job)
            except RuntimeError as exc:
                self.errors[id(job)] = exc

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()
        self.waiting += 1
        wait_until(lambda: self.scheduler.waiting == self.waiting)

    def run(self) -> list[list[int]]:
        """Resumes the model, and returns the batches after all jobs."""
        self.model.resume.set()
        for thread in self.threads:
            thread.join(10)
        return self.model.batches


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits at most 10 seconds until *condition* returns True."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_small_request_runs_before_a_large_one() -> None:
    """After the running batch, the job with the fewest tokens is next. Equal jobs run in order of arrival."""
    model = RecordingModel()
    queue = Queue(model, model.job(1, 6))
    queue.add(model.job(2, 2))
    queue.add(model.job(3, 2))

    assert queue.run() == [[1, 1], [2, 2], [3, 3], [1, 1], [1, 1]]


def test_waiting_time_ends_at_the_first_batch() -> None:
    """The waiting time of a job without a batch ends at its deadline."""
    model = RecordingModel()
    queue = Queue(model, model.job(1, 2))
    second = model.job(2, 6)
    queue.add(second)
    expiring = model.job(3, 2, limits=RequestLimits(deadline=time.monotonic() + 0.02))
    queue.add(expiring)
    wait_until(lambda: expiring.finished.is_set())
    queue.run()

    assert second.waited_ms > expiring.waited_ms >= 1
    assert not expiring.has_output.any()


def test_large_request_does_not_starve() -> None:
    """Jobs that arrive after others have computed as many tokens as a large job has run after the large job."""
    model = RecordingModel()
    queue = Queue(model, model.job(1, 2))  # 20 tokens
    large = model.job(9, 6)
    queue.add(large)
    small = [model.job(name, 2) for name in range(2, 7)]
    for job in small[:2]:
        queue.add(job)
    # run() stores the token count at the arrival of a job. The blocked model computes no tokens, so the test sets the
    # count.
    queue.scheduler._tokens = 100
    for job in small[2:]:
        queue.add(job)

    assert [batch[0] for batch in queue.run()] == [1, 2, 3, 9, 9, 9, 4, 5, 6]


def test_own_progress_of_a_large_request_does_not_delay_small_ones() -> None:
    """A small job runs next, however much of a large job is done: only tokens of other jobs count as waiting."""
    model = RecordingModel()
    large = model.job(9, 20)
    for done in range(0, 20, 2):
        large.arrive(0)
        computed = sum(large.take(20).tokens for _ in range(done // 2))
        small = model.job(1, 2)
        small.arrive(computed)
        assert small.rank < large.rank or large.remaining <= small.remaining
        large = model.job(9, 20)


def test_requests_of_similar_length_share_a_batch() -> None:
    """Free tokens of a batch are filled with texts of similar length from other jobs, not with much shorter texts."""
    model = RecordingModel(batch_tokens=40, mixes=True)
    queue = Queue(model, model.job(1, 1))
    queue.add(model.job(2, 2))
    queue.add(model.job(3, 3, tokens=9))
    queue.add(model.job(4, 1, tokens=2))

    assert queue.run() == [[1], [4], [2, 2, 3, 3], [3]]


def test_requests_do_not_share_a_batch_by_default() -> None:
    """A joint network processes one query per batch."""
    model = RecordingModel(batch_tokens=40)
    queue = Queue(model, model.job(1, 1))
    queue.add(model.job(2, 2))
    queue.add(model.job(3, 2))

    assert queue.run() == [[1], [2, 2], [3, 3]]


def test_error_in_a_shared_batch_fails_one_request() -> None:
    """A failed shared batch is computed again, request by request."""
    model = RecordingModel(batch_tokens=40, mixes=True)
    model.failing = {2}
    queue = Queue(model, model.job(1, 1))
    jobs = [model.job(2, 2), model.job(3, 2)]
    for job in jobs:
        queue.add(job)

    assert queue.run() == [[1], [3, 3]]
    assert [id(job) in queue.errors for job in jobs] == [True, False]
    assert jobs[1].outputs.tolist() == [3, 3]


def test_deadline_in_the_queue_ends_the_waiting() -> None:
    """An expired request returns without outputs while the batch of another one continues."""
    model = RecordingModel()
    queue = Queue(model, model.job(1, 1))
    expiring = model.job(2, 1, limits=RequestLimits(deadline=time.monotonic() + 0.01))
    queue.scheduler.run(expiring)

    assert not expiring.has_output.any()
    assert queue.run() == [[1]]


def test_thread_continues_after_an_error() -> None:
    """The next job succeeds."""
    scheduler, model = Scheduler(), RecordingModel()
    model.failing = {2}
    with pytest.raises(RuntimeError, match="broken"):
        scheduler.run(model.job(2, 1))
    job = model.job(3, 1)
    scheduler.run(job)

    assert job.outputs.tolist() == [3]


_LENGTHS = st.lists(st.integers(0, 600), min_size=1, max_size=60)


@given(_LENGTHS, st.integers(1, 2000))
def test_batches_contain_each_text_once(lengths: list[int], max_tokens: int) -> None:
    """Lengths decrease from batch to batch. Padded tokens stay within the limit, except for a single longer text."""
    model = RecordingModel(batch_tokens=max_tokens)
    texts = [np.zeros(length, dtype=np.int32) for length in lengths]
    job = Job(model, texts, np.array(lengths, dtype=np.int32))
    taken = []
    while not job.all_taken:
        taken.append(job.take(max_tokens))

    assert sorted(i for part in taken for i in part.positions.tolist()) == list(range(len(lengths)))
    order = [lengths[i] for part in taken for i in part.positions.tolist()]
    assert order == sorted(order, reverse=True)
    assert all(part.padded <= max_tokens or len(part.positions) == 1 for part in taken)
    assert job.remaining == 0


@given(_LENGTHS, _LENGTHS, st.integers(1, 2000))
def test_joining_texts_fit_the_batch(batch_lengths: list[int], others: list[int], max_tokens: int) -> None:
    """Joining texts are not longer than the longest text, not much shorter, and within the limit."""
    model = RecordingModel(mixes=True)

    def job(lengths: list[int]) -> Job:
        return Job(model, [np.zeros(n, dtype=np.int32) for n in lengths], np.array(lengths, dtype=np.int32))

    batch, other = job(batch_lengths).take(500), job(others)
    joined = other.join(batch, max_tokens=max_tokens)
    lengths = [] if joined is None else [others[i] for i in joined.positions.tolist()]

    assert len(lengths) * batch.longest <= max_tokens
    assert all(0.6 * batch.longest <= length <= batch.longest for length in lengths)
    assert other.remaining == sum(others) - sum(lengths)
    fitting = sum(0.6 * batch.longest <= length <= batch.longest for length in others)
    assert len(lengths) == min(fitting, max_tokens // batch.longest)


def test_closed_scheduler_ends_its_thread_after_the_queue() -> None:
    """The thread ends at once when idle, and completes queued jobs first."""
    scheduler, model = Scheduler(), RecordingModel()
    scheduler.run(model.job(1, 1))
    thread = next(thread for thread in threading.enumerate() if thread is scheduler._thread)
    scheduler.close()
    scheduler.close()
    thread.join(5)
    assert not thread.is_alive()
    scheduler.run(model.job(2, 1))
    assert model.batches == [[1], [2]]
