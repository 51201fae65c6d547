from __future__ import annotations

import time

from rerank.core.time_budget import TimeBudget


def test_pause_keeps_the_rest_of_the_budget() -> None:
    """Time between deadline() and pause() counts, and time before and after does not."""
    budget = TimeBudget(1000)
    budget.pause()
    first = budget.deadline()
    assert first is not None
    assert first > time.monotonic() + 0.5
    time.sleep(0.05)
    budget.pause()
    budget.pause()
    second = budget.deadline()
    assert second is not None
    assert first < second <= time.monotonic() + 0.95


def test_missing_budget_has_no_deadline() -> None:
    """A budget of None never ends."""
    budget = TimeBudget(None)
    assert budget.deadline() is None
    budget.pause()
    assert budget.deadline() is None
