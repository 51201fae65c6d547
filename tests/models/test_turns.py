from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from core.errors import ModelOverloaded
from models.turns import Turns


def waiting(turns: Turns, served: list[str], name: str) -> threading.Thread:
    """A thread that waits for its turn, and writes its name down when it has it."""

    def take() -> None:
        with turns.turn() as mine:
            if mine:
                served.append(name)

    thread = threading.Thread(target=take)
    thread.start()
    return thread


def until(condition: Callable[[], bool]) -> None:
    """Poll *condition* until it holds."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_first_come_first_served() -> None:
    """Threads are served in the order in which they came."""
    turns, served = Turns(waiting=None, what="x"), list[str]()
    with turns.turn():
        threads = []
        for place, name in enumerate(["a", "b", "c"], start=2):
            threads.append(waiting(turns, served, name))
            until(lambda place=place: turns.length == place)  # type: ignore[misc]
        assert served == []
    for thread in threads:
        thread.join(10)

    assert served == ["a", "b", "c"]


def test_a_deadline_ends_the_waiting() -> None:
    """Whoever's deadline passes in the line leaves it without a turn, and the next one gets it."""
    turns, served = Turns(waiting=None, what="x"), list[str]()
    answers: list[bool] = []

    def hurried() -> None:
        with turns.turn(deadline=time.monotonic()) as mine:
            answers.append(mine)

    with turns.turn():
        thread = threading.Thread(target=hurried)
        thread.start()
        thread.join(10)
    after = waiting(turns, served, "next")
    after.join(10)

    assert (answers, served) == ([False], ["next"])


def test_too_long_a_line_is_refused() -> None:
    """Beyond the places to wait, a request is told at once instead of growing the line."""
    turns, served = Turns(waiting=1, what="the reranker x"), list[str]()
    with turns.turn():
        thread = waiting(turns, served, "second")
        until(lambda: turns.length == 2)
        with pytest.raises(ModelOverloaded, match="the reranker x: 1 requests are waiting already"), turns.turn():
            pass
    thread.join(10)

    assert served == ["second"]


def test_an_error_gives_the_turn_back() -> None:
    """A request that fails does not block the others."""
    turns = Turns(waiting=0, what="x")
    with pytest.raises(ValueError, match="wrong"), turns.turn():
        raise ValueError("wrong")

    with turns.turn() as mine:
        assert mine
