"""The OpenSearch store: the contract on a real server, and what is its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
from rerank.index.opening import open_store
from rerank.index.opensearch import OpenSearchStore
from rerank.index.opensearch.bulk import Action, BulkWriter
from rerank.index.opensearch.layout import index_body
from rerank.index.opensearch.server import Server
from tests.contracts.store import ENCODER, StoreContract, encoded
from tests.opensearch_server import free_port


class TestOpenSearchStore(StoreContract):
    """Passes the contract."""

    @pytest.fixture
    def connect(self, opensearch_url: str) -> Callable[[], Store]:
        return lambda: OpenSearchStore(opensearch_url)

    def test_an_index_of_someone_else_is_left_alone(self, store: Store, name: str, opensearch_url: str) -> None:
        """An index that this product did not make is neither opened, listed, replaced nor deleted."""
        client = OpenSearch(opensearch_url)
        client.indices.create(index=name)
        try:
            with pytest.raises(IndexNotFound):
                store.open(name)
            with pytest.raises(IndexConflict, match="did not make"):
                store.create(name, IndexSpec(ENCODER.identity))
            with pytest.raises(IndexNotFound):
                store.delete(name)
            assert name not in {info.name for info in store.indexes()}
        finally:
            client.indices.delete(index=name)
            client.close()

    def test_one_document_that_the_server_refuses_is_rejected_alone(self, store: Store, name: str) -> None:
        """What OpenSearch refuses comes back with its reason; the rest of the batch is written."""
        index = store.create(name, IndexSpec(ENCODER.identity))
        rejected = index.upsert([encoded("x" * 600, "text"), encoded("fine", "text")])
        assert [entry.doc_id for entry in rejected] == ["x" * 600]
        assert "512 bytes" in rejected[0].reason
        assert set(index.content_hashes(["fine"])) == {"fine"}


def test_the_engine_and_the_analyser_are_in_the_mapping() -> None:
    """A new index takes engine and analyser from the settings."""
    body = index_body("n", IndexSpec(ENCODER.identity, analyzer="italian", engine="faiss"), created="now")
    properties = body["mappings"]["properties"]
    vector = properties["passages"]["properties"]["vector"]
    assert (vector["method"]["engine"], vector["dimension"]) == ("faiss", 32)
    assert vector["method"]["space_type"] == "cosinesimil"
    assert properties["headed"]["analyzer"] == properties["passages"]["properties"]["text"]["analyzer"] == "italian"


def test_an_address_that_is_none_is_told() -> None:
    """The store's address is checked before anything is asked."""
    for location in ("http://", "http://host:99999"):
        with pytest.raises(SettingError):
            open_store(location)


def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    """A store that cannot be reached says where, and never shows a password."""
    store = OpenSearchStore(f"http://user:secret@127.0.0.1:{free_port()}")
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1") as raised:
        store.ping()
    assert "secret" not in f"{raised.value} {store.location} {store!r}"


class _Stub(ThreadingHTTPServer):
    """Answers every request with the next of `answers`, and with the last one from then on."""

    daemon_threads = True

    def __init__(self, answers: list[tuple[int, str, str]]) -> None:
        self.answers = answers
        self.requests: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: _Stub

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.requests.append(body)
        answers = self.server.answers
        status, kind, text = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def stub() -> Iterator[Callable[..., _Stub]]:
    """Starts a server that gives the answers it is told."""
    started: list[_Stub] = []

    def start(*answers: tuple[int, str, str]) -> _Stub:
        server = _Stub(list(answers))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def _error(reason: str) -> str:
    return json.dumps({"error": {"type": "some_exception", "reason": reason}, "status": 0})


@pytest.mark.parametrize(
    ("status", "kind", "text", "error"),
    [
        (200, "text/html", "<html>a proxy's page</html>", StoreAnswerInvalid),
        (200, "application/json", '{"half": ', StoreAnswerInvalid),
        (200, "application/json", '{"other": "product"}', StoreAnswerInvalid),
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
def test_every_kind_of_bad_answer_is_one_of_our_errors(
    stub: Callable[..., _Stub], status: int, kind: str, text: str, error: type[Exception]
) -> None:
    """Whatever the server answers, callers meet our errors, with the cause kept and the address in the message."""
    server = stub((status, kind, text))
    with pytest.raises(error) as raised:
        OpenSearchStore(server.url).indexes()
    assert type(raised.value) is error
    assert raised.value.__cause__ is not None
    assert "127.0.0.1" in str(raised.value)


def test_a_server_that_does_not_answer_in_time_is_told(stub: Callable[..., _Stub]) -> None:
    """Slowness is StoreTimeout, not a hang."""
    server = stub((200, "application/json", "{}"))
    server.shutdown()
    with pytest.raises(StoreTimeout, match="too long"), Server(server.url, timeout=0.2).asking("a look") as client:
        client.info()


def _bulk_answer(*statuses: int) -> tuple[int, str, str]:
    items: list[dict[str, Any]] = []
    for i, status in enumerate(statuses):
        item: dict[str, Any] = {"_id": str(i), "status": status}
        if status >= 400:
            item["error"] = {"type": "rejected", "reason": f"reason {status}"}
        else:
            item["result"] = "created"
        items.append({"index": item})
    return 200, "application/json", json.dumps({"took": 1, "errors": True, "items": items})


def test_what_a_busy_server_puts_off_is_offered_again(stub: Callable[..., _Stub]) -> None:
    """A 429 for the whole request or for single documents is waited out; other refusals are final."""
    server = stub((429, "application/json", _error("busy")), _bulk_answer(201, 429, 400), _bulk_answer(200))
    writer = BulkWriter(Server(server.url), "i", pause=0.01)
    outcomes = writer.write([Action("index", str(i), {"n": i}) for i in range(3)])
    assert {(out.doc_id, out.result) for out in outcomes} == {("0", "created"), ("1", "created"), ("2", "refused")}
    assert [request.count("\n") // 2 for request in server.requests] == [3, 3, 1]


def test_a_server_that_stays_busy_ends_the_run(stub: Callable[..., _Stub]) -> None:
    """Patience ends, with the way to go on."""
    server = stub((429, "application/json", _error("busy")))
    writer = BulkWriter(Server(server.url), "i", patience=0.05, pause=0.01)
    with pytest.raises(StoreUnavailable, match="same command"):
        writer.write([Action("index", "1", {})])


def test_a_full_disk_ends_the_run_at_once(stub: Callable[..., _Stub]) -> None:
    """Lack of space is not waited out, also when the server calls it a 429."""
    full = _error("disk usage exceeded flood-stage watermark, index has read-only-allow-delete block")
    writer = BulkWriter(Server(stub((429, "application/json", full)).url), "i")
    with pytest.raises(StoreFull, match="free disk space"):
        writer.write([Action("index", "1", {})])
