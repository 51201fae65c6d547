"""Faults of the server and of the client, and the behaviour of the proxy towards the other."""

from __future__ import annotations

import gzip
import http.client
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rerank.core.errors import SettingError, StoreUnavailable
from rerank.service.proxy.address import Address
from rerank.service.proxy.connection import OutgoingRequest
from rerank.service.proxy.upstream import Upstream
from tests.opensearch_server import free_port
from tests.service.proxy.proxied_service import ProxiedService, start_proxy, wait_until_loaded
from tests.service.proxy.scripted_server import (
    ReceivedRequest,
    ScriptedServer,
    json_response,
    scripted_server,
    wait_until,
)


def test_unreachable_server_returns_503_until_it_is_back(tmp_path: Path) -> None:
    """The service keeps running without its server, and needs no restart when the server is back."""
    port = free_port()
    with start_proxy(f"http://127.0.0.1:{port}", tmp_path) as service:
        reply = service.send("GET", "/things/_count")
        assert (reply.status, reply.json()["error_type"], reply.headers["retry-after"]) == (503, "Unhealthy", "1")
        assert reply.json()["message"].startswith(f"cannot connect to OpenSearch at http://127.0.0.1:{port} ")
        with socket.create_server(("127.0.0.1", port)) as listener:
            listener.settimeout(20)
            with service.connect() as client:
                client.sendall(b"GET /things/_count HTTP/1.1\r\nHost: x\r\n\r\n")
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(json_response(b'{"count":1}'))
                    assert client.recv(65536).startswith(b"HTTP/1.1 200")


def test_server_timeout_returns_504(scripted: ScriptedServer, scripted_proxy: ProxiedService) -> None:
    """The timeout is the setting proxy_timeout_s, two seconds here."""
    released: list[bool] = []

    def respond(_: ReceivedRequest, __: socket.socket) -> bytes:
        wait_until(lambda: bool(released))
        return json_response(b"{}")

    scripted.respond = respond
    reply = scripted_proxy.send("GET", "/things/_count")
    released.append(True)
    assert (reply.status, reply.json()["error_type"]) == (504, "StoreTimeout")
    assert reply.json()["message"] == (
        "OpenSearch did not respond within 2 seconds. Check its load, or raise proxy_timeout_s."
    )


def test_invalid_http_response_returns_502(scripted: ScriptedServer, scripted_proxy: ProxiedService) -> None:
    """A program that is not an HTTP server may listen on the port."""
    scripted.respond = lambda *_: b"SSH-2.0-OpenSSH_9.2\r\n"
    reply = scripted_proxy.send("GET", "/things/_count")
    assert (reply.status, reply.json()["error_type"]) == (502, "StoreAnswer")


def test_html_error_page_is_forwarded(scripted: ScriptedServer, scripted_proxy: ProxiedService) -> None:
    """The error page of a gateway is a response like any other."""
    page = b"<html>bad gateway</html>"
    scripted.respond = lambda *_: (
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page)
    )
    reply = scripted_proxy.send("GET", "/things/_search")
    assert (reply.status, reply.headers["content-type"], reply.body) == (502, "text/html", page)


def test_incomplete_small_response_returns_502(scripted: ScriptedServer, scripted_proxy: ProxiedService) -> None:
    """The proxy has sent nothing yet, so it can report the error."""

    def respond(_: ReceivedRequest, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    scripted.respond = respond
    reply = scripted_proxy.send("POST", "/things/_doc", b"{}")
    assert (reply.status, reply.json()["error_type"]) == (502, "StoreAnswer")
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("framing", [b"Content-Length: 900000", b"Transfer-Encoding: chunked"])
def test_incomplete_large_response_ends_the_connection(
    scripted: ScriptedServer, scripted_proxy: ProxiedService, framing: bytes
) -> None:
    """The status has been sent, so the client notices the missing part by the end of its connection."""

    def respond(_: ReceivedRequest, connection: socket.socket) -> None:
        half = b"x" * 500_000
        body = b"%x\r\n%b\r\n" % (len(half), half) if b"chunked" in framing else half
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + body)

    scripted.respond = respond
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        scripted_proxy.send("GET", "/things/_large")


def test_post_is_not_repeated_if_the_server_closes_the_connection(
    scripted: ScriptedServer, scripted_proxy: ProxiedService
) -> None:
    """The server may have executed the request, so the proxy returns 503."""
    scripted.respond = lambda *_: None
    assert scripted_proxy.send("POST", "/things/_doc", b"{}").status == 503
    assert [request.line for request in scripted.requests] == ["POST /things/_doc HTTP/1.1"]


def test_pooled_connection_closed_by_the_server_is_replaced(
    scripted: ScriptedServer, scripted_proxy: ProxiedService
) -> None:
    """This also holds for a POST."""
    assert scripted_proxy.send("GET", "/things").status == 200
    scripted.drop_connections()
    wait_until(lambda: bool(scripted.closed_connections))
    assert scripted_proxy.send("POST", "/things/_doc", b"{}").status == 200


def test_early_refusal_of_a_long_body_is_returned() -> None:
    """The client receives status 413 although its body was not sent completely."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream = Upstream(Address("http", "127.0.0.1", listener.getsockname()[1]), timeout=10)

        def rest() -> Iterator[bytes]:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            while True:
                yield b"x" * 100_000

        head = b"POST /_bulk HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n\r\n"
        response = upstream.send(OutgoingRequest("POST", head, b"", rest()))
        assert (response.head.status, response.read()) == (413, b"")


def test_client_disconnect_closes_the_server_connection(
    scripted: ScriptedServer, scripted_proxy: ProxiedService
) -> None:
    """OpenSearch cancels a search when its connection closes."""

    def respond(_: ReceivedRequest, connection: socket.socket) -> None:
        connection.settimeout(10)
        assert connection.recv(1) == b""

    scripted.respond = respond
    client = scripted_proxy.connect()
    client.sendall(b"GET /things/_search HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: bool(scripted.requests))
    client.close()
    wait_until(lambda: bool(scripted.closed_connections), seconds=1.5)


def test_pipelined_request_is_not_a_disconnect(scripted: ScriptedServer, scripted_proxy: ProxiedService) -> None:
    """A second request on the client's connection does not cancel the first."""
    pipelined: list[bool] = []

    def respond(request: ReceivedRequest, _: socket.socket) -> bytes:
        if request.line.startswith("GET /first"):
            wait_until(lambda: bool(pipelined))
        return json_response(request.line.encode())

    scripted.respond = respond
    with scripted_proxy.connect() as client:
        client.sendall(b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: bool(scripted.requests))
        client.sendall(b"GET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        pipelined.append(True)
        response = b"".join(iter(lambda: client.recv(65536), b""))
    assert (response.count(b"GET /first HTTP/1.1"), response.count(b"GET /second HTTP/1.1")) == (1, 1)


@pytest.mark.parametrize("framing", [b"Content-Length: 300000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n20000\r\n"])
def test_incomplete_client_body_is_not_executed(
    scripted: ScriptedServer, scripted_proxy: ProxiedService, framing: bytes
) -> None:
    """The server never receives the end of the body."""
    with scripted_proxy.connect() as client:
        client.sendall(b"POST /_bulk HTTP/1.1\r\nHost: x\r\n" + framing + b"x" * 100_000)
    assert scripted_proxy.send("GET", "/things").status == 200
    assert [request.line for request in scripted.requests if request.line.startswith("POST")] == []


def test_connection_with_unread_bytes_is_not_reused(scripted: ScriptedServer) -> None:
    """A response closed before its end, and one followed by surplus bytes, end their connection."""
    upstream = Upstream(Address.parse(scripted.url), timeout=5)
    request = OutgoingRequest("GET", b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    scripted.respond = lambda *_: json_response(b"a" * 200_000)
    upstream.send(request).close()
    scripted.respond = lambda *_: json_response(b"one") + json_response(b"two")
    assert upstream.send(request).read() == b"one"
    scripted.respond = lambda *_: json_response(gzip.compress(b"three"))
    assert gzip.decompress(upstream.send(request).read()) == b"three"
    upstream.close()
    assert len({request.connection for request in scripted.requests}) == 3


def test_invalid_store_url_is_reported_without_its_password() -> None:
    """The error shows the expected form and masks the password."""
    with pytest.raises(SettingError) as refused:
        Address.parse("http://u:secret@host:99999")
    assert refused.value.message == (
        "store: the port must be between 1 and 65535, got http://u:***@host:99999. Correct the URL."
    )
    assert str(Address.parse("https://u:secret@[::1]/path/")) == "https://[::1]:443/path"


def test_unreachable_server_error_names_its_url() -> None:
    """The message contains the URL and the fix."""
    port = free_port()
    with pytest.raises(StoreUnavailable, match=f"^cannot connect to OpenSearch at http://127.0.0.1:{port} "):
        Upstream(Address("http", "127.0.0.1", port), timeout=1).send(OutgoingRequest("GET", b"GET / HTTP/1.1\r\n\r\n"))


RERANKED_SEARCH = {"query": {"match": {"text": "tea"}}, "ext": {"rerank": {"fields": ["text"]}}}
PAGE = b"<html>welcome</html>"


@pytest.mark.parametrize(
    ("response", "status", "error_type"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(PAGE), PAGE),
            502,
            "StoreAnswer",
        ),
        (json_response(b"[1, 2]"), 502, "StoreAnswer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", 502, "StoreAnswer"),
        (b"SSH-2.0\r\n", 502, "StoreAnswer"),
        (b"", 503, "Unhealthy"),
    ],
)
def test_reranked_search_reports_server_faults(
    scripted: ScriptedServer, scripted_proxy: ProxiedService, response: bytes, status: int, error_type: str
) -> None:
    """Reranking hides no fault: an invalid response returns 502, a closed connection 503."""

    def respond(_: ReceivedRequest, connection: socket.socket) -> None:
        connection.sendall(response)

    wait_until_loaded(scripted_proxy)
    scripted.respond = respond
    reply = scripted_proxy.send("POST", "/things/_search", RERANKED_SEARCH)
    assert (reply.status, reply.json()["error_type"]) == (status, error_type)


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"404 Not Found", b"429 Too Many", b"503 Unavailable"])
def test_refused_search_is_returned_unchanged(
    scripted: ScriptedServer, scripted_proxy: ProxiedService, status: bytes
) -> None:
    """The proxy returns the server's response to the plain search, even if it is HTML."""
    head = b"HTTP/1.1 " + status + b"\r\nContent-Type: text/html\r\nWWW-Authenticate: Basic\r\n"
    scripted.respond = lambda *_: head + b"Content-Length: %d\r\n\r\n%b" % (len(PAGE), PAGE)
    wait_until_loaded(scripted_proxy)
    reply = scripted_proxy.send("POST", "/things/_search", RERANKED_SEARCH)
    assert (reply.status, reply.body) == (int(status[:3]), PAGE)
    assert (reply.headers["www-authenticate"], reply.headers["x-rerank-reason"]) == ("Basic", "refused")


def test_reranked_search_uses_the_credentials_of_the_client(
    scripted: ScriptedServer, scripted_proxy: ProxiedService
) -> None:
    """Every request to the server has them, including the request for the mapping."""
    scripted.respond = lambda *_: json_response(b'{"hits": {"hits": []}}')
    wait_until_loaded(scripted_proxy)
    scripted.requests.clear()
    body = {"query": {"match": {"text": "tea"}}, "ext": {"rerank": {}}}
    mapping = b'{"i": {"mappings": {"properties": {"text": {"type": "text"}}}}}'
    scripted.respond = lambda request, _: json_response(
        mapping if "_mapping" in request.line else b'{"hits": {"hits": []}}'
    )
    scripted_proxy.send(
        "POST", "/i%2Fj/_search?preference=x", body, {"Content-Type": "application/json", "Authorization": "Basic dTpw"}
    )
    assert [request.line for request in scripted.requests] == [
        "GET /i%2Fj/_mapping HTTP/1.1",
        "POST /i%2Fj/_search?preference=x HTTP/1.1",
    ]
    assert {request.headers["authorization"] for request in scripted.requests} == {"Basic dTpw"}


def test_untrusted_certificate_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSL_CERT_FILE adds trusted certificates. An untrusted server receives no request."""
    if shutil.which("openssl") is None:
        pytest.skip("making a certificate needs openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    request = OutgoingRequest("GET", b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    with scripted_server(tls) as server:
        with pytest.raises(StoreUnavailable, match="certificate verify failed"):
            Upstream(Address.parse(server.url), timeout=5).send(request)
        assert server.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        upstream = Upstream(Address.parse(server.url), timeout=5)
        server.respond = lambda *_: json_response(b"a" * 300_000)
        assert [len(upstream.send(request).read()) for _ in range(2)] == [300_000] * 2
        assert len({request.connection for request in server.requests}) == 1
        upstream.close()
