"""Whose batch is next: with a model whose batches are written down."""

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


class Notebook:
    """A BatchModel that answers each text's first token, and writes down which texts each batch had."""

    output_shape = ()

    def __init__(self, *, batch_tokens: int = 20, mixes: bool = False) -> None:
        self.batch_tokens = batch_tokens
        self.mixes_requests = mixes
        self.throughput = Throughput()
        self.batches: list[list[int]] = []
        self.broken: set[int] = set()
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def compute(self, parts: Sequence[BatchPart]) -> Sequence[Outputs]:
        self.begun.set()
        assert self.go_on.wait(10)
        answers = [np.array([text[0] for text in part.texts], dtype=np.float32) for part in parts]
        said = [int(value) for rows in answers for value in rows]
        if self.broken & set(said):
            raise RuntimeError("broken")
        self.batches.append(said)
        return answers

    def job(self, name: int, count: int, *, tokens: int = 10, limits: RequestLimits | None = None) -> Job:
        """A job of *count* texts, each of *tokens* tokens and with *name* as its answer."""
        texts = [np.full(tokens, name, dtype=np.int32)] * count
        return Job(self, texts, np.full(count, tokens, dtype=np.int32), limits=limits)


class Line:
    """Jobs that come while a first one is being read, so that the order of the rest is the scheduler's choice."""

    def __init__(self, model: Notebook, first: Job) -> None:
        self.scheduler = Scheduler()
        self.model = model
        self.threads: list[threading.Thread] = []
        self.errors: dict[int, Exception] = {}
        self.waiting = 0
        model.go_on.clear()
        self.come(first)
        assert model.begun.wait(10)

    def come(self, job: Job) -> None:
        """Add *job*, and wait until it stands in the line."""

        def run() -> None:
            try:
                self.scheduler.run(job)
            except RuntimeError as exc:
                self.errors[id(job)] = exc

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()
        self.waiting += 1
        until(lambda: self.scheduler.waiting == self.waiting)

    def served(self) -> list[list[int]]:
        """Go on; the batches, once all jobs are done."""
        self.model.go_on.set()
        for thread in self.threads:
            thread.join(10)
        return self.model.batches


def until(condition: Callable[[], bool]) -> None:
    """Poll *condition* until it holds."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_a_small_request_does_not_stand_behind_a_large_one() -> None:
    """The one that needs least is next, at the end of the running batch; equal ones are served as they came."""
    model = Notebook()
    line = Line(model, model.job(1, 6))
    line.come(model.job(2, 2))
    line.come(model.job(3, 2))

    assert line.served() == [[1, 1], [2, 2], [3, 3], [1, 1], [1, 1]]


def test_a_request_knows_how_long_it_waited() -> None:
    """From its coming to its first batch; also where its time is over before any."""
    model = Notebook()
    line = Line(model, model.job(1, 2))
    second = model.job(2, 6)
    line.come(second)
    hasty = model.job(3, 2, limits=RequestLimits(deadline=time.monotonic() + 0.02))
    line.come(hasty)
    until(lambda: hasty.finished.is_set())
    line.served()

    assert second.waited_ms > hasty.waited_ms >= 1
    assert not hasty.has_output.any()


def test_a_large_request_is_not_overtaken_for_ever() -> None:
    """What came once others have read as much as it needs itself stands behind it."""
    model = Notebook()
    line = Line(model, model.job(1, 2))  # 20 tokens
    large = model.job(9, 6)
    line.come(large)
    small = [model.job(name, 2) for name in range(2, 7)]
    for job in small[:2]:
        line.come(job)
    for job in small[2:]:
        job.tokens_at_arrival = 100
    # As if they had come after 100 tokens: run() notes the count of its moment, which stands still here.
    line.scheduler._tokens = 100
    for job in small[2:]:
        line.come(job)

    assert [batch[0] for batch in line.served()] == [1, 2, 3, 9, 9, 9, 4, 5, 6]


def test_requests_share_a_batch_where_the_model_allows() -> None:
    """What one request leaves free is filled with texts of like length; a far shorter one is not padded up."""
    model = Notebook(batch_tokens=40, mixes=True)
    line = Line(model, model.job(1, 1))
    line.come(model.job(2, 2))
    line.come(model.job(3, 3, tokens=9))
    line.come(model.job(4, 1, tokens=2))

    assert line.served() == [[1], [4], [2, 2, 3, 3], [3]]


def test_requests_do_not_share_a_batch_where_the_model_cannot() -> None:
    """A joint network reads one query at a time."""
    model = Notebook(batch_tokens=40)
    line = Line(model, model.job(1, 1))
    line.come(model.job(2, 2))
    line.come(model.job(3, 2))

    assert line.served() == [[1], [2, 2], [3, 3]]


def test_a_text_that_breaks_the_model_fails_its_own_request_alone() -> None:
    """A shared batch that failed is read again, request by request."""
    model = Notebook(batch_tokens=40, mixes=True)
    model.broken = {2}
    line = Line(model, model.job(1, 1))
    jobs = [model.job(2, 2), model.job(3, 2)]
    for job in jobs:
        line.come(job)

    assert line.served() == [[1], [3, 3]]
    assert [id(job) in line.errors for job in jobs] == [True, False]
    assert jobs[1].outputs.tolist() == [3, 3]


def test_deadline_in_the_queue_ends_the_waiting() -> None:
    """An expired request returns without outputs while the batch of another one continues."""
    model = Notebook()
    line = Line(model, model.job(1, 1))
    hurried = model.job(2, 1, limits=RequestLimits(deadline=time.monotonic() + 0.01))
    line.scheduler.run(hurried)

    assert not hurried.has_output.any()
    assert line.served() == [[1]]


def test_the_thread_of_a_scheduler_outlives_an_error() -> None:
    """One request's failure leaves the next one its answer."""
    scheduler, model = Scheduler(), Notebook()
    model.broken = {2}
    with pytest.raises(RuntimeError, match="broken"):
        scheduler.run(model.job(2, 1))
    job = model.job(3, 1)
    scheduler.run(job)

    assert job.outputs.tolist() == [3]


LENGTHS = st.lists(st.integers(0, 600), min_size=1, max_size=60)


@given(LENGTHS, st.integers(1, 2000))
def test_batches_hold_every_text_once_and_stay_within_their_tokens(lengths: list[int], room: int) -> None:
    """No text is lost or read twice, lengths fall from batch to batch, and padded tokens stay within the room, but
    for one text that alone is longer."""
    model = Notebook(batch_tokens=room)
    texts = [np.zeros(length, dtype=np.int32) for length in lengths]
    job = Job(model, texts, np.array(lengths, dtype=np.int32))
    taken = []
    while not job.all_taken:
        taken.append(job.take(room))

    assert sorted(i for part in taken for i in part.positions.tolist()) == list(range(len(lengths)))
    order = [lengths[i] for part in taken for i in part.positions.tolist()]
    assert order == sorted(order, reverse=True)
    assert all(part.padded <= room or len(part.positions) == 1 for part in taken)
    assert job.remaining == 0


@given(LENGTHS, LENGTHS, st.integers(1, 2000))
def test_what_joins_a_batch_fits_into_it(mine: list[int], others: list[int], room: int) -> None:
    """Texts that join are no longer than the batch's longest, not much shorter, and stay within the room."""
    model = Notebook(mixes=True)

    def job(lengths: list[int]) -> Job:
        return Job(model, [np.zeros(n, dtype=np.int32) for n in lengths], np.array(lengths, dtype=np.int32))

    batch, other = job(mine).take(500), job(others)
    joined = other.join(batch, room=room)
    lengths = [] if joined is None else [others[i] for i in joined.positions.tolist()]

    assert len(lengths) * batch.longest <= room
    assert all(0.6 * batch.longest <= length <= batch.longest for length in lengths)
    assert other.remaining == sum(others) - sum(lengths)
    fitting = sum(0.6 * batch.longest <= length <= batch.longest for length in others)
    assert len(lengths) == min(fitting, room // batch.longest)


def test_closed_scheduler_ends_its_thread_after_the_queue() -> None:
    """The thread ends at once when idle, and completes queued jobs first."""
    scheduler, model = Scheduler(), Notebook()
    scheduler.run(model.job(1, 1))
    thread = next(thread for thread in threading.enumerate() if thread is scheduler._thread)
    scheduler.close()
    scheduler.close()
    thread.join(5)
    assert not thread.is_alive()
    scheduler.run(model.job(2, 1))
    assert model.batches == [[1], [2]]
