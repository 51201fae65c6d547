"""Tests of the OpenSearch store: the contract on a real server, errors on a scripted one."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opensearchpy import OpenSearch

from rerank.core.errors import (
    IndexConflict,
    IndexNotFound,
    SettingError,
    StoreAnswerInvalid,
    StoreError,
    StoreFull,
    StoreTimeout,
    StoreUnavailable,
)
from rerank.core.protocols import IndexSpec, Store
from rerank.core.retry import RetryPolicy
from rerank.index.opening import open_store
from rerank.index.opensearch.product import OpenSearch as OpenSearchProduct
from rerank.index.search_server.bulk import MAX_ACTIONS, Action, BulkWriter
from rerank.index.search_server.client import SearchServerClient
from rerank.index.search_server.mapping import index_body
from rerank.index.search_server.server_info import ServerInfo
from tests.contracts.store import ENCODER, StoreContract, encoded
from tests.index.scripted_server import ScriptedServer
from tests.opensearch_server import free_port


class TestOpenSearchStore(StoreContract):
    """Contract tests of the OpenSearch store."""

    @pytest.fixture
    def connect(self, opensearch_url: str) -> Callable[[], Store]:
        return lambda: open_store(opensearch_url)

    def test_unrelated_index_is_not_used(self, store: Store, name: str, opensearch_url: str) -> None:
        """An index that this service did not create is neither opened, listed, replaced nor deleted."""
        client = OpenSearch(opensearch_url)
        client.indices.create(index=name)
        try:
            with pytest.raises(IndexNotFound):
                store.open(name)
            with pytest.raises(IndexConflict, match="did not create"):
                store.create(name, IndexSpec(ENCODER.identity))
            with pytest.raises(IndexNotFound):
                store.delete(name)
            assert name not in {info.name for info in store.indexes()}
        finally:
            client.indices.delete(index=name)
            client.close()

    def test_document_that_the_server_refuses_is_rejected_alone(self, store: Store, name: str) -> None:
        """A refused document is returned with the reason; the rest of the batch is written."""
        index = store.create(name, IndexSpec(ENCODER.identity))
        rejected = index.upsert([encoded("x" * 600, "text"), encoded("fine", "text")])
        assert [entry.doc_id for entry in rejected] == ["x" * 600]
        assert "512 bytes" in rejected[0].reason
        assert set(index.content_hashes(["fine"])) == {"fine"}


def test_mapping_contains_engine_and_analyzer() -> None:
    """A new index uses the engine and the analyzer of its spec."""
    body = index_body(
        OpenSearchProduct(ServerInfo("OpenSearch")),
        "n",
        IndexSpec(ENCODER.identity, analyzer="italian", engine="faiss"),
        created="now",
    )
    properties = body["mappings"]["properties"]
    vector = properties["passages"]["properties"]["vector"]
    assert (vector["method"]["engine"], vector["dimension"]) == ("faiss", 32)
    assert vector["method"]["space_type"] == "cosinesimil"
    assert properties["headed"]["analyzer"] == properties["passages"]["properties"]["text"]["analyzer"] == "italian"


def test_invalid_address_is_refused() -> None:
    """The address is checked without a connection."""
    for location in ("http://", "http://host:99999"):
        with pytest.raises(SettingError):
            open_store(location)


def test_unreachable_server_is_reported_without_password() -> None:
    """The error names the address but not the password."""
    store = open_store(f"http://user:secret@127.0.0.1:{free_port()}")
    with pytest.raises(
        StoreUnavailable, match=r"^cannot connect to the search server at http://127\.0\.0\.1"
    ) as raised:
        store.ping()
    assert "secret" not in f"{raised.value} {store.location} {store!r}"


def test_connection_pool_is_large_enough_for_all_threads(
    scripted: Callable[..., ScriptedServer], caplog: pytest.LogCaptureFixture
) -> None:
    """With two concurrent requests per thread, urllib3 does not log "Connection pool is full"."""
    threads = 6
    server = scripted((200, "application/json", '{"version": {}}'), together=2 * threads)
    store = open_store(server.url, threads=threads)
    with ThreadPoolExecutor(2 * threads) as requests:
        for _ in range(2):
            list(requests.map(lambda _: store.ping(), range(2 * threads)))
    assert len(server.requests) == 4 * threads
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    store.close()


def _error(reason: str) -> str:
    return json.dumps({"error": {"type": "some_exception", "reason": reason}, "status": 0})


@pytest.mark.parametrize(
    ("status", "kind", "text", "error"),
    [
        (200, "text/html", "<html>a proxy's page</html>", StoreAnswerInvalid),
        (200, "application/json", '{"half": ', StoreAnswerInvalid),
        (401, "application/json", _error("missing authentication"), StoreError),
        (403, "application/json", _error("no permissions"), StoreError),
        (
            403,
            "application/json",
            _error("index blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];"),
            StoreFull,
        ),
        (404, "application/json", _error("no such index [x]"), IndexNotFound),
        (400, "application/json", _error("mapper parsing"), StoreError),
        (500, "application/json", _error("all shards failed"), StoreError),
        (429, "application/json", _error("circuit breaker"), StoreUnavailable),
        (503, "text/html", "<html>starting</html>", StoreUnavailable),
        (504, "text/html", "<html>gateway</html>", StoreTimeout),
    ],
)
def test_bad_response_is_translated(
    scripted: Callable[..., ScriptedServer], status: int, kind: str, text: str, error: type[Exception]
) -> None:
    """Every bad response becomes a StoreError or IndexNotFound with the address and the cause."""
    server = scripted((status, kind, text))
    with pytest.raises(error) as raised:
        open_store(server.url).indexes()
    assert type(raised.value) is error
    assert raised.value.__cause__ is not None
    assert "127.0.0.1" in str(raised.value)


def test_other_product_is_refused(scripted: Callable[..., ScriptedServer]) -> None:
    """A server that is neither OpenSearch nor Elasticsearch is an error, for example a proxy's own page."""
    server = scripted((200, "application/json", '{"other": "product"}'))
    with pytest.raises(StoreAnswerInvalid, match=r"127\.0\.0\.1:\d+ is neither OpenSearch nor Elasticsearch"):
        open_store(server.url).indexes()


def test_slow_server_raises_store_timeout(scripted: Callable[..., ScriptedServer]) -> None:
    """A request has a timeout."""
    server = scripted((200, "application/json", "{}"))
    server.shutdown()
    client = SearchServerClient(server.url, timeout=0.2)
    with pytest.raises(StoreTimeout, match="timed out while testing"), client.request("testing") as api:
        api.info()


def _bulk_response(*statuses: int, first: int = 0) -> tuple[int, str, str]:
    items: list[dict[str, Any]] = []
    for i, status in enumerate(statuses):
        item: dict[str, Any] = {"_id": str(first + i), "status": status}
        if status >= 400:
            item["error"] = {"type": "rejected", "reason": f"reason {status}"}
        else:
            item["result"] = "created"
        items.append({"index": item})
    return 200, "application/json", json.dumps({"took": 1, "errors": True, "items": items})


def test_documents_that_a_busy_server_rejects_are_sent_again(scripted: Callable[..., ScriptedServer]) -> None:
    """A 429 of the request or of single documents is retried; other refusals are final."""
    server = scripted(
        (429, "application/json", _error("busy")), _bulk_response(201, 429, 400), _bulk_response(200, first=1)
    )
    writer = BulkWriter(SearchServerClient(server.url), "i", retries=RetryPolicy(first=0.01, longest=0.01))
    outcomes = writer.write([Action("index", str(i), {"n": i}) for i in range(3)])
    assert {(out.doc_id, out.result) for out in outcomes} == {("0", "created"), ("1", "created"), ("2", "refused")}
    assert [request.count("\n") // 2 for request in server.requests] == [3, 3, 1]


def test_large_writes_are_split(scripted: Callable[..., ScriptedServer]) -> None:
    """A bulk request has at most MAX_ACTIONS actions."""
    server = scripted(_bulk_response(*[201] * MAX_ACTIONS), _bulk_response(201, first=MAX_ACTIONS))
    outcomes = BulkWriter(SearchServerClient(server.url), "i").write(
        [Action("index", str(i), {"n": i}) for i in range(MAX_ACTIONS + 1)]
    )
    assert len(outcomes) == MAX_ACTIONS + 1
    assert [request.count("\n") // 2 for request in server.requests] == [MAX_ACTIONS, 1]


def test_server_that_stays_busy_raises_store_unavailable(scripted: Callable[..., ScriptedServer]) -> None:
    """The retries end after the time limit."""
    server = scripted((429, "application/json", _error("busy")))
    writer = BulkWriter(
        SearchServerClient(server.url), "i", retries=RetryPolicy(first=0.01, longest=0.01, seconds=0.05)
    )
    with pytest.raises(StoreUnavailable, match="too busy to write 1 documents"):
        writer.write([Action("index", "1", {})])


def test_full_disk_is_not_retried(scripted: Callable[..., ScriptedServer]) -> None:
    """A retry does not free disk space, also if the server reports it as a 429."""
    full = _error("disk usage exceeded flood-stage watermark, index has read-only-allow-delete block")
    server = scripted((429, "application/json", full))
    with pytest.raises(StoreFull, match="Free disk space"):
        BulkWriter(SearchServerClient(server.url), "i").write([Action("index", "1", {})])
    assert len(server.requests) == 1
