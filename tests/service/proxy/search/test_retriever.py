"""Elasticsearch's text_similarity_reranker, in front of OpenSearch, which has no retrievers, and of Elasticsearch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.service.proxy.proxied_service import ProxiedService, send, start_proxy, wait_until_loaded
from tests.service.proxy.sample_index import INDEX, MATCH, QUERY, fill, ids, rerank_ext, rerank_result, search
from tests.service.proxy.scripted_server import ReceivedRequest, scripted_server

LEAVES: dict[str, Any] = {"standard": {"query": {"match": {"text": "leaves"}}}}
TEA: dict[str, Any] = {"standard": {"query": {"match": {"title": "tea"}}}}


@pytest.fixture(scope="module", autouse=True)
def _sample_index(opensearch_url: str) -> None:
    fill(opensearch_url)


def reranker(inner: object, **more: object) -> dict[str, Any]:
    """Returns a body whose retriever reranks *inner*."""
    part = {"retriever": inner, "field": "text", "inference_id": "any", "inference_text": QUERY, **more}
    return {"retriever": {"text_similarity_reranker": part}}


@pytest.mark.parametrize(
    "inner",
    [
        {"standard": {"query": MATCH}},
        {"standard": {"query": MATCH, "filter": [{"range": {"year": {"lt": 2005}}}]}},
        {"knn": {"field": "vector", "k": 8, "query_vector_builder": {"text_embedding": {"model_text": QUERY}}}},
        {"knn": {"field": "vector", "query_vector": [1.0] * 8, "num_candidates": 50}},
        {"rrf": {"retrievers": [LEAVES, TEA]}},
        {"rrf": {"retrievers": [{"retriever": LEAVES, "weight": 2}, {"retriever": TEA}], "rank_constant": 1}},
        {"rrf": {"retrievers": [LEAVES, {"rrf": {"retrievers": [TEA]}}], "rank_window_size": 5}},
    ],
)
def test_retriever_is_executed_and_reranked(opensearch_proxy: ProxiedService, inner: dict[str, Any]) -> None:
    """The inner retriever searches by words, by vectors, or by both with rank fusion."""
    reply = search(opensearch_proxy, {**reranker(inner, rank_window_size=50), "size": 2, "_source": ["year"]})
    assert (reply.status, rerank_result(reply), set(ids(reply))) == (200, ("true", ""), {"2", "4"})
    assert [set(hit["_source"]) for hit in reply.json()["hits"]["hits"]] == [{"year"}, {"year"}]


def test_rrf_combines_rankings_by_rank(opensearch_proxy: ProxiedService) -> None:
    """The score of a hit is the sum of weight / (constant + rank) over the searches. The total counts all hits."""
    inner = {"rrf": {"retrievers": [{"retriever": LEAVES, "weight": 3.0}, {"retriever": TEA}], "rank_constant": 10}}
    reply = search(
        opensearch_proxy, {**reranker(inner, rank_window_size=50), "aggs": {"n": {"cardinality": {"field": "lang"}}}}
    )
    scores = {hit["_id"]: hit["_rerank"]["retrieval_score"] for hit in reply.json()["hits"]["hits"]}
    orders = [
        (
            weight,
            ids(send(opensearch_proxy.server, "POST", f"/{INDEX}/_search", {"query": member["standard"]["query"]})),
        )
        for weight, member in ((3.0, LEAVES), (1.0, TEA))
    ]
    expected: dict[str, float] = {}
    for weight, order in orders:
        for rank, doc_id in enumerate(order, start=1):
            expected[doc_id] = expected.get(doc_id, 0.0) + weight / (10 + rank)
    assert scores == pytest.approx(expected, abs=1e-8)
    assert reply.json()["hits"]["total"]["value"] == len(expected)
    assert "aggregations" in reply.json()


def test_filters_apply_to_every_search(opensearch_proxy: ProxiedService) -> None:
    """The filters of the reranker and of the fusion apply together."""
    inner = {"rrf": {"retrievers": [LEAVES, TEA], "filter": {"term": {"lang": "en"}}}}
    reply = search(opensearch_proxy, reranker(inner, filter={"range": {"year": {"gte": 2004}}}, rank_window_size=50))
    assert set(ids(reply)) == {"4", "5"}


def test_chunk_rescorer_scores_the_best_chunk(opensearch_proxy: ProxiedService) -> None:
    """Without chunk_rescorer, only the beginning of a long text is scored."""
    long = {"1": {"text": "leaves " + "rain falls on stone. " * 80 + QUERY}, "2": {"text": "leaves of tea"}}
    fill(opensearch_proxy.server, "long", long)
    scores = []
    for more in ({}, {"chunk_rescorer": {"size": 1}}):
        reply = search(opensearch_proxy, {**reranker(LEAVES, **more), "ext": rerank_ext(explain=True)}, "/long/_search")
        logits = {hit["_id"]: hit["_rerank"]["explain"]["logit"] for hit in reply.json()["hits"]["hits"]}
        scores.append([round(logits["1"], 2), round(logits["2"], 2)])
    assert scores == [[-1.33, 1.33], [4.0, 1.33]]


@pytest.mark.parametrize(
    ("inner", "more", "field"),
    [
        (5, {}, "retriever"),
        ({}, {}, "retriever"),
        ({"linear": {}}, {}, "retriever.linear"),
        ({"rrf": {}}, {}, "retriever.rrf.retrievers"),
        ({"rrf": {"retrievers": [{"standard": 1}]}}, {}, "retriever.rrf.retrievers[0].standard"),
        ({"knn": {"field": "vector"}}, {}, "retriever.knn"),
        (LEAVES, {"inference_text": ""}, "inference_text"),
        (LEAVES, {"field": None}, "field"),
        (LEAVES, {"rank_window_size": 10_001}, "rank_window_size"),
        (LEAVES, {"min_score": "x"}, "min_score"),
        (LEAVES, {"chunk_rescorer": 1}, "chunk_rescorer"),
    ],
)
def test_invalid_retriever_returns_400_with_its_key(
    opensearch_proxy: ProxiedService, inner: object, more: dict[str, Any], field: str
) -> None:
    """The error names the complete path of the key."""
    reply = search(opensearch_proxy, reranker(inner, **more))
    assert (reply.status, reply.json()["field"]) == (400, f"retriever.text_similarity_reranker.{field}")


def test_elasticsearch_executes_the_inner_retriever(tmp_path: Path) -> None:
    """The proxy removes only the reranker around it, and forwards the headers of the server."""
    texts = ("milk", "milk", QUERY)
    hits = [{"_index": "i", "_id": str(i), "_score": 1.0, "fields": {"text": [text]}} for i, text in enumerate(texts)]
    response = {"took": 1, "hits": {"total": {"value": 3}, "max_score": 1.0, "hits": hits}}
    head = (
        b"HTTP/1.1 200 OK\r\nX-elastic-product: Elasticsearch\r\n"
        b"Content-Type: application/vnd.elasticsearch+json;compatible-with=8\r\n"
    )

    def respond(request: ReceivedRequest, _: object) -> bytes:
        data = json.dumps(response).encode() if "_search" in request.line else b"{}"
        return head + b"Content-Length: %d\r\n\r\n%b" % (len(data), data)

    with scripted_server() as server:
        server.respond = respond
        with start_proxy(server.url, tmp_path) as service:
            wait_until_loaded(service)
            media = {
                "Content-Type": "application/vnd.elasticsearch+json; compatible-with=8",
                "Accept": "application/vnd.elasticsearch+json; compatible-with=8",
            }
            server.requests.clear()
            inner = {"rrf": {"retrievers": [LEAVES, TEA]}}
            reply = service.send("POST", "/i/_search", json.dumps(reranker(inner)).encode(), media)
    searched = [json.loads(request.body) for request in server.requests if request.line.startswith("POST")]
    widened = {"rrf": {"retrievers": [LEAVES, TEA], "rank_window_size": 10}}
    assert searched == [{"retriever": widened, "fields": ["text"], "from": 0, "size": 10}]
    assert (rerank_result(reply), ids(reply)) == (("true", ""), ["2", "0", "1"])
    assert reply.headers["x-elastic-product"] == "Elasticsearch"
    assert reply.headers["content-type"] == "application/vnd.elasticsearch+json;compatible-with=8"
