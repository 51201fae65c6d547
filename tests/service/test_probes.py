from __future__ import annotations

import threading

import pytest

from rerank.core.errors import ModelInvalid, StoreUnavailable
from rerank.core.ranking import RankingModel
from rerank.service.components import Components
from rerank.service.response_models import HealthResponse, ReadyResponse
from tests.fakes import FakeEncoder, FakeModels, FakeReranker
from tests.memory_store import InMemoryStore
from tests.service.fake_service import client, components, error, loading_components, store_with


def _models() -> FakeModels:
    return FakeModels(RankingModel(FakeReranker()))


def test_loaded_service_without_an_index_is_ready() -> None:
    """/ready is 200 when the models are loaded and the store responds; an index may be created later."""
    service = client(components(store=InMemoryStore()))
    health, ready = service.get("/health"), service.get("/ready")
    assert (health.status_code, health.get_json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.get_json()) == (200, {"status": "ready", "missing": []})
    HealthResponse.model_validate(health.get_json())
    ReadyResponse.model_validate(ready.get_json())


def test_missing_components_are_listed_while_the_process_is_alive() -> None:
    """/ready is 503 and lists every component that is not loaded; /health is 200."""

    def broken() -> FakeModels:
        raise ModelInvalid("models/x: no weights")

    loading = loading_components(store_with, FakeEncoder, broken)
    service = client(loading)
    loading.store.load()
    loading.rerankers.load()
    missing = ["encoder is still loading", "reranker could not be loaded: models/x: no weights"]
    response = service.get("/ready")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    expected = error(f"not ready: {'; '.join(missing)}", "Unhealthy")
    assert response.get_json() == {**expected, "status": "not ready", "missing": missing}
    assert service.get("/health").status_code == 200


def test_unreachable_store_is_listed_until_it_recovers() -> None:
    """/ready pings the store on each request, so that a recovered store needs no restart of the service."""

    class UnreachableStore(InMemoryStore):
        down = True

        def ping(self) -> None:
            if self.down:
                raise StoreUnavailable("cannot connect to http://search:9200")

    store = UnreachableStore()
    service = client(components(store=store))
    response = service.get("/ready")
    assert (response.status_code, response.get_json()["missing"]) == (503, ["cannot connect to http://search:9200"])
    store.down = False
    assert service.get("/ready").status_code == 200


def _fails_once(attempts: list[str]) -> Components:
    """Returns components whose store cannot be opened at the first attempt."""

    def store() -> InMemoryStore:
        attempts.append("store")
        if len(attempts) == 1:
            raise StoreUnavailable("cannot open rerank-data")
        return store_with()

    return loading_components(store, FakeEncoder, _models)


def test_failed_load_is_retried_until_nothing_is_missing() -> None:
    """Loading continues in the background until every component is loaded."""
    attempts: list[str] = []
    loading = _fails_once(attempts)
    loading.load()
    assert loading.missing() == ["store could not be loaded: cannot open rerank-data"]
    loading.load_until_complete(threading.Event())
    assert (attempts, loading.missing()) == (["store", "store"], [])


def test_stop_ends_the_retries() -> None:
    """A component that never loads does not keep the process alive."""

    def never() -> InMemoryStore:
        raise StoreUnavailable("unreachable")

    loading = loading_components(never, FakeEncoder, _models)
    stop = threading.Event()
    stop.set()
    loading.load_until_complete(stop)
    assert loading.missing() == ["store could not be loaded: unreachable"]


@pytest.mark.parametrize("loaded", [True, False])
def test_close_closes_resources_and_an_opened_store_once(loaded: bool) -> None:
    """Resources close in reverse order of their opening, then the store, unless it was never opened."""
    closed: list[str] = []

    class ClosingStore(InMemoryStore):
        def close(self) -> None:
            closed.append("store")

    loading = loading_components(ClosingStore, FakeEncoder, _models)
    loading.resources.callback(closed.append, "pool")
    loading.resources.callback(closed.append, "thread")
    if loaded:
        loading.load()
    loading.close()
    loading.close()
    assert closed == (["thread", "pool", "store"] if loaded else ["thread", "pool"])
    assert loading.store.missing == "store is closed"


def test_failing_resource_does_not_prevent_closing_the_store() -> None:
    """The store closes even if another resource raises on close."""
    closed: list[str] = []

    class ClosingStore(InMemoryStore):
        def close(self) -> None:
            closed.append("store")

    def fail() -> None:
        raise OSError("already closed")

    loading = loading_components(ClosingStore, FakeEncoder, _models)
    loading.resources.callback(fail)
    loading.load()
    with pytest.raises(OSError, match="already closed"):
        loading.close()
    assert closed == ["store"]
