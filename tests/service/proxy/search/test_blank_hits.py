"""Hits without text, through the proxy to a real server."""

from __future__ import annotations

import pytest

from tests.service.proxy.proxied_service import ProxiedService
from tests.service.proxy.sample_index import fill, ids, rerank_result, search

INDEX = "blank"
DOCUMENTS = {
    "missing": {"lang": "en"},
    "empty": {"lang": "en", "text": ""},
    "spaces": {"lang": "en", "text": "  \n"},
    "poor": {"lang": "en", "text": "coffee"},
    "good": {"lang": "en", "text": "green tea"},
}


@pytest.fixture(scope="module", autouse=True)
def _index(opensearch_url: str) -> None:
    fill(opensearch_url, INDEX, DOCUMENTS)


def test_hits_without_text_are_last_with_the_reason(opensearch_proxy: ProxiedService) -> None:
    """They keep first-stage order. The scores decrease."""
    ext = {"rerank": {"fields": ["text"], "query_context": {"query_text": "green tea"}, "explain": True}}
    reply = search(opensearch_proxy, {"query": {"term": {"lang": "en"}}, "ext": ext}, f"/{INDEX}/_search")
    hits = reply.json()["hits"]["hits"]
    assert ids(reply) == ["good", "poor", "missing", "empty", "spaces"]
    assert [hit["_rerank"]["explain"]["reason"] for hit in hits] == [None, None, "no_text", "no_text", "no_text"]
    assert [hit["_score"] for hit in hits] == sorted({hit["_score"] for hit in hits}, reverse=True)
    assert (rerank_result(reply), reply.json()["_rerank"]["candidates"]) == (("true", ""), 5)
    assert reply.headers["x-rerank-fields"] == "text"
    assert reply.json()["_rerank"]["fields"] == hits[0]["_rerank"]["explain"]["fields"] == ["text"]


def test_min_score_drops_hits_without_text(opensearch_proxy: ProxiedService) -> None:
    """They are counted."""
    ext = {"rerank": {"fields": ["text"], "query_context": {"query_text": "green tea"}, "min_score": 1e-9}}
    reply = search(opensearch_proxy, {"query": {"term": {"lang": "en"}}, "ext": ext}, f"/{INDEX}/_search")
    assert (ids(reply), reply.json()["_rerank"]["dropped"]) == (["good", "poor"], 3)
