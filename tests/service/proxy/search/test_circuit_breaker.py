from __future__ import annotations

import threading
from pathlib import Path

from rerank.service.proxy.search.circuit_breaker import (
    FAILURE_THRESHOLD,
    OPEN_SECONDS,
    BreakerState,
    CircuitBreaker,
    Permit,
)
from tests.service.proxy.proxied_service import start_proxy, wait_until_loaded
from tests.service.proxy.sample_index import MATCH, fill, rerank_ext, rerank_result, search


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def permit_of(breaker: CircuitBreaker) -> Permit:
    """Returns a permit, which the breaker must grant."""
    permit = breaker.acquire()
    assert permit is not None
    return permit


def run(breaker: CircuitBreaker, *, succeeded: bool) -> None:
    """Runs one search with a result."""
    with permit_of(breaker) as permit:
        permit.record(succeeded=succeeded)


def open_breaker(breaker: CircuitBreaker) -> None:
    """Opens the breaker by consecutive failures."""
    for _ in range(FAILURE_THRESHOLD):
        run(breaker, succeeded=False)


def test_breaker_opens_after_consecutive_failures() -> None:
    """A success in between starts the count from zero."""
    breaker = CircuitBreaker()
    for _ in range(FAILURE_THRESHOLD - 1):
        run(breaker, succeeded=False)
    run(breaker, succeeded=True)
    assert breaker.state is BreakerState.CLOSED
    open_breaker(breaker)
    assert (breaker.state, breaker.acquire()) == (BreakerState.OPEN, None)


def test_successful_trial_closes_the_breaker() -> None:
    """The first search after OPEN_SECONDS is the trial."""
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    open_breaker(breaker)
    clock.now = OPEN_SECONDS
    states = [breaker.state]
    run(breaker, succeeded=True)
    states.append(breaker.state)
    assert states == [BreakerState.HALF_OPEN, BreakerState.CLOSED]
    assert None not in (breaker.acquire(), breaker.acquire())


def test_failed_trial_opens_the_breaker_for_another_period() -> None:
    """A single failure is enough."""
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    open_breaker(breaker)
    clock.now = OPEN_SECONDS
    run(breaker, succeeded=False)
    assert (breaker.state, breaker.acquire()) == (BreakerState.OPEN, None)
    clock.now = 2 * OPEN_SECONDS
    assert breaker.state is BreakerState.HALF_OPEN


def test_trial_without_a_result_makes_the_next_search_the_trial() -> None:
    """A search may end before it calls the reranker."""
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    open_breaker(breaker)
    clock.now = OPEN_SECONDS
    with permit_of(breaker):
        assert breaker.acquire() is None
    run(breaker, succeeded=True)
    assert breaker.state is BreakerState.CLOSED


def test_end_of_an_older_search_does_not_admit_a_second_trial() -> None:
    """While the trial runs, a search from before the failures may end, with or without a result."""
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    with permit_of(breaker):
        open_breaker(breaker)
        clock.now = OPEN_SECONDS
        trial = permit_of(breaker)
    assert breaker.acquire() is None
    with trial:
        trial.record(succeeded=True)
    assert breaker.state is BreakerState.CLOSED


def test_late_success_does_not_close_the_breaker() -> None:
    """The successful search started before the breaker opened."""
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    with permit_of(breaker) as late:
        open_breaker(breaker)
        late.record(succeeded=True)
        assert (breaker.state, breaker.acquire()) == (BreakerState.OPEN, None)
        clock.now = OPEN_SECONDS
        late.record(succeeded=True)
    assert breaker.state is BreakerState.HALF_OPEN


def test_late_failure_does_not_open_the_breaker() -> None:
    """Failures from before the breaker opened do not count after it has closed."""
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    late = [permit_of(breaker) for _ in range(FAILURE_THRESHOLD)]
    open_breaker(breaker)
    clock.now = OPEN_SECONDS
    run(breaker, succeeded=True)
    for permit in late:
        with permit:
            permit.record(succeeded=False)
    assert breaker.state is BreakerState.CLOSED


def test_concurrent_searches_get_one_trial() -> None:
    """If many threads call acquire() at the same time, one gets a permit."""
    clock = Clock()
    breaker = CircuitBreaker(clock=clock)
    open_breaker(breaker)
    clock.now = OPEN_SECONDS
    start = threading.Barrier(16)
    permits: list[Permit | None] = []

    def acquire() -> None:
        start.wait()
        permits.append(breaker.acquire())

    threads = [threading.Thread(target=acquire) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [permit is not None for permit in permits].count(True) == 1


def test_failing_reranker_is_skipped_and_reported(opensearch_url: str, tmp_path: Path) -> None:
    """Searches keep first-stage order, and after five failures skip the model. /ready and /metrics report it."""
    fill(opensearch_url)
    failing = {"query": MATCH, "ext": rerank_ext(query_context={"query_text": "break"})}
    with start_proxy(opensearch_url, tmp_path) as service:
        wait_until_loaded(service)
        assert service.send("GET", "/ready").json()["breaker"] == "closed"
        for _ in range(FAILURE_THRESHOLD):
            reply = search(service, failing)
            assert (reply.status, rerank_result(reply)) == (200, ("false", "error"))
            assert reply.json()["_rerank"]["reason"] == "error"
        reply = search(service, {"query": MATCH, "ext": rerank_ext()})
        assert (reply.status, rerank_result(reply)) == (200, ("false", "breaker_open"))
        assert "_rerank" not in reply.json()
        ready = service.send("GET", "/ready")
        assert (ready.status, ready.json()["breaker"]) == (200, "open")
        metrics = service.send("GET", "/metrics").body.decode()
    assert "rerank_breaker_open 1.0" in metrics
    assert 'rerank_proxy_searches_total{applied="false",reason="breaker_open"} 1.0' in metrics
