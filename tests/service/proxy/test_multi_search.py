"""`_msearch` line by line, on the real server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.service.proxy.library import INDEX, MATCH, fill, reranked, told
from tests.service.proxy.standing import Reply, Standing, ask

NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="module", autouse=True)
def _library(opensearch_url: str) -> None:
    fill(opensearch_url)


def msearch(url: str, *lines: object, path: str = "/_msearch") -> Reply:
    """Send the lines."""
    return ask(url, "POST", path, "".join(json.dumps(line) + "\n" for line in lines).encode(), NDJSON)


def _without_time(response: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in response.items() if key != "took"}


def test_each_search_is_answered_by_itself(before_opensearch: Standing) -> None:
    """Re-ranked where it asks for it, as it came where not, refused where it is wrong; the order is the request's."""
    plain = {"query": MATCH, "size": 2}
    asked = {**plain, "ext": reranked()}
    wrong = {**plain, "ext": {"rerank": 5}}
    broken = {"query": {"range": {"year": {"gte": "x"}}}}
    here: dict[str, Any] = {"index": INDEX}
    reply = msearch(
        before_opensearch.url, here, plain, here, asked, here, wrong, here, broken, {"index": "nowhere"}, plain
    )
    own = msearch(before_opensearch.server, here, plain, here, plain, here, broken, {"index": "nowhere"}, plain).json()
    assert (reply.status, told(reply)) == (200, ("true", ""))
    first, second, third, fourth, fifth = reply.json()["responses"]
    assert _without_time(first) == _without_time(own["responses"][0])
    assert (second["status"], second["_rerank"]["applied"]) == (200, True)
    assert {hit["_id"] for hit in second["hits"]["hits"]} == {"2", "4"}
    assert (third["status"], third["error"]["field"]) == (400, "ext.rerank")
    assert [_without_time(fourth), _without_time(fifth)] == [_without_time(each) for each in own["responses"][2:]]


def test_the_paths_index_holds_where_a_line_has_none(before_opensearch: Standing) -> None:
    """An empty header, or a list of names."""
    asked = {"query": MATCH, "ext": reranked()}
    reply = msearch(before_opensearch.url, {}, asked, {"index": [INDEX]}, asked, path=f"/{INDEX}/_msearch")
    assert [response["_rerank"]["applied"] for response in reply.json()["responses"]] == [True, True]


def test_parts_of_the_answers_may_be_asked_for(before_opensearch: Standing) -> None:
    """filter_path holds for all of them."""
    lines = (
        {"index": INDEX},
        {"query": MATCH, "size": 1},
        {"index": INDEX},
        {"query": MATCH, "size": 1, "ext": reranked()},
    )
    reply = msearch(before_opensearch.url, *lines, path="/_msearch?filter_path=responses.hits.hits._index")
    assert reply.json() == {"responses": [{"hits": {"hits": [{"_index": INDEX}]}}] * 2}


def test_what_has_nothing_to_do_with_us_is_passed_on(before_opensearch: Standing) -> None:
    """The same answer as OpenSearch's, and no header."""
    lines = ({"index": INDEX}, {"query": MATCH}, {"index": INDEX}, {"query": {"match": {"text": "rerank"}}})
    reply, own = msearch(before_opensearch.url, *lines), msearch(before_opensearch.server, *lines)
    assert told(reply) == ("absent", "absent")
    assert [_without_time(each) for each in reply.json()["responses"]] == [
        _without_time(each) for each in own.json()["responses"]
    ]


@pytest.mark.parametrize("body", [b'{"index": "library"}\n{"ext": {"rerank": ', b"rerank", b'{}\n{"rerank"\n', b""])
def test_lines_that_cannot_be_read_are_opensearchs_to_refuse(before_opensearch: Standing, body: bytes) -> None:
    """As they came."""
    reply = before_opensearch.ask("POST", "/_msearch", body, NDJSON)
    own = ask(before_opensearch.server, "POST", "/_msearch", body, NDJSON)
    assert (reply.status, reply.body) == (own.status, own.body)
