from __future__ import annotations

import threading

import pytest

from rerank.core.errors import ModelInvalid, ModelUnavailable
from rerank.service.loadable import Loadable


def test_a_part_is_missing_until_it_is_loaded() -> None:
    """get() never waits and never loads: it says what is the matter."""
    part = Loadable("the encoder", lambda: 7, unavailable=ModelUnavailable)
    before: object = part.missing
    assert before == "the encoder is still loading"
    with pytest.raises(ModelUnavailable, match=r"^the encoder is still loading$"):
        part.get()
    part.load()
    assert part.get() == 7
    missing: object = part.missing
    assert missing is None


def test_a_failure_is_told_and_may_be_mended() -> None:
    """A part that could not be loaded says why; the next attempt may succeed."""
    attempts: list[int] = []

    def load() -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise ModelInvalid("models/x: no weights")
        return "loaded"

    part = Loadable("the reranker", load, unavailable=ModelUnavailable)
    part.load()
    with pytest.raises(ModelUnavailable, match=r"^the reranker could not be loaded: models/x: no weights$"):
        part.get()
    part.load()
    assert part.get() == "loaded"


def test_whatever_a_library_raises_stays_here(caplog: pytest.LogCaptureFixture) -> None:
    """The process must live to say what is missing; the log has the traceback, the message no internals."""

    def load() -> str:
        raise ZeroDivisionError("internals")

    part = Loadable("the store", load, unavailable=ModelUnavailable)
    part.load()
    assert part.missing == "the store could not be loaded; the service's log says why"
    assert "ZeroDivisionError: internals" in caplog.text


def test_many_threads_load_once() -> None:
    """However many ask for it, one load is made."""
    loads: list[int] = []
    part = Loadable("the store", lambda: loads.append(1) or len(loads), unavailable=ModelUnavailable)  # type: ignore[func-returns-value]
    threads = [threading.Thread(target=part.load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (loads, part.get()) == ([1], 1)
