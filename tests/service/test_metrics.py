from __future__ import annotations

from dataclasses import replace

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from rerank.core.errors import ModelOverloaded
from rerank.core.model_load import ModelLoad
from rerank.core.ranking import RankingModel
from rerank.service.metrics import Metrics
from tests.fakes import FakeModels, FakeReranker
from tests.service.fake_service import INDEX, client, components


def _samples(asked: FlaskClient, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    text = asked.get("/metrics").get_data(as_text=True)
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_answers_are_counted_by_route_method_and_status() -> None:
    """Unknown paths and verbs share one label each, so that no client can fill the memory."""
    asked = client()
    asked.get(f"/search?q=tea&index={INDEX}")
    asked.post("/search", json={})
    asked.get("/one")
    asked.get("/two")
    asked.open("/health", method="BREW")
    counted = _samples(asked, "rerank_http_requests_total")
    assert counted == {
        (("method", "GET"), ("route", "/search"), ("status", "200")): 1,
        (("method", "POST"), ("route", "/search"), ("status", "400")): 1,
        (("method", "GET"), ("route", "none"), ("status", "404")): 2,
        (("method", "other"), ("route", "none"), ("status", "405")): 1,
    }
    latency = _samples(asked, "rerank_http_request_seconds_count")
    assert latency[(("method", "GET"), ("route", "none"))] == 2


def test_rankings_are_counted_by_what_became_of_them() -> None:
    """Applied or not, and why not; and how many texts were scored."""

    def overloaded(text: str) -> None:
        if "overload" in text:
            raise ModelOverloaded("too much")

    asked = client(components(models=FakeModels(RankingModel(FakeReranker(before_each=overloaded)))))
    asked.get(f"/search?q=tea&index={INDEX}")
    asked.get(f"/search?q=tea&index={INDEX}&rerank=false")
    asked.post("/rerank", json={"query": "tea", "documents": ["a", "b"]})
    asked.post("/rerank", json={"query": "tea", "documents": ["overload"]})
    assert _samples(asked, "rerank_rankings_total") == {
        (("applied", "true"), ("reason", "none")): 2,
        (("applied", "false"), ("reason", "disabled")): 1,
    }
    assert _samples(asked, "rerank_candidates_scored_total") == {(): 5}


def test_every_stage_of_a_search_is_timed() -> None:
    """encode, retrieve, rerank and total, one observation a search."""
    asked = client()
    asked.get(f"/search?q=tea&index={INDEX}")
    assert _samples(asked, "rerank_stage_seconds_count") == {
        (("stage", stage),): 1 for stage in ("encode", "retrieve", "rerank", "total")
    }


def test_two_applications_count_apart() -> None:
    """Each has a registry of its own."""
    one, other = client(), client()
    one.get("/health")
    assert _samples(other, "rerank_http_requests_total") == {}


def test_what_the_models_did_is_counted_once() -> None:
    """Counts grow by what has been added since the last look; the queue's length is that of the moment."""
    loads = iter([ModelLoad(waiting=3, batches=2, tokens=100), ModelLoad(waiting=1, batches=5, tokens=150, refused=1)])
    parts = replace(components(), model_load=lambda: next(loads))
    measured = Metrics()
    measured.observe_load(parts.model_load())
    measured.observe_load(parts.model_load())
    text = measured.exposition().decode()

    assert "rerank_waiting 1.0" in text
    assert "rerank_model_batches_total 5.0" in text
    assert "rerank_model_tokens_total 150.0" in text
    assert "rerank_model_refused_total 1.0" in text
    assert "rerank_model_cancelled_total 0.0" in text
