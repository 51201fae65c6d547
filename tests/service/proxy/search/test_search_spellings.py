"""Spellings of a search that OpenSearch accepts, through the proxy to a real server."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from tests.service.proxy.proxied_service import ProxiedService, Reply
from tests.service.proxy.sample_index import INDEX, MATCH, fill, ids, rerank_ext, rerank_result, search

RERANKED = {"query": MATCH, "ext": rerank_ext()}
TEMPLATE = {"source": RERANKED, "params": {}}
AS_TEXT = {
    "source": json.dumps(RERANKED).replace("green tea leaves", "{{words}}"),
    "params": {"words": "green tea leaves"},
}


@pytest.fixture(scope="module", autouse=True)
def _sample_index(opensearch_url: str) -> None:
    fill(opensearch_url)


@pytest.fixture(scope="module")
def expected(opensearch_proxy: ProxiedService) -> list[str]:
    """Returns the ids of the plain spelling."""
    return ids(search(opensearch_proxy, RERANKED))


@pytest.mark.parametrize(
    ("target", "body"),
    [
        (f"/{INDEX}/_search/", RERANKED),
        (f"/{INDEX},gone/_search?ignore_unavailable=true", {**RERANKED, "ext": {"rerank": {}}}),
        (f"/{INDEX},gone*/_search?allow_no_indices=true&expand_wildcards=open", RERANKED),
        (f"/{INDEX}/_search?scroll=1m&size=20", RERANKED),
        (f"/{INDEX}/_search/template", TEMPLATE),
        (f"/{INDEX}/_search/template/", AS_TEXT),
    ],
)
def test_every_spelling_is_reranked(
    opensearch_proxy: ProxiedService, expected: list[str], target: str, body: object
) -> None:
    """The order is that of the plain spelling."""
    reply = search(opensearch_proxy, body, target)
    assert (reply.status, rerank_result(reply)) == (200, ("true", ""))
    assert ids(reply) == expected


def test_deflated_body_is_reranked(opensearch_proxy: ProxiedService, expected: list[str]) -> None:
    """OpenSearch accepts gzip and deflate."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "deflate"}
    packed = zlib.compress(json.dumps(RERANKED).encode())
    reply = opensearch_proxy.send("POST", f"/{INDEX}/_search", packed, headers)
    assert (rerank_result(reply), ids(reply)) == (("true", ""), expected)


def test_stored_template_is_reranked(opensearch_proxy: ProxiedService, expected: list[str]) -> None:
    """Only the stored source requests reranking."""
    stored = {"script": {"lang": "mustache", "source": RERANKED}}
    assert opensearch_proxy.send("PUT", "/_scripts/reranked", stored).status == 200
    reply = search(opensearch_proxy, {"id": "reranked"}, f"/{INDEX}/_search/template")
    assert (rerank_result(reply), ids(reply)) == (("true", ""), expected)


def test_invalid_template_has_the_error_of_the_server(opensearch_proxy: ProxiedService) -> None:
    """The proxy forwards a template that the server cannot render."""
    target = f"/{INDEX}/_search/template"
    direct = opensearch_proxy.send("POST", target, {"id": "unknown-template"})
    assert (direct.status, rerank_result(direct)) == (404, ("absent", "absent"))


def test_templates_of_a_multi_search_are_reranked(opensearch_proxy: ProxiedService, expected: list[str]) -> None:
    """A template without reranking keeps its place."""
    plain = {"source": {"query": MATCH}}
    lines: list[Any] = [{"index": INDEX}, plain, {"index": INDEX}, AS_TEXT]
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    headers = {"Content-Type": "application/x-ndjson"}
    reply = opensearch_proxy.send("POST", "/_msearch/template", data, headers)
    first, second = reply.json()["responses"]
    assert "_rerank" not in first
    assert [hit["_id"] for hit in second["hits"]["hits"]] == expected


def test_null_switches_reranking_off(opensearch_proxy: ProxiedService) -> None:
    """The server returns its own order, and the header gives the reason."""
    reply = search(opensearch_proxy, {"query": MATCH, "ext": {"rerank": None}})
    assert rerank_result(reply) == ("false", "disabled")
    assert ids(reply) == ids(opensearch_proxy_reply(opensearch_proxy))


def opensearch_proxy_reply(service: ProxiedService) -> Reply:
    """Returns the response to the plain search."""
    return search(service, {"query": MATCH})


def test_scroll_returns_each_hit_once(opensearch_proxy: ProxiedService, expected: list[str]) -> None:
    """The first page is reranked within itself, so that the next one continues the server's order."""
    first = search(opensearch_proxy, RERANKED, f"/{INDEX}/_search?scroll=1m&size=3")
    seen = ids(first)
    reply = first
    while ids(reply):
        scroll = {"scroll": "1m", "scroll_id": reply.json()["_scroll_id"]}
        reply = opensearch_proxy.send("POST", "/_search/scroll", scroll)
        seen += ids(reply)
    assert rerank_result(first) == ("true", "")
    assert sorted(seen) == sorted(expected)


@pytest.mark.parametrize("path", ["/_plugins/_asynchronous_search", f"/{INDEX}/_async_search"])
def test_asynchronous_search_is_forwarded_without_the_extension(opensearch_proxy: ProxiedService, path: str) -> None:
    """The server would refuse `ext.rerank`. The header gives the reason."""
    reply = opensearch_proxy.send("POST", path, RERANKED)
    assert rerank_result(reply) == ("false", "async_search")
    assert b"rerank" not in reply.body
