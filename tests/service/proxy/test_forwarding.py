"""Forwarding of requests to the server, and of its responses to the client."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.proxy.proxied_service import ProxiedService, send, start_proxy
from tests.service.proxy.scripted_server import ReceivedRequest, ScriptedServer, json_response, wait_until

TARGETS = [
    "/",
    "/docs/_doc/a%2Fb%20c",
    "/docs//_count",
    "//evil.example/_search",
    "/docs/../_cat/indices",
    "/%2e%2e/%2F?q=%C3%A8&x=+&y",
    "/docs/_count?",
    "/_cat/indices/a,-b*?h=index&format=json",
    "/search",
    "/%73earch?q=a&index=b",
]


@pytest.mark.parametrize("target", TARGETS)
def test_target_is_forwarded_unchanged(scripted: ScriptedServer, scripted_proxy: ProxiedService, target: str) -> None:
    """The proxy decodes, merges and resolves nothing, and always forwards to the server in the settings."""
    scripted_proxy.send("HEAD" if target == "/search" else "GET", target, headers={"Host": "evil.example"})
    (request,) = scripted.requests
    assert request.line.split(" ")[1:] == [target, "HTTP/1.1"]
    assert request.headers["host"] == scripted.url.removeprefix("http://")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_every_method_is_forwarded(scripted: ScriptedServer, scripted_proxy: ProxiedService, method: str) -> None:
    """The server decides which methods it accepts."""
    assert scripted_proxy.send(method, "/docs/_thing").status == 200
    assert [request.line for request in scripted.requests] == [f"{method} /docs/_thing HTTP/1.1"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("HEAD", "/"),
        ("POST", "/"),
        ("PUT", "/search"),
        ("DELETE", "/rerank"),
        ("HEAD", "/health"),
        ("POST", "/metrics"),
    ],
)
def test_other_methods_on_own_paths_are_forwarded(
    scripted: ScriptedServer, scripted_proxy: ProxiedService, method: str, path: str
) -> None:
    """The service handles exact pairs of method and path only."""
    scripted_proxy.send(method, path)
    assert [request.line for request in scripted.requests] == [f"{method} {path} HTTP/1.1"]


def test_own_routes_are_not_forwarded(scripted: ScriptedServer, scripted_proxy: ProxiedService) -> None:
    """The service handles health, the web page for browsers, and the files of the page."""
    assert scripted_proxy.send("GET", "/health").json() == {"status": "ok"}
    page = scripted_proxy.send("GET", "/", headers={"Accept": "text/html,*/*"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert scripted_proxy.send("GET", "/static/page/main.js").status == 200
    assert scripted.requests == []
    assert scripted_proxy.send("GET", "/", headers={"Accept": "*/*"}).body == b"{}"


def test_hop_by_hop_headers_are_removed(scripted: ScriptedServer, scripted_proxy: ProxiedService) -> None:
    """The proxy forwards all headers except hop-by-hop ones and those that Connection lists."""
    scripted.respond = lambda *_: (
        b"HTTP/1.1 201 Made it\r\nX-Elastic-Product: Elasticsearch\r\nWarning: 299 one\r\nWarning: 299 two\r\n"
        b"Connection: x-private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok"
    )
    sent = {
        "Authorization": "Basic dTpw",
        "X-Opaque-Id": "7",
        "Accept-Encoding": "gzip",
        "Connection": "close, x-hop",
        "X-Hop": "1",
        "TE": "trailers",
        "Proxy-Authorization": "Basic eA==",
        "Upgrade": "h2c",
        "Keep-Alive": "timeout=1",
    }
    reply = scripted_proxy.send("GET", "/x", headers=sent)
    (request,) = scripted.requests
    assert request.headers == {
        "host": scripted.url.removeprefix("http://"),
        "authorization": "Basic dTpw",
        "x-opaque-id": "7",
        "accept-encoding": "gzip",
    }
    compared = {name: reply.headers[name] for name in reply.headers if name not in ("server", "date", "connection")}
    assert (reply.status, reply.reason, reply.body) == (201, "Made it", b"ok")
    assert compared == {"x-elastic-product": "Elasticsearch", "warning": "299 two", "content-length": "2"}


@pytest.mark.parametrize("size", [0, 5, 70_000, 3_000_000])
def test_body_is_forwarded_unchanged(scripted: ScriptedServer, scripted_proxy: ProxiedService, size: int) -> None:
    """Bytes, content type and encoding stay the same for small, large and compressed bodies."""
    body = gzip.compress(bytes(range(256)) * (size // 256) + b"x" * (size % 256), compresslevel=0)
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    scripted.respond = lambda request, _: json_response(request.body)
    reply = scripted_proxy.send("POST", "/_bulk", body, headers)
    (request,) = scripted.requests
    assert (request.body, reply.body) == (body, body)
    assert (request.headers["content-type"], request.headers["content-encoding"]) == ("application/x-ndjson", "gzip")
    assert request.headers["content-length"] == str(len(body))


def test_chunked_bodies_are_forwarded(scripted: ScriptedServer, scripted_proxy: ProxiedService) -> None:
    """A request or response without a stated length stays chunked."""
    scripted.respond = lambda *_: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    response = scripted_proxy.send_raw(
        b"POST /_bulk HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"4;note=1\r\none\n\r\n4\r\ntwo\n\r\n0\r\nX-Trailer: 1\r\n\r\n"
    )
    (request,) = scripted.requests
    assert (request.body, request.headers["transfer-encoding"]) == (b"one\ntwo\n", "chunked")
    head, _, body = response.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    assert body.replace(b"5\r\nabcde\r\n", b"3\r\nabc\r\n2\r\nde\r\n") == b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


def test_head_response_keeps_content_length(scripted: ScriptedServer, scripted_proxy: ProxiedService) -> None:
    """The Content-Length is that of GET, and the connection can be reused."""
    scripted.respond = lambda request, _: (
        b"HTTP/1.1 200 OK\r\ncontent-length: 555\r\n\r\n" if request.line.startswith("HEAD") else json_response(b"[]")
    )
    for _ in range(2):
        reply = scripted_proxy.send("HEAD", "/things")
        assert (reply.status, reply.headers["content-length"], reply.body) == (200, "555", b"")
        assert scripted_proxy.send("GET", "/things").body == b"[]"


def test_server_connection_is_reused(scripted: ScriptedServer, scripted_proxy: ProxiedService) -> None:
    """Consecutive requests share one connection."""
    for _ in range(5):
        scripted_proxy.send("GET", "/things")
    assert len({request.connection for request in scripted.requests}) == 1


def test_response_without_length_ends_with_its_connection(
    scripted: ScriptedServer, scripted_proxy: ProxiedService
) -> None:
    """The proxy accepts HTTP/1.0 responses and does not reuse their connection."""

    def respond(_: ReceivedRequest, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it")

    scripted.respond = respond
    assert [scripted_proxy.send("GET", "/x").body for _ in range(2)] == [b"all of it"] * 2
    assert len({request.connection for request in scripted.requests}) == 2


def test_interim_response_is_skipped(scripted: ScriptedServer, scripted_proxy: ProxiedService) -> None:
    """The client receives the final response only."""
    scripted.respond = lambda *_: b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + json_response(b"[1]")
    reply = scripted_proxy.send("GET", "/x")
    assert (reply.status, reply.body, "link" in reply.headers) == (200, b"[1]", False)


AMBIGUOUS_REQUESTS = [
    b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /b\r\n",
    b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length : 4\r\n\r\nabcd",
    b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nabcd",
    b"GET /a HTTP/1.1\r\nHost: x\r\nX-A: b\r\n continued\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: x\r\nX-A: b\nX-B: c\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: x\r\nX-A: b\rX-B: c\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: x\r\nX-A: b\0c\r\n\r\n",
    b"GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://evil.example/a HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET evil.example:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT evil.example:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
]


@pytest.mark.parametrize("request_bytes", AMBIGUOUS_REQUESTS)
def test_ambiguous_request_returns_400(
    scripted: ScriptedServer, scripted_proxy: ProxiedService, request_bytes: bytes
) -> None:
    """Two body lengths, line ends in headers, and URLs of other servers never reach the server."""
    with scripted_proxy.connect() as connection:
        connection.sendall(request_bytes)
        response = connection.recv(65536)
    assert response.split(b" ")[1] == b"400"
    assert b"application/json" in response.lower()
    assert scripted.requests == []


def test_malformed_response_header_returns_502(scripted: ScriptedServer, scripted_proxy: ProxiedService) -> None:
    """A header of the server cannot add another header."""
    scripted.respond = lambda *_: b"HTTP/1.1 200 OK\r\nX-A: b\rX-B: c\0\r\nContent-Length: 0\r\n\r\n"
    assert scripted_proxy.send("GET", "/x").status == 502


def test_protocol_upgrade_returns_502(scripted: ScriptedServer, scripted_proxy: ProxiedService) -> None:
    """The proxy never requests an upgrade, so status 101 is invalid."""
    scripted.respond = lambda *_: b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    assert scripted_proxy.send("GET", "/x").status == 502


@pytest.fixture(scope="module")
def keyed_proxy(shared_scripted: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedService]:
    """Yields a service with API keys, whose store URL has a password and a path."""
    store = shared_scripted.url.replace("http://", "http://own:secret@") + "/search-cluster"
    with start_proxy(store, tmp_path_factory.mktemp("keyed"), api_keys=["key-1", "key-2"]) as service:
        yield service


@pytest.mark.parametrize(
    ("sent", "forwarded"),
    [
        ({"X-API-Key": "key-2"}, {}),
        ({"Authorization": "Bearer key-1"}, {}),
        ({"X-API-Key": "key-1", "Authorization": "Basic dTpw"}, {"authorization": "Basic dTpw"}),
        ({"X-API-Key": "key-1", "Authorization": "Bearer theirs"}, {"authorization": "Bearer theirs"}),
        ({"X-API-Key": "key-1", "Authorization": "bearer key-1"}, {}),
    ],
)
def test_own_api_keys_are_removed_before_forwarding(
    scripted: ScriptedServer, keyed_proxy: ProxiedService, sent: dict[str, str], forwarded: dict[str, str]
) -> None:
    """The server receives other credentials unchanged, and never the password of the setting store."""
    assert keyed_proxy.send("GET", "/docs/_count", headers=sent).status == 200
    (request,) = scripted.requests
    assert request.line == "GET /search-cluster/docs/_count HTTP/1.1"
    assert request.headers == {"host": scripted.url.removeprefix("http://"), **forwarded}


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"X-API-Key": "wrong"},
        {"Authorization": "Basic dTpw"},
        {"X-API-Key": "wrong", "Authorization": "Bearer key-1"},
    ],
)
@pytest.mark.parametrize("target", ["/docs/_count", "//docs", "/health/../docs", "/%68ealth", "/static/../docs"])
def test_request_without_api_key_is_not_forwarded(
    scripted: ScriptedServer, keyed_proxy: ProxiedService, sent: dict[str, str], target: str
) -> None:
    """Every path requires the key."""
    reply = keyed_proxy.send("GET", target, headers=sent)
    assert (reply.status, reply.json()["error_type"]) == (401, "Unauthorized")
    assert reply.headers["www-authenticate"] == 'Bearer realm="rerank"'
    assert scripted.requests == []


@pytest.mark.parametrize("target", ["/../_search", "/a/..", "/%2e%2e/x", "/a/.%2E/../x", "/a/%2e/b"])
def test_dot_segments_are_refused_below_a_path_prefix(
    scripted: ScriptedServer, keyed_proxy: ProxiedService, target: str
) -> None:
    """If the store URL has a path, no request leads out of it."""
    reply = keyed_proxy.send("GET", target, headers={"X-API-Key": "key-1"})
    assert (reply.status, scripted.requests) == (400, [])


def test_api_key_headers_are_forwarded_without_own_keys(
    scripted: ScriptedServer, scripted_proxy: ProxiedService
) -> None:
    """If the service has no keys, X-API-Key and Bearer tokens belong to the server."""
    scripted_proxy.send("GET", "/x", headers={"X-API-Key": "k", "Authorization": "Bearer t"})
    (request,) = scripted.requests
    assert (request.headers["x-api-key"], request.headers["authorization"]) == ("k", "Bearer t")


def test_large_response_is_streamed(scripted: ScriptedServer, scripted_proxy: ProxiedService) -> None:
    """The client receives the beginning while the server still sends the rest."""
    before_rest: list[bytes] = []

    def respond(_: ReceivedRequest, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + b"a" * 200_000)
        wait_until(lambda: bool(before_rest))
        connection.sendall(b"b" * 200_000)

    scripted.respond = respond
    with scripted_proxy.connect() as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        before_rest.append(connection.recv(65536))
        rest = b"".join(iter(lambda: connection.recv(65536), b""))
    assert (before_rest[0] + rest).partition(b"\r\n\r\n")[2] == b"a" * 200_000 + b"b" * 200_000


def test_large_request_body_is_streamed(tmp_path: Path) -> None:
    """The server receives the beginning while the client still sends the rest."""
    half = b"x" * 2_000_000
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        start_proxy(f"http://127.0.0.1:{listener.getsockname()[1]}", tmp_path) as service,
        service.connect() as client,
    ):
        client.sendall(b"POST /_bulk HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n" + half)
        listener.settimeout(20)
        connection, _ = listener.accept()
        with connection:
            arrived = _receive(connection, 1_000_000)
            client.sendall(half)
            head, _, beginning = arrived.partition(b"\r\n\r\n")
            body = beginning + _receive(connection, 4_000_000 - len(beginning))
            connection.sendall(json_response(b"{}"))
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")
    assert (head.startswith(b"POST /_bulk HTTP/1.1"), body) == (True, half + half)


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    connection.settimeout(20)
    while len(data) < size:
        data += connection.recv(1 << 20)
    return data


def test_unknown_path_returns_404_with_an_embedded_store(tmp_path: Path) -> None:
    """Without a server nothing is forwarded."""
    with start_proxy(str(tmp_path / "data"), tmp_path) as service:
        reply = send(service.url, "GET", "/docs/_search")
    assert (reply.status, reply.json()["error_type"]) == (404, "NotFound")
