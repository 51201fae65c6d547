"""Rules for searches with large filters."""

from __future__ import annotations

import threading

import pytest

from rerank.core.errors import StoreTimeout
from rerank.index.embedded.searches import LARGE_CLAUSES, Condition, LargeFilters

LARGE, SMALL = Condition("true", LARGE_CLAUSES), Condition("true", LARGE_CLAUSES - 1)


def test_large_filter_waits_for_another_one() -> None:
    """One large filter runs at a time, and a waiting search has a deadline."""
    filters = LargeFilters(seconds=0.05)
    with filters.turn(LARGE), pytest.raises(StoreTimeout, match="filters of 32 clauses or more"), filters.turn(LARGE):
        pass
    with filters.turn(LARGE):
        pass


def test_other_searches_do_not_wait_for_a_large_filter() -> None:
    """Searches with a small filter or without one run beside a large filter."""
    filters = LargeFilters()
    finished = []

    def search(condition: Condition | None) -> None:
        with filters.turn(condition):
            finished.append(condition)

    with filters.turn(LARGE):
        threads = [threading.Thread(target=search, args=(condition,)) for condition in (None, SMALL)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {None, SMALL} == set(finished)
