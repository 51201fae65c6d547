from __future__ import annotations

import json
import re
import uuid

import numpy as np
import pytest

from rerank.core.errors import ModelInvalid, ModelOutputInvalid, ModelOverloaded
from rerank.core.long_texts import BEST_WINDOW
from rerank.core.ranking import RankingModel
from rerank.service.dialects.cohere import CohereResponse
from rerank.service.dialects.ranking import rank_texts
from tests.fakes import FakeEncoder, FakeModels, FakeReranker
from tests.service.dialects.fixed_reranker import FixedReranker, fixed_components, short_window_components
from tests.service.fake_service import client, components, error, loading_components, store_with

REQUEST = {"query": "green tea", "documents": ["coffee", "green tea", "tea", "rain"]}


@pytest.mark.parametrize(
    ("path", "version"), [("/rerank", "2"), ("/v1/rerank", "1"), ("/v2/rerank", "2"), ("/api/v1/rerank", "2")]
)
def test_response_has_the_keys_of_every_client(path: str, version: str) -> None:
    """Cohere's id and meta, Jina's model and usage, and the results are in one body."""
    response = client().post(path, json=REQUEST).get_json()
    CohereResponse.model_validate(response)
    assert uuid.UUID(response.pop("id")).version == 4
    assert isinstance(response.pop("created"), int)
    assert response == {
        "object": "list",
        "model": "fake-reranker",
        "results": [
            {"index": 1, "relevance_score": 0.98201379},
            {"index": 2, "relevance_score": 0.5},
            {"index": 0, "relevance_score": 0.01798621},
            {"index": 3, "relevance_score": 0.01798621},
        ],
        "usage": {"prompt_tokens": 13, "total_tokens": 13},
        "meta": {
            "api_version": {"version": version, "is_experimental": False},
            "billed_units": {"search_units": 1},
            "tokens": {"input_tokens": 13, "output_tokens": 0},
        },
    }


def test_top_n_limits_results_and_return_documents_adds_texts() -> None:
    """Each result has its document as an object with a text."""
    body = {**REQUEST, "top_n": 1, "return_documents": True}
    results = client().post("/v1/rerank", json=body).get_json()["results"]
    assert results == [{"index": 1, "relevance_score": 0.98201379, "document": {"text": "green tea"}}]


def test_top_n_above_the_number_of_documents_returns_all() -> None:
    """ml-commons sends the number of documents; a larger number is not an error."""
    assert len(client().post("/rerank", json={**REQUEST, "top_n": 99}).get_json()["results"]) == 4


def test_documents_may_be_objects() -> None:
    """The text of an object is its key text, or the keys of rank_fields, one per line."""
    documents = [{"text": "coffee", "n": 1}, {"text": "green tea"}]
    by_text = client().post("/v1/rerank", json={**REQUEST, "documents": documents}).get_json()
    assert [result["index"] for result in by_text["results"]] == [1, 0]
    documents = [{"title": "green", "body": "tea"}, {"title": "black", "body": None, "text": "green tea"}]
    body = {**REQUEST, "documents": documents, "rank_fields": ["title", "body"], "return_documents": True}
    by_fields = client().post("/v1/rerank", json=body).get_json()
    assert [result["document"]["text"] for result in by_fields["results"]] == ["green\ntea", "black"]


def test_limits_and_priority_of_clients_are_accepted() -> None:
    """Cohere's client always sends these limits."""
    body = {**REQUEST, "max_tokens_per_doc": 4096, "max_chunks_per_doc": 10, "priority": 0}
    assert client().post("/v2/rerank", json=body).status_code == 200


def test_scores_are_parsed_as_doubles_by_json_smart() -> None:
    """A score has at most 18 characters and a point or an exponent, because ml-commons casts it to Double."""
    logits = np.random.default_rng(0).normal(scale=12, size=500).tolist()
    response = (
        client(fixed_components(logits))
        .post("/rerank", json={"query": "q", "documents": ["d"] * 500})
        .get_data(as_text=True)
    )
    literals = re.findall(r'"relevance_score":([^,}]+)', response)
    assert len(literals) == 500
    assert [literal for literal in literals if len(literal) > 18 or not re.search(r"[.e]", literal)] == []


def test_order_uses_unrounded_logits() -> None:
    """Scores that round to the same value keep the order of the model; ties keep the order of the request."""
    model = RankingModel(FixedReranker([30.0, 31.0, 30.0, 32.0]))
    ranking = rank_texts(model, "q", ["a", "b", "c", "d"], limits=BEST_WINDOW)
    assert [result.index for result in ranking.results] == [3, 1, 0, 2]


def test_unscored_documents_follow_in_request_order_after_a_timeout() -> None:
    """The scores of unscored documents are descending and below all others; the header has the reason."""
    response = client(fixed_components([-1.0, 1.0, 0, 0], scored=2)).post("/rerank", json={**REQUEST, "timeout_ms": 5})
    results = response.get_json()["results"]
    assert [result["index"] for result in results] == [1, 0, 2, 3]
    scores = [result["relevance_score"] for result in results]
    assert scores == sorted(set(scores), reverse=True)
    headers = ("x-rerank-applied", "x-rerank-reason", "x-rerank-model")
    assert [response.headers[name] for name in headers] == ["true", "timeout", "fake-reranker"]


def test_timeout_before_the_first_score_returns_request_order() -> None:
    """All scores are 0, and the headers report that reranking was not applied."""
    response = client(fixed_components([0, 0, 0, 0], scored=0)).post("/rerank", json={**REQUEST, "timeout_ms": 5})
    assert response.get_json()["results"] == [{"index": i, "relevance_score": 0.0} for i in range(4)]
    assert [response.headers[name] for name in ("x-rerank-applied", "x-rerank-reason")] == ["false", "timeout"]
    assert re.search(r'"relevance_score":0\.0[,}]', response.get_data(as_text=True))


def test_request_may_name_a_configured_model() -> None:
    """Valid names are those of /models, and default."""
    service = client()
    assert service.post("/rerank", json={**REQUEST, "model": "other"}).get_json()["model"] == "other"
    assert service.post("/rerank", json={**REQUEST, "model": "default"}).get_json()["model"] == "fake-reranker"
    unknown = service.post("/rerank", json={**REQUEST, "model": "rerank-v3.5"})
    message = 'no reranker "rerank-v3.5" is configured. Configured: fake-reranker, other'
    assert (unknown.status_code, unknown.get_json()) == (404, error(message, "NotFound"))


@pytest.mark.parametrize(
    ("changes", "message", "field"),
    [
        ({"documents": []}, '"documents" must not be empty', "documents"),
        ({"documents": ["x"] * 10_001}, '"documents" must have at most 10,000 items, got 10,001', "documents"),
        ({"documents": "x"}, '"documents" must be a list, got "x"', "documents"),
        ({"documents": ["x", 1]}, '"documents[1]" must be a string or an object with a "text" key', "documents[1]"),
        ({"documents": [{"title": "x"}]}, '"documents[0]" has no text: it must have the key text', "documents[0]"),
        ({"documents": [{"text": 1}]}, '"documents[0].text" must be a string', "documents[0].text"),
        ({"documents": ["\udc00"]}, '"documents[0]" is not valid Unicode: a lone surrogate', "documents[0]"),
        ({"query": ""}, '"query" is blank. Send the text to search for', "query"),
        ({"top_n": -1}, '"top_n" must be at least 0, got -1', "top_n"),
        ({"top_n": True}, '"top_n" must be an integer, got true', "top_n"),
    ],
)
def test_invalid_value_returns_400_with_its_key(changes: dict[str, object], message: str, field: str) -> None:
    """Every value with a wrong type or out of range is an error that names its key."""
    response = client().post("/rerank", json={**REQUEST, **changes})
    assert (response.status_code, response.get_json()) == (400, error(message, field=field))


@pytest.mark.parametrize(
    ("problem", "status", "error_type", "retry_after"),
    [
        (ModelOverloaded("the queue is full"), 429, "Overloaded", "1"),
        (ModelOutputInvalid("the model returned NaN"), 500, "Backend", None),
    ],
)
def test_model_failure_is_an_error(problem: Exception, status: int, error_type: str, retry_after: str | None) -> None:
    """A rerank call has no first-stage order to return instead."""

    def before_each(_: str) -> None:
        raise problem

    models = FakeModels(RankingModel(FakeReranker(before_each=before_each)))
    response = client(components(models=models)).post("/rerank", json=REQUEST)
    assert (response.status_code, response.get_json()) == (status, error(str(problem), error_type))
    assert response.headers.get("Retry-After") == retry_after


def test_missing_model_returns_503_with_the_reason() -> None:
    """The message distinguishes a loading model from a model that could not be loaded."""

    def broken() -> FakeModels:
        raise ModelInvalid("models/x: no weights")

    loading = loading_components(store_with, FakeEncoder, broken)
    service = client(loading)
    early = service.post("/rerank", json=REQUEST)
    assert (early.status_code, early.get_json()) == (
        503,
        error("reranker is still loading", "Unhealthy"),
    )
    loading.load()
    failed = service.post("/rerank", json=REQUEST)
    message = "reranker could not be loaded: models/x: no weights"
    assert (failed.status_code, failed.get_json()) == (503, error(message, "Unhealthy"))


def test_results_have_no_keys_that_strict_clients_reject() -> None:
    """Elasticsearch's parsers reject unknown keys."""
    response = json.loads(client().post("/v1/rerank", json={**REQUEST, "return_documents": True}).data)
    assert {key for result in response["results"] for key in result} == {"index", "relevance_score", "document"}


def test_vllm_keys_return_documents_and_logits() -> None:
    """top_n 0 returns all results, each with its document, and use_activation false returns logits."""
    body = {**REQUEST, "top_n": 0, "use_activation": False, "priority": 0, "user": "u", "request_id": "r"}
    results = client().post("/v1/rerank", json=body).get_json()["results"]
    assert results == [
        {"index": 1, "relevance_score": 4.0, "document": {"text": "green tea"}},
        {"index": 2, "relevance_score": 0.0, "document": {"text": "tea"}},
        {"index": 0, "relevance_score": -4.0, "document": {"text": "coffee"}},
        {"index": 3, "relevance_score": -4.0, "document": {"text": "rain"}},
    ]


LONG = "rain falls on stone " * 10 + "green tea"


@pytest.mark.parametrize(
    ("limits", "best", "truncated"),
    [
        ({}, 1, None),
        ({"max_chunks_per_doc": 1}, 0, "1"),
        ({"max_tokens_per_doc": 10}, 0, "1"),
        ({"truncate_prompt_tokens": -1}, 0, "1"),
        ({"truncate_prompt_tokens": 10}, 0, "1"),
    ],
)
def test_long_document_is_scored_by_its_best_window(limits: dict[str, int], best: int, truncated: str | None) -> None:
    """A match at the end of a long document counts, unless a limit of the request truncates the document."""
    body = {"query": "green tea", "documents": ["tea", LONG], **limits}
    response = client(short_window_components()).post("/v2/rerank", json=body)
    assert response.get_json()["results"][0]["index"] == best
    assert response.headers.get("x-rerank-truncated") == truncated
    warnings = None if truncated is None else ["document 1 was truncated"]
    assert response.get_json()["meta"].get("warnings") == warnings


def test_truncated_query_is_reported() -> None:
    """A header and one of Cohere's warnings report it; documents keep at least one token."""
    response = client(short_window_components(4)).post("/v2/rerank", json={**REQUEST, "query": "green tea " * 9})
    assert response.headers["x-rerank-truncated"].split(",")[0] == "query"
    assert (
        response.get_json()["meta"]["warnings"][0] == "the query was truncated: it exceeds the model's maximum length"
    )
