"""Elasticsearch's text_similarity_reranker, on a server that knows no retriever, and on one that does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.service.proxy.library import INDEX, MATCH, QUERY, fill, ids, reranked, search, told
from tests.service.proxy.scripted import Asked, scripted_server
from tests.service.proxy.standing import Standing, ask, standing_before, until_loaded

LEAVES: dict[str, Any] = {"standard": {"query": {"match": {"text": "leaves"}}}}
TEA: dict[str, Any] = {"standard": {"query": {"match": {"title": "tea"}}}}


@pytest.fixture(scope="module", autouse=True)
def _library(opensearch_url: str) -> None:
    fill(opensearch_url)


def reranker(inner: object, **more: object) -> dict[str, Any]:
    """The body's retriever."""
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
def test_a_retriever_is_searched_and_re_ranked(before_opensearch: Standing, inner: dict[str, Any]) -> None:
    """Words, vectors, and both fused by rank."""
    reply = search(before_opensearch, {**reranker(inner, rank_window_size=50), "size": 2, "_source": ["year"]})
    assert (reply.status, told(reply), set(ids(reply))) == (200, ("true", ""), {"2", "4"})
    assert [set(hit["_source"]) for hit in reply.json()["hits"]["hits"]] == [{"year"}, {"year"}]


def test_orders_are_fused_by_rank(before_opensearch: Standing) -> None:
    """A hit's score is the sum of weight / (constant + rank) over the searches that found it; the total is of all."""
    inner = {"rrf": {"retrievers": [{"retriever": LEAVES, "weight": 3.0}, {"retriever": TEA}], "rank_constant": 10}}
    reply = search(
        before_opensearch, {**reranker(inner, rank_window_size=50), "aggs": {"n": {"cardinality": {"field": "lang"}}}}
    )
    found = {hit["_id"]: hit["_rerank"]["retrieval_score"] for hit in reply.json()["hits"]["hits"]}
    orders = [
        (weight, ids(ask(before_opensearch.server, "POST", f"/{INDEX}/_search", {"query": leg["standard"]["query"]})))
        for weight, leg in ((3.0, LEAVES), (1.0, TEA))
    ]
    expected: dict[str, float] = {}
    for weight, order in orders:
        for rank, doc_id in enumerate(order, start=1):
            expected[doc_id] = expected.get(doc_id, 0.0) + weight / (10 + rank)
    assert found == pytest.approx(expected, abs=1e-8)
    assert reply.json()["hits"]["total"]["value"] == len(expected)
    assert "aggregations" in reply.json()


def test_filters_hold_for_every_part(before_opensearch: Standing) -> None:
    """The reranker's filter and the fusion's."""
    inner = {"rrf": {"retrievers": [LEAVES, TEA], "filter": {"term": {"lang": "en"}}}}
    reply = search(before_opensearch, reranker(inner, filter={"range": {"year": {"gte": 2004}}}, rank_window_size=50))
    assert set(ids(reply)) == {"4", "5"}


def test_the_best_part_of_a_long_hit_counts_where_it_is_asked_for(before_opensearch: Standing) -> None:
    """chunk_rescorer: what answers the query at the end of a text is read; without it the beginning is all."""
    long = {"1": {"text": "leaves " + "rain falls on stone. " * 80 + QUERY}, "2": {"text": "leaves of tea"}}
    fill(before_opensearch.server, "long", long)
    scores = []
    for more in ({}, {"chunk_rescorer": {"size": 1}}):
        reply = search(before_opensearch, {**reranker(LEAVES, **more), "ext": reranked(explain=True)}, "/long/_search")
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
def test_what_cannot_be_read_is_named(
    before_opensearch: Standing, inner: object, more: dict[str, Any], field: str
) -> None:
    """400 with the key's whole path."""
    reply = search(before_opensearch, reranker(inner, **more))
    assert (reply.status, reply.json()["field"]) == (400, f"retriever.text_similarity_reranker.{field}")


def test_an_elasticsearch_searches_by_its_own_retriever(tmp_path: Path) -> None:
    """It knows the inner retriever: only the reranker around it is ours, and its headers come back."""
    texts = ("milk", "milk", QUERY)
    hits = [{"_index": "i", "_id": str(i), "_score": 1.0, "fields": {"text": [text]}} for i, text in enumerate(texts)]
    answer = {"took": 1, "hits": {"total": {"value": 3}, "max_score": 1.0, "hits": hits}}
    head = (
        b"HTTP/1.1 200 OK\r\nX-elastic-product: Elasticsearch\r\n"
        b"Content-Type: application/vnd.elasticsearch+json;compatible-with=8\r\n"
    )

    def said(asked: Asked, _: object) -> bytes:
        data = json.dumps(answer).encode() if "_search" in asked.line else b"{}"
        return head + b"Content-Length: %d\r\n\r\n%b" % (len(data), data)

    with scripted_server() as server:
        server.answer = said
        with standing_before(server.url, tmp_path) as service:
            until_loaded(service)
            media = {
                "Content-Type": "application/vnd.elasticsearch+json; compatible-with=8",
                "Accept": "application/vnd.elasticsearch+json; compatible-with=8",
            }
            server.asked.clear()
            inner = {"rrf": {"retrievers": [LEAVES, TEA]}}
            reply = service.ask("POST", "/i/_search", json.dumps(reranker(inner)).encode(), media)
    searched = [json.loads(asked.body) for asked in server.asked if asked.line.startswith("POST")]
    wide = {"rrf": {"retrievers": [LEAVES, TEA], "rank_window_size": 10}}
    assert searched == [{"retriever": wide, "fields": ["text"], "from": 0, "size": 10}]
    assert (told(reply), ids(reply)) == (("true", ""), ["2", "0", "1"])
    assert reply.headers["x-elastic-product"] == "Elasticsearch"
    assert reply.headers["content-type"] == "application/vnd.elasticsearch+json;compatible-with=8"
