"""Rules of waiting for a store."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest

from rerank.core.errors import RerankError, StoreFull, StoreTimeout, StoreUnavailable
from rerank.ingest.patience import Patience


def failing(*errors: RerankError) -> Callable[[], str]:
    left = list(errors)

    def step() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return step


def test_a_store_that_comes_back_is_used() -> None:
    """Each wait is told."""
    said: list[str] = []
    patience = Patience(waits=(0, 0), say=said.append, given_up=Event())
    assert patience.with_store(failing(StoreUnavailable("away"), StoreTimeout("slow"))) == "done"
    assert said == ["away; trying again in 0 s", "slow; trying again in 0 s"]


def test_patience_ends() -> None:
    """After the last wait the error is the user's."""
    patience = Patience(waits=(0,), say=lambda _: None, given_up=Event())
    with pytest.raises(StoreUnavailable, match="still"):
        patience.with_store(failing(StoreUnavailable("away"), StoreUnavailable("still")))


def test_what_waiting_does_not_mend_is_raised_at_once() -> None:
    """A full disk stays full."""
    said: list[str] = []
    with pytest.raises(StoreFull):
        Patience(waits=(0,), say=said.append, given_up=Event()).with_store(failing(StoreFull("full")))
    assert said == []


def test_nothing_is_tried_again_once_given_up() -> None:
    """Ctrl-C ends a wait."""
    given_up = Event()
    given_up.set()
    with pytest.raises(StoreUnavailable):
        Patience(waits=(60,), say=lambda _: None, given_up=given_up).with_store(failing(StoreUnavailable("away")))
    waiting = Event()
    with pytest.raises(StoreUnavailable):
        Patience(waits=(60,), say=lambda _: waiting.set(), given_up=waiting).with_store(
            failing(StoreUnavailable("away"))
        )
