from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest

from rerank.core.errors import StoreFull
from rerank.ingest.background_writer import BackgroundWriter


def write_all(write: Callable[[int], None], count: int) -> None:
    with BackgroundWriter(write, cancelled=Event()) as writer:
        for item in range(count):
            writer.put(item)


def test_items_are_written_in_order() -> None:
    """The end of the block waits for all items."""
    written: list[int] = []
    write_all(written.append, 50)
    assert written == list(range(50))


def test_write_error_is_raised_to_the_caller() -> None:
    """No item is written after an error, and put() does not block forever."""
    written: list[int] = []

    def write(item: int) -> None:
        if item == 3:
            raise StoreFull("full")
        written.append(item)

    with pytest.raises(StoreFull, match="full"):
        write_all(write, 50)
    assert written == [0, 1, 2]


def test_error_of_the_last_item_is_raised_at_the_end() -> None:
    """An error after the last put() is not lost."""

    def write(item: int) -> None:
        raise StoreFull("full")

    with pytest.raises(StoreFull, match="full"):
        write_all(write, 1)


def test_interrupt_drops_queued_items() -> None:
    """Ctrl-C waits for the current item only."""
    started, proceed = Event(), Event()
    cancelled = Event()
    written: list[int] = []

    def write(item: int) -> None:
        started.set()
        proceed.wait()
        written.append(item)

    def interrupted() -> None:
        with BackgroundWriter(write, cancelled=cancelled) as writer:
            writer.put(1)
            writer.put(2)
            started.wait()
            cancelled.set()
            proceed.set()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert written == [1]
