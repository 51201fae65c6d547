"""Multi-search through the proxy to a real server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.service.proxy.proxied_service import ProxiedService, Reply, send
from tests.service.proxy.sample_index import INDEX, MATCH, fill, rerank_ext, rerank_result

NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="module", autouse=True)
def _sample_index(opensearch_url: str) -> None:
    fill(opensearch_url)


def msearch(url: str, *lines: object, path: str = "/_msearch") -> Reply:
    """Sends the lines to `_msearch`."""
    return send(url, "POST", path, "".join(json.dumps(line) + "\n" for line in lines).encode(), NDJSON)


def _without_time(response: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in response.items() if key != "took"}


def test_each_search_has_its_own_result(opensearch_proxy: ProxiedService) -> None:
    """Each search is reranked, forwarded or refused on its own. Results keep the order of the request."""
    plain = {"query": MATCH, "size": 2}
    reranked = {**plain, "ext": rerank_ext()}
    wrong = {**plain, "ext": {"rerank": 5}}
    broken = {"query": {"range": {"year": {"gte": "x"}}}}
    header: dict[str, Any] = {"index": INDEX}
    reply = msearch(
        opensearch_proxy.url,
        header,
        plain,
        header,
        reranked,
        header,
        wrong,
        header,
        broken,
        {"index": "nowhere"},
        plain,
    )
    direct = msearch(
        opensearch_proxy.server, header, plain, header, plain, header, broken, {"index": "nowhere"}, plain
    ).json()
    assert (reply.status, rerank_result(reply)) == (200, ("true", ""))
    first, second, third, fourth, fifth = reply.json()["responses"]
    assert _without_time(first) == _without_time(direct["responses"][0])
    assert (second["status"], second["_rerank"]["applied"]) == (200, True)
    assert {hit["_id"] for hit in second["hits"]["hits"]} == {"2", "4"}
    assert (third["status"], third["error"]["field"]) == (400, "ext.rerank")
    assert [_without_time(fourth), _without_time(fifth)] == [
        _without_time(result) for result in direct["responses"][2:]
    ]


def test_line_without_index_uses_the_index_of_the_path(opensearch_proxy: ProxiedService) -> None:
    """A header line may also be empty or hold a list of names."""
    reranked = {"query": MATCH, "ext": rerank_ext()}
    reply = msearch(opensearch_proxy.url, {}, reranked, {"index": [INDEX]}, reranked, path=f"/{INDEX}/_msearch")
    assert [response["_rerank"]["applied"] for response in reply.json()["responses"]] == [True, True]


def test_filter_path_applies_to_all_results(opensearch_proxy: ProxiedService) -> None:
    """Forwarded and reranked results are filtered alike."""
    lines = (
        {"index": INDEX},
        {"query": MATCH, "size": 1},
        {"index": INDEX},
        {"query": MATCH, "size": 1, "ext": rerank_ext()},
    )
    reply = msearch(opensearch_proxy.url, *lines, path="/_msearch?filter_path=responses.hits.hits._index")
    assert reply.json() == {"responses": [{"hits": {"hits": [{"_index": INDEX}]}}] * 2}


def test_plain_multi_search_is_forwarded(opensearch_proxy: ProxiedService) -> None:
    """The response is the server's own, without headers of the proxy."""
    lines = ({"index": INDEX}, {"query": MATCH}, {"index": INDEX}, {"query": {"match": {"text": "rerank"}}})
    reply, direct = msearch(opensearch_proxy.url, *lines), msearch(opensearch_proxy.server, *lines)
    assert rerank_result(reply) == ("absent", "absent")
    assert [_without_time(result) for result in reply.json()["responses"]] == [
        _without_time(result) for result in direct.json()["responses"]
    ]


@pytest.mark.parametrize("body", [b'{"index": "library"}\n{"ext": {"rerank": ', b"rerank", b'{}\n{"rerank"\n', b""])
def test_malformed_lines_are_forwarded(opensearch_proxy: ProxiedService, body: bytes) -> None:
    """OpenSearch reports the error."""
    reply = opensearch_proxy.send("POST", "/_msearch", body, NDJSON)
    direct = send(opensearch_proxy.server, "POST", "/_msearch", body, NDJSON)
    assert (reply.status, reply.body) == (direct.status, direct.body)
