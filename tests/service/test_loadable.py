from __future__ import annotations

import threading

import pytest

from rerank.core.errors import ModelInvalid, ModelUnavailable
from rerank.service.loadable import Loadable


def test_component_is_missing_until_loaded() -> None:
    """get() neither waits nor loads: it raises an error with the reason."""
    component = Loadable("encoder", lambda: 7, unavailable=ModelUnavailable)
    before: object = component.missing
    assert before == "encoder is still loading"
    with pytest.raises(ModelUnavailable, match=r"^encoder is still loading$"):
        component.get()
    component.load()
    assert component.get() == 7
    missing: object = component.missing
    assert missing is None


def test_failed_load_reports_the_reason_and_can_be_retried() -> None:
    """A component that could not be loaded reports why; the next attempt may succeed."""
    attempts: list[int] = []

    def load() -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise ModelInvalid("models/x: no weights")
        return "loaded"

    component = Loadable("reranker", load, unavailable=ModelUnavailable)
    component.load()
    with pytest.raises(ModelUnavailable, match=r"^reranker could not be loaded: models/x: no weights$"):
        component.get()
    component.load()
    assert component.get() == "loaded"


def test_unexpected_error_is_logged_and_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    """The process survives to report what is missing. The log has the traceback; the message has no internals."""

    def load() -> str:
        raise ZeroDivisionError("internals")

    component = Loadable("store", load, unavailable=ModelUnavailable)
    component.load()
    assert component.missing == "store could not be loaded; see the service log"
    assert "ZeroDivisionError: internals" in caplog.text


def test_concurrent_loads_load_once() -> None:
    """Many threads that load at the same time cause one load."""
    loads: list[int] = []
    component = Loadable("store", lambda: loads.append(1) or len(loads), unavailable=ModelUnavailable)  # type: ignore[func-returns-value]
    threads = [threading.Thread(target=component.load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (loads, component.get()) == ([1], 1)


def test_close_releases_once_and_prevents_further_loads() -> None:
    """A closed component stays closed, even when a background thread tries to load it again."""
    released: list[int] = []
    component = Loadable("store", lambda: 7, unavailable=ModelUnavailable, release=released.append)
    component.load()
    component.close()
    component.close()
    component.load()
    assert (released, component.missing) == ([7], "store is closed")


def test_close_during_load_releases_when_the_load_ends() -> None:
    """Shutdown neither waits for a load in progress nor leaves its result open."""
    released: list[int] = []
    loading, proceed = threading.Event(), threading.Event()

    def load() -> int:
        loading.set()
        proceed.wait(30)
        return 7

    component = Loadable("store", load, unavailable=ModelUnavailable, release=released.append)
    thread = threading.Thread(target=component.load)
    thread.start()
    assert loading.wait(30)
    component.close()
    assert released == []
    proceed.set()
    thread.join()
    assert (released, component.missing) == ([7], "store is closed")
