"""Rules of writing beside encoding."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest

from rerank.core.errors import StoreFull
from rerank.ingest.writing import BackgroundWriter


def write_all(write: Callable[[int], None], count: int) -> None:
    with BackgroundWriter(write, given_up=Event()) as writer:
        for item in range(count):
            writer.put(item)


def test_all_is_written_in_order() -> None:
    """Leaving the block waits for it."""
    written: list[int] = []
    write_all(written.append, 50)
    assert written == list(range(50))


def test_an_error_is_raised_where_it_is_awaited() -> None:
    """Nothing is written after it, and put() does not wait for ever."""
    written: list[int] = []

    def write(item: int) -> None:
        if item == 3:
            raise StoreFull("full")
        written.append(item)

    with pytest.raises(StoreFull, match="full"):
        write_all(write, 50)
    assert written == [0, 1, 2]


def test_an_error_in_the_last_item_is_raised_on_leaving() -> None:
    """It must not be taken for a success."""

    def write(item: int) -> None:
        raise StoreFull("full")

    with pytest.raises(StoreFull, match="full"):
        write_all(write, 1)


def test_leaving_by_an_error_drops_what_waits() -> None:
    """The item being written is finished; Ctrl-C does not wait for the rest."""
    started, go_on = Event(), Event()
    given_up = Event()
    written: list[int] = []

    def write(item: int) -> None:
        started.set()
        go_on.wait()
        written.append(item)

    def interrupted() -> None:
        with BackgroundWriter(write, given_up=given_up) as writer:
            writer.put(1)
            writer.put(2)
            started.wait()
            given_up.set()
            go_on.set()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert written == [1]
