from __future__ import annotations

import threading

import pytest

from rerank.core.errors import ModelInvalid, StoreUnavailable
from rerank.core.ranking import RankingModel
from rerank.service.components import Components
from rerank.service.response_models import HealthResponse, ReadyResponse
from tests.fakes import FakeEncoder, FakeModels, FakeReranker
from tests.memory_store import InMemoryStore
from tests.service.fake_service import client, components, error, late, store_with


def _models() -> FakeModels:
    return FakeModels(RankingModel(FakeReranker()))


def test_a_complete_service_is_ready_even_without_an_index() -> None:
    """200 when the models are loaded and the store answers; an index may come later."""
    asked = client(components(store=InMemoryStore()))
    health, ready = asked.get("/health"), asked.get("/ready")
    assert (health.status_code, health.get_json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.get_json()) == (200, {"status": "ready", "missing": []})
    HealthResponse.model_validate(health.get_json())
    ReadyResponse.model_validate(ready.get_json())


def test_what_is_missing_is_named_while_the_process_lives() -> None:
    """503 lists every part that is not there, in the one error body; /health is 200 all the while."""

    def broken() -> FakeModels:
        raise ModelInvalid("models/x: no weights")

    parts = late(store_with, FakeEncoder, broken)
    asked = client(parts)
    parts.store.load()
    parts.rerankers.load()
    missing = ["the encoder is still loading", "the reranker could not be loaded: models/x: no weights"]
    answer = asked.get("/ready")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    expected = error(f"not ready: {'; '.join(missing)}", "Unhealthy")
    assert answer.get_json() == {**expected, "status": "not ready", "missing": missing}
    assert asked.get("/health").status_code == 200


def test_a_store_that_cannot_be_reached_is_named_and_comes_back_by_itself() -> None:
    """The store is asked each time, so that its return needs no restart."""

    class Flapping(InMemoryStore):
        down = True

        def ping(self) -> None:
            if self.down:
                raise StoreUnavailable("cannot reach http://search:9200; is it running?")

    store = Flapping()
    asked = client(components(store=store))
    answer = asked.get("/ready")
    assert (answer.status_code, answer.get_json()["missing"]) == (
        503,
        ["cannot reach http://search:9200; is it running?"],
    )
    store.down = False
    assert asked.get("/ready").status_code == 200


def _fails_once(parts: list[str]) -> Components:
    """Components whose store cannot be opened at first."""

    def store() -> InMemoryStore:
        parts.append("store")
        if len(parts) == 1:
            raise StoreUnavailable("rerank-data cannot be read")
        return store_with()

    return late(store, FakeEncoder, _models)


def test_what_failed_is_tried_again_until_it_is_there() -> None:
    """Loading goes on beside the requests until nothing is missing."""
    attempts: list[str] = []
    parts = _fails_once(attempts)
    parts.load()
    assert parts.missing() == ["the store could not be loaded: rerank-data cannot be read"]
    parts.load_until_complete(threading.Event())
    assert (attempts, parts.missing()) == (["store", "store"], [])


def test_loading_ends_when_the_service_does() -> None:
    """A part that never loads does not keep the process."""

    def never() -> InMemoryStore:
        raise StoreUnavailable("gone")

    parts = late(never, FakeEncoder, _models)
    stop = threading.Event()
    stop.set()
    parts.load_until_complete(stop)
    assert parts.missing() == ["the store could not be loaded: gone"]


@pytest.mark.parametrize("loaded", [True, False])
def test_closing_releases_the_store_if_it_was_opened(loaded: bool) -> None:
    """Nothing is opened only to be closed."""
    closed: list[str] = []

    class Closing(InMemoryStore):
        def close(self) -> None:
            closed.append("store")

    parts = late(Closing, FakeEncoder, _models)
    if loaded:
        parts.load()
    parts.close()
    assert closed == (["store"] if loaded else [])
