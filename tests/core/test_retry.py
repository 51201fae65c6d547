"""Rules for retries."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Timer

import pytest

from rerank.core.errors import RerankError, StoreFull, StoreTimeout, StoreUnavailable
from rerank.core.retry import RetryPolicy, retry

AT_ONCE = RetryPolicy(first=0, longest=0, retries=2)
TRANSIENT = (StoreUnavailable, StoreTimeout)


class Step:
    """Step that raises *errors* one by one, and then returns its number of calls."""

    def __init__(self, *errors: RerankError) -> None:
        self.calls = 0
        self._errors = list(errors)

    def __call__(self) -> int:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return self.calls


def test_transient_errors_are_retried() -> None:
    """Errors of the given classes are retried and reported; the first result is returned."""
    reported: list[tuple[str, float]] = []
    step = Step(StoreUnavailable("down"), StoreTimeout("slow"))
    result = retry(step, AT_ONCE, errors=TRANSIENT, before_wait=lambda exc, wait: reported.append((str(exc), wait)))
    assert (result, reported) == (3, [("down", 0), ("slow", 0)])


def test_exhausted_policy_raises_the_last_error() -> None:
    """After the last retry the caller gets the last error itself."""
    step = Step(*(StoreUnavailable(f"attempt {number}") for number in range(1, 9)))
    with pytest.raises(StoreUnavailable, match="attempt 3"):
        retry(step, AT_ONCE, errors=TRANSIENT)


@pytest.mark.parametrize("error", [StoreFull("full"), KeyboardInterrupt()])
def test_other_errors_are_raised_at_once(error: BaseException) -> None:
    """A retry does not free disk space, and Ctrl-C ends the retries."""

    def step() -> None:
        calls.append(1)
        raise error

    calls: list[int] = []
    with pytest.raises(type(error)):
        retry(step, AT_ONCE, errors=TRANSIENT)
    assert len(calls) == 1


@pytest.mark.parametrize(("accepted", "result"), [(2, 2), (9, 3)])
def test_results_are_retried_until_one_is_accepted(accepted: int, result: int) -> None:
    """When the policy ends first, the last result is returned."""
    assert retry(Step(), AT_ONCE, until=lambda calls: calls == accepted) == result


def test_waits_double_up_to_the_longest() -> None:
    """Each wait is twice the one before, and no wait is longer than the policy allows."""
    waits: list[float] = []
    policy = RetryPolicy(first=0.001, longest=0.003, retries=4)
    retry(Step(), policy, until=lambda _: False, before_wait=lambda _, wait: waits.append(wait))
    assert waits == [0.001, 0.002, 0.003, 0.003]


def test_jitter_only_shortens_a_wait() -> None:
    """With jitter, waits are random and at most as long as without jitter."""
    waits: list[float] = []
    policy = RetryPolicy(first=0.001, longest=0.002, retries=20, jitter=True)
    retry(Step(), policy, until=lambda _: False, before_wait=lambda _, wait: waits.append(wait))
    assert all(0 <= wait <= 0.002 for wait in waits)
    assert len(set(waits)) > 1


def test_time_limit_includes_the_next_wait() -> None:
    """A retry that would start after the time limit does not happen."""
    step, started = Step(), time.monotonic()
    retry(step, RetryPolicy(first=60, longest=60, seconds=30), until=lambda _: False)
    assert step.calls == 1
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("cancel", [Event.set, lambda event: Timer(0.05, event.set).start()], ids=["before", "during"])
def test_cancelled_step_is_not_retried(cancel: Callable[[Event], None]) -> None:
    """A cancelled wait ends at once, and the step does not run again."""
    cancelled, started = Event(), time.monotonic()
    cancel(cancelled)
    step = Step(StoreUnavailable("down"))
    with pytest.raises(StoreUnavailable):
        retry(step, RetryPolicy(first=60, longest=60), errors=TRANSIENT, cancelled=cancelled)
    assert retry(Step(), RetryPolicy(first=60, longest=60), until=lambda _: False, cancelled=cancelled) == 1
    assert step.calls == 1
    assert time.monotonic() - started < 10
