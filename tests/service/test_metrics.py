from __future__ import annotations

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from rerank.core.errors import ModelOverloaded
from rerank.core.model_load import ModelLoad
from rerank.core.ranking import RankingModel
from rerank.service.metrics import Metrics
from tests.fakes import FakeModels, FakeReranker
from tests.service.fake_service import INDEX, client, components


def _samples(service: FlaskClient, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    text = service.get("/metrics").get_data(as_text=True)
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_responses_are_counted_by_route_method_and_status() -> None:
    """Unknown paths and methods share one label each, so that no client can exhaust the memory."""
    service = client()
    service.get(f"/search?q=tea&index={INDEX}")
    service.post("/search", json={})
    service.get("/one")
    service.get("/two")
    service.open("/health", method="BREW")
    counts = _samples(service, "rerank_http_requests_total")
    assert counts == {
        (("method", "GET"), ("route", "/search"), ("status", "200")): 1,
        (("method", "POST"), ("route", "/search"), ("status", "400")): 1,
        (("method", "GET"), ("route", "none"), ("status", "404")): 2,
        (("method", "other"), ("route", "none"), ("status", "405")): 1,
    }
    latency_counts = _samples(service, "rerank_http_request_seconds_count")
    assert latency_counts[(("method", "GET"), ("route", "none"))] == 2


def test_rankings_are_counted_by_outcome() -> None:
    """The counters record whether reranking was applied, the reason if not, and the number of scored texts."""

    def overloaded(text: str) -> None:
        if "overload" in text:
            raise ModelOverloaded("too much")

    service = client(components(models=FakeModels(RankingModel(FakeReranker(before_each=overloaded)))))
    service.get(f"/search?q=tea&index={INDEX}")
    service.get(f"/search?q=tea&index={INDEX}&rerank=false")
    service.post("/rerank", json={"query": "tea", "documents": ["a", "b"]})
    service.post("/rerank", json={"query": "tea", "documents": ["overload"]})
    assert _samples(service, "rerank_rankings_total") == {
        (("applied", "true"), ("reason", "none")): 2,
        (("applied", "false"), ("reason", "disabled")): 1,
    }
    assert _samples(service, "rerank_candidates_scored_total") == {(): 5}


def test_every_stage_of_a_search_is_timed() -> None:
    """encode, retrieve, rerank and total have one observation per search."""
    service = client()
    service.get(f"/search?q=tea&index={INDEX}")
    assert _samples(service, "rerank_stage_seconds_count") == {
        (("stage", stage),): 1 for stage in ("encode", "retrieve", "rerank", "total")
    }


def test_applications_have_separate_metrics() -> None:
    """Each application has its own registry."""
    first, second = client(), client()
    first.get("/health")
    assert _samples(second, "rerank_http_requests_total") == {}


def test_model_totals_are_counted_once() -> None:
    """Counters grow by the increase since the last observation; the queue length is the current one."""
    loads = [ModelLoad(waiting=3, batches=2, tokens=100), ModelLoad(waiting=1, batches=5, tokens=150, refused=1)]
    metrics = Metrics()
    for load in loads:
        metrics.observe_load(load)
    text = metrics.exposition().decode()

    assert "rerank_waiting 1.0" in text
    assert "rerank_model_batches_total 5.0" in text
    assert "rerank_model_tokens_total 150.0" in text
    assert "rerank_model_refused_total 1.0" in text
    assert "rerank_model_cancelled_total 0.0" in text
