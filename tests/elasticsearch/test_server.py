"""Requests that the stub refuses as Elasticsearch does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.elasticsearch.server import elasticsearch_server
from tests.service.proxy.proxied_service import send

NINE = "application/vnd.elasticsearch+json; compatible-with=9"
SEVEN = NINE.replace("9", "7")
BOTH = {"Accept": NINE, "Content-Type": NINE}
SMALL = {"rrf": {"retrievers": [{"standard": {}}], "rank_window_size": 5}}
RERANKER: dict[str, Any] = {"text_similarity_reranker": {"retriever": {"standard": {}}, "inference_id": "any"}}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Yields the URL of a server with one index."""
    with elasticsearch_server() as address:
        send(address, "PUT", "/things", {})
        yield address


@pytest.mark.parametrize(
    ("body", "headers", "status", "kind"),
    [
        ({}, BOTH, 200, None),
        ({}, {"Accept": NINE, "Content-Type": "application/json"}, 400, "media_type_header_exception"),
        ({}, {"Accept": "application/json", "Content-Type": NINE}, 400, "media_type_header_exception"),
        ({}, {"Accept": SEVEN, "Content-Type": SEVEN}, 400, "media_type_header_exception"),
        ({"ext": {"rerank": {}}}, BOTH, 400, "parsing_exception"),
        ({"retriever": RERANKER}, BOTH, 404, "resource_not_found_exception"),
        ({"retriever": SMALL, "size": 6}, BOTH, 400, "action_request_validation_exception"),
        ({"retriever": SMALL, "size": 5}, BOTH, 200, None),
        ({"retriever": SMALL, "query": {"match_all": {}}}, BOTH, 400, "action_request_validation_exception"),
    ],
)
def test_invalid_request_returns_the_error_of_elasticsearch(
    url: str, body: object, headers: dict[str, str], status: int, kind: str | None
) -> None:
    """The stub refuses a media type in one header only, extensions of the proxy, and pages beyond a window."""
    reply = send(url, "POST", "/things/_search", body, headers)
    assert (reply.status, reply.json().get("error", {}).get("type")) == (status, kind)
    assert reply.headers["x-elastic-product"] == "Elasticsearch"
