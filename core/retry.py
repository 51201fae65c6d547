"""Retries with exponential back-off, by tenacity.

stamina is not used, because it cannot interrupt a wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any, TypeVar

from tenacity import (
    Future,
    RetryCallState,
    Retrying,
    retry_any,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    stop_any,
    stop_before_delay,
    stop_never,
    stop_when_event_set,
    wait_exponential,
    wait_random_exponential,
)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Times and limits of the retries of one step.

    first: seconds before the first retry; each further wait is twice as long. longest: maximum of one wait in seconds.
    retries: maximum number of retries; None sets no limit. seconds: no retry starts later than this after the first
    attempt. jitter: wait a random time up to the computed one, so that several clients do not retry at the same moment.
    """

    first: float
    longest: float
    retries: int | None = None
    seconds: float | None = None
    jitter: bool = False


def retry(
    step: Callable[[], T],
    policy: RetryPolicy,
    *,
    errors: tuple[type[Exception], ...] = (),
    until: Callable[[T], bool] = lambda _: True,
    cancelled: Event | None = None,
    before_wait: Callable[[BaseException | None, float], None] = lambda _error, _seconds: None,
) -> T:
    """Calls *step* until it raises none of *errors* and *until* accepts its result; returns that result.

    When *policy* allows no further retry, or *cancelled* is set, returns the last result or raises the last error.
    A wait ends as soon as *cancelled* is set. *before_wait* receives the error, if any, and the seconds to wait.
    """
    cancelled = cancelled or Event()
    previous: Future | None = None

    def attempt() -> T:
        # After a cancelled wait, the retries end with the previous outcome instead of another call of the step.
        return step() if previous is None or not cancelled.is_set() else _result(previous)

    def pause(state: RetryCallState) -> None:
        nonlocal previous
        previous = state.outcome
        before_wait(state.outcome.exception() if state.outcome else None, state.upcoming_sleep)
        cancelled.wait(state.upcoming_sleep)

    wait = wait_random_exponential if policy.jitter else wait_exponential
    retrying = Retrying(
        retry=retry_any(retry_if_exception_type(errors), retry_if_result(lambda result: not until(result))),
        wait=wait(multiplier=policy.first, max=policy.longest),
        stop=stop_any(
            stop_never if policy.retries is None else stop_after_attempt(policy.retries + 1),
            stop_never if policy.seconds is None else stop_before_delay(policy.seconds),
            stop_when_event_set(cancelled),
        ),
        before_sleep=pause,
        # pause() has waited already.
        sleep=lambda _seconds: None,
        retry_error_callback=lambda state: _result(state.outcome),
    )
    return retrying(attempt)


def _result(outcome: Future | None) -> Any:
    """Returns what the attempt returned, or raises what it raised."""
    assert outcome is not None
    return outcome.result()
