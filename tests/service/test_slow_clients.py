"""Deadlines of slow clients, with a short setting client_timeout_s."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.service.fake_service import error
from tests.service.proxy.proxied_service import start_proxy
from tests.service.proxy.scripted_server import json_response, scripted_server, wait_until
from tests.service.service_process import ServiceProcess, run_service

HEAD = b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
TIMEOUT = error(
    "the complete request must arrive within client_timeout_s plus 1 second per 8000 bytes. Send it without pauses.",
    "RequestTimeout",
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Yields a service that waits 0.3 seconds for its clients."""
    with run_service(tmp_path_factory.mktemp("service"), client_timeout_s=0.3) as running:
        yield running


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /hea",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        HEAD + b"Content-Length: 1000\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
    ids=["request-line", "head", "body", "chunk"],
)
def test_incomplete_request_returns_408_after_the_deadline(service: ServiceProcess, sent: bytes) -> None:
    """The connection closes after the response."""
    head, _, body = service.send(sent).partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"408"
    assert json.loads(body) == TIMEOUT


def test_silent_connection_is_closed_without_a_response(service: ServiceProcess) -> None:
    """A response would be taken for the response to the client's next request."""
    assert service.send(b"") == b""


def test_request_in_small_pieces_is_served(service: ServiceProcess) -> None:
    """The worker collects the pieces of a head and of a body."""
    request = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    with socket.create_connection(service.address, timeout=30) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(request)):
            client.sendall(request[i : i + 1])
        assert b"".join(iter(lambda: client.recv(65536), b"")).startswith(b"HTTP/1.1 404 ")


def test_pipelined_requests_are_served_in_order(service: ServiceProcess) -> None:
    """A client may send its next requests before it has read the responses."""
    requests = b"".join(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in (b"health", b"a", b"health"))
    response = service.send(requests + b"GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert [part[:3] for part in response.split(b"HTTP/1.1 ")[1:]] == [b"200", b"404", b"200", b"404"]


def test_full_worker_refuses_requests_and_serves_probes(tmp_path: Path) -> None:
    """Beyond max_connections active requests, /health returns 200 and other requests return 503 at once."""
    message = "the service handles at most 4 requests at once per worker. Retry later, or raise max_connections."
    with run_service(tmp_path, max_connections=4) as service, ExitStack() as stack:
        for _ in range(4):
            client = stack.enter_context(socket.create_connection(service.address))
            client.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
        wait_until(lambda: service.request("GET", "/nowhere") == (503, error(message, "Overloaded")))
        assert service.request("GET", "/health") == (200, {"status": "ok"})


def test_client_that_reads_nothing_is_disconnected(tmp_path: Path) -> None:
    """The proxy stops the transfer, and closes its connection to the server."""
    with scripted_server() as server, start_proxy(server.url, tmp_path, client_timeout_s=0.3) as proxied:
        server.respond = lambda *_: json_response(bytes(20 << 20))
        with proxied.connect() as client:
            client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_until(lambda: bool(server.closed_connections), seconds=30)


def test_slow_body_of_a_forwarded_request_returns_408(tmp_path: Path) -> None:
    """The server never receives the end of the body, so it does not execute the request."""
    with scripted_server() as server, start_proxy(server.url, tmp_path, client_timeout_s=0.3) as proxied:
        for size in (1000, 1_000_000):
            head = b"POST /things/_bulk HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{" % size
            assert proxied.send_raw(head).startswith(b"HTTP/1.1 408 ")
        assert server.requests == []
