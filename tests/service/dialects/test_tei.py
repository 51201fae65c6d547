from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rerank.core.errors import ModelInvalid, ModelOutputInvalid, ModelOverloaded
from rerank.core.protocols import RerankScores
from rerank.core.ranking import RankingModel
from tests.fakes import FakeEncoder, FakeModels, FakeReranker
from tests.service.dialects.fixed_reranker import short_window_components
from tests.service.fake_service import client, components, error, loading_components, store_with

REQUEST = {"query": "green tea", "texts": ["coffee", "green tea", "tea"]}
COMPUTE_HEADERS = [
    "x-compute-type",
    "x-compute-time",
    "x-compute-characters",
    "x-compute-tokens",
    "x-total-time",
    "x-tokenization-time",
    "x-queue-time",
    "x-inference-time",
]


@pytest.mark.parametrize("path", ["/rerank", "/", "/invocations", "/v1/rerank"])
def test_texts_return_a_list(path: str) -> None:
    """Results are sorted, and have the score under the keys of TEI and of OpenSearch."""
    assert client().post(path, json=REQUEST).get_json() == [
        {"index": 1, "score": 0.98201379, "relevance_score": 0.98201379},
        {"index": 2, "score": 0.5, "relevance_score": 0.5},
        {"index": 0, "score": 0.01798621, "relevance_score": 0.01798621},
    ]


def test_raw_scores_and_return_text_add_logits_and_texts() -> None:
    """raw_scores returns logits; return_text returns the texts."""
    results = client().post("/rerank", json={**REQUEST, "raw_scores": True, "return_text": True}).get_json()
    assert results == [
        {"index": 1, "score": 4.0, "relevance_score": 4.0, "text": "green tea"},
        {"index": 2, "score": 0.0, "relevance_score": 0.0, "text": "tea"},
        {"index": 0, "score": -4.0, "relevance_score": -4.0, "text": "coffee"},
    ]


def test_headers_report_the_cost() -> None:
    """All of TEI's eight headers are integers, except the type."""
    headers = client().post("/rerank", json=REQUEST).headers
    costs = {name: headers[name] for name in COMPUTE_HEADERS}
    assert costs.pop("x-compute-type") == "cpu"
    assert all(value.isdigit() for value in costs.values())
    assert costs["x-compute-characters"] == str(len("green tea") + len("coffee") + len("green tea") + len("tea"))
    assert costs["x-compute-tokens"] == "10"


class QueuedReranker(FakeReranker):
    """A reranker whose requests waited in the queue."""

    def score(self, *args: Any, **limits: Any) -> RerankScores:
        return replace(super().score(*args, **limits), waited_ms=41.6)


def test_queue_time_is_reported() -> None:
    """The header has whole milliseconds, as in text-embeddings-inference."""
    queued = components(models=FakeModels(RankingModel(QueuedReranker())))
    assert client(queued).post("/rerank", json=REQUEST).headers["x-queue-time"] == "42"


@pytest.mark.parametrize(
    ("keys", "order", "truncated"),
    [
        ({}, [1, 0], "0"),
        ({"truncate": True, "truncation_direction": "right"}, [1, 0], "0"),
        ({"truncate": True, "truncation_direction": "Left"}, [0, 1], "0"),
        ({"truncation_direction": "left"}, [0, 1], "0"),
    ],
)
def test_long_text_is_truncated_at_the_given_end(keys: dict[str, Any], order: list[int], truncated: str) -> None:
    """One window is scored, as in TEI, and the truncation is reported."""
    body = {"query": "green tea", "texts": ["rain " * 30 + "green tea", "tea"], **keys}
    response = client(short_window_components()).post("/rerank", json=body)
    assert [result["index"] for result in response.get_json()] == order
    assert response.headers["x-rerank-truncated"] == truncated


def test_long_text_with_truncate_false_returns_422() -> None:
    """The message has the length of the text and the maximum."""
    body = {"query": "green tea", "texts": ["tea", "rain " * 30], "truncate": False}
    response = client(short_window_components()).post("/rerank", json=body)
    message = "text 1 must have at most 22 tokens with this query, got 30. Shorten the text or allow truncation"
    assert (response.status_code, response.get_json()) == (422, error(message))


@pytest.mark.parametrize(
    ("changes", "status", "body"),
    [
        ({"texts": []}, 400, error('"texts" must not be empty', "Empty", field="texts")),
        ({"texts": "x"}, 422, error('"texts" must be a list, got "x"', field="texts")),
        ({"texts": ["x"] * 10_001}, 422, error('"texts" must have at most 10,000 items, got 10,001', field="texts")),
        ({"texts": [1]}, 422, error('"texts[0]" must be a string, got 1', field="texts[0]")),
        ({"texts": ["\udc00"]}, 422, error('"texts[0]" is not valid Unicode: a lone surrogate', field="texts[0]")),
        ({"query": None}, 422, error('"query" must be a string, got null', field="query")),
        ({"query": " "}, 422, error('"query" is blank. Send the text to search for', field="query")),
        ({"model": "x"}, 404, error('no reranker "x" is configured. Configured: fake-reranker, other', "NotFound")),
    ],
)
def test_invalid_body_has_the_status_of_tei(changes: dict[str, object], status: int, body: dict[str, object]) -> None:
    """Validation errors are 422, and an empty list of texts is 400, in the shared body."""
    response = client().post("/rerank", json={**REQUEST, **changes})
    assert (response.status_code, response.get_json()) == (status, body)


@pytest.mark.parametrize(
    ("problem", "status", "error_type", "retry_after"),
    [
        (ModelOverloaded("the queue is full"), 429, "Overloaded", "1"),
        (ModelOutputInvalid("the model returned NaN"), 424, "Backend", None),
        (ModelInvalid("no weights"), 424, "Backend", None),
    ],
)
def test_model_failure_has_the_status_of_tei(
    problem: Exception, status: int, error_type: str, retry_after: str | None
) -> None:
    """A failed model is 424; a full queue is 429 with Retry-After."""

    def before_each(_: str) -> None:
        raise problem

    models = FakeModels(RankingModel(FakeReranker(before_each=before_each)))
    response = client(components(models=models)).post("/rerank", json=REQUEST)
    assert (response.status_code, response.get_json()) == (status, error(str(problem), error_type))
    assert response.headers.get("Retry-After") == retry_after


def test_loading_model_returns_503() -> None:
    """The error type is Unhealthy, as in TEI."""
    loading = loading_components(store_with, FakeEncoder, lambda: FakeModels(RankingModel(FakeReranker())))
    response = client(loading).post("/rerank", json=REQUEST)
    assert (response.status_code, response.get_json()) == (503, error("reranker is still loading", "Unhealthy"))
