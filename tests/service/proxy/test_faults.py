"""What happens when the server or the client fails, and what the other side is told."""

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
from rerank.service.proxy.connection import Exchange
from rerank.service.proxy.upstream import Upstream
from tests.opensearch_server import free_port
from tests.service.proxy.scripted import Asked, ScriptedServer, json_answer, scripted_server, until
from tests.service.proxy.standing import Standing, standing_before, until_loaded


def test_a_server_that_is_gone_is_503_and_one_that_is_back_serves(tmp_path: Path) -> None:
    """The service stays up without its server, says so, and needs no restart when the server comes."""
    port = free_port()
    with standing_before(f"http://127.0.0.1:{port}", tmp_path) as service:
        reply = service.ask("GET", "/things/_count")
        assert (reply.status, reply.json()["error_type"], reply.headers["retry-after"]) == (503, "Unhealthy", "1")
        assert reply.json()["message"].startswith(f"OpenSearch at http://127.0.0.1:{port} cannot be reached")
        with socket.create_server(("127.0.0.1", port)) as listener:
            listener.settimeout(20)
            with service.connect() as client:
                client.sendall(b"GET /things/_count HTTP/1.1\r\nHost: x\r\n\r\n")
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(json_answer(b'{"count":1}'))
                    assert client.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_slow_server_is_504(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """Its time is the setting proxy_timeout_s, two seconds here."""
    released: list[bool] = []

    def answer(_: Asked, __: socket.socket) -> bytes:
        until(lambda: bool(released))
        return json_answer(b"{}")

    scripted.answer = answer
    reply = before_scripted.ask("GET", "/things/_count")
    released.append(True)
    assert (reply.status, reply.json()["error_type"]) == (504, "StoreTimeout")
    assert reply.json()["message"] == "OpenSearch did not answer within 2 seconds; look at its load"


def test_what_is_no_http_is_502(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """Something else listens there."""
    scripted.answer = lambda *_: b"SSH-2.0-OpenSSH_9.2\r\n"
    reply = before_scripted.ask("GET", "/things/_count")
    assert (reply.status, reply.json()["error_type"]) == (502, "StoreAnswer")


def test_html_is_passed_on(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """A gateway's error page is the server's answer."""
    page = b"<html>bad gateway</html>"
    scripted.answer = lambda *_: (
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page)
    )
    reply = before_scripted.ask("GET", "/things/_search")
    assert (reply.status, reply.headers["content-type"], reply.body) == (502, "text/html", page)


def test_a_small_answer_that_breaks_off_is_502(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """Nothing of it has gone out yet, so the client can be told."""

    def answer(_: Asked, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    scripted.answer = answer
    reply = before_scripted.ask("POST", "/things/_doc", b"{}")
    assert (reply.status, reply.json()["error_type"]) == (502, "StoreAnswer")
    assert len(scripted.asked) == 1


@pytest.mark.parametrize("framing", [b"Content-Length: 900000", b"Transfer-Encoding: chunked"])
def test_a_large_answer_that_breaks_off_is_not_taken_for_whole(
    scripted: ScriptedServer, before_scripted: Standing, framing: bytes
) -> None:
    """Its status has gone out; the client's connection ends before the answer does."""

    def answer(_: Asked, connection: socket.socket) -> None:
        half = b"x" * 500_000
        body = b"%x\r\n%b\r\n" % (len(half), half) if b"chunked" in framing else half
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + body)

    scripted.answer = answer
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        before_scripted.ask("GET", "/things/_large")


def test_a_server_that_closes_without_a_word_is_503(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """What may have been done is not done twice: a POST is sent once."""
    scripted.answer = lambda *_: None
    assert before_scripted.ask("POST", "/things/_doc", b"{}").status == 503
    assert [asked.line for asked in scripted.asked] == ["POST /things/_doc HTTP/1.1"]


def test_a_restarted_server_is_not_noticed(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """A kept connection that the server has closed meanwhile is replaced, for a POST too."""
    assert before_scripted.ask("GET", "/things").status == 200
    scripted.drop_connections()
    until(lambda: bool(scripted.gone))
    assert before_scripted.ask("POST", "/things/_doc", b"{}").status == 200


def test_a_long_body_that_the_server_refuses_early_gets_its_answer() -> None:
    """413 comes back though the body was still on its way."""
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
        answer = upstream.ask(Exchange("POST", head, b"", rest()))
        assert (answer.head.status, answer.read()) == (413, b"")


def test_a_client_that_leaves_ends_the_servers_work(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """The connection to the server is closed when nobody waits any more, so that OpenSearch cancels the search."""

    def answer(_: Asked, connection: socket.socket) -> None:
        connection.settimeout(10)
        assert connection.recv(1) == b""

    scripted.answer = answer
    client = before_scripted.connect()
    client.sendall(b"GET /things/_search HTTP/1.1\r\nHost: x\r\n\r\n")
    until(lambda: bool(scripted.asked))
    client.close()
    until(lambda: bool(scripted.gone), seconds=1.5)


def test_a_client_that_sends_its_next_request_early_is_still_there(
    scripted: ScriptedServer, before_scripted: Standing
) -> None:
    """Bytes on its connection are no farewell."""
    both: list[bool] = []

    def answer(asked: Asked, _: socket.socket) -> bytes:
        if asked.line.startswith("GET /first"):
            until(lambda: bool(both))
        return json_answer(asked.line.encode())

    scripted.answer = answer
    with before_scripted.connect() as client:
        client.sendall(b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: bool(scripted.asked))
        client.sendall(b"GET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        both.append(True)
        said = b"".join(iter(lambda: client.recv(65536), b""))
    assert (said.count(b"GET /first HTTP/1.1"), said.count(b"GET /second HTTP/1.1")) == (1, 1)


@pytest.mark.parametrize("framing", [b"Content-Length: 300000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n20000\r\n"])
def test_half_a_body_never_becomes_a_whole_one(
    scripted: ScriptedServer, before_scripted: Standing, framing: bytes
) -> None:
    """A client that leaves within its body leaves the server without its end, and nothing is done."""
    with before_scripted.connect() as client:
        client.sendall(b"POST /_bulk HTTP/1.1\r\nHost: x\r\n" + framing + b"x" * 100_000)
    assert before_scripted.ask("GET", "/things").status == 200
    assert [asked.line for asked in scripted.asked if asked.line.startswith("POST")] == []


def test_what_is_left_unread_does_not_mix_into_the_next_answer(scripted: ScriptedServer) -> None:
    """An answer that was closed before its end, and one with more after it, take their connection with them."""
    upstream = Upstream(Address.parse(scripted.url), timeout=5)
    asking = Exchange("GET", b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    scripted.answer = lambda *_: json_answer(b"a" * 200_000)
    upstream.ask(asking).close()
    scripted.answer = lambda *_: json_answer(b"one") + json_answer(b"two")
    assert upstream.ask(asking).read() == b"one"
    scripted.answer = lambda *_: json_answer(gzip.compress(b"three"))
    assert gzip.decompress(upstream.ask(asking).read()) == b"three"
    upstream.close()
    assert len({asked.connection for asked in scripted.asked}) == 3


def test_an_address_that_is_none_is_told_without_its_password() -> None:
    """The setting's error names the form, and no secret."""
    with pytest.raises(SettingError) as refused:
        Address.parse("http://u:secret@host:99999")
    assert refused.value.message == "store: the port of http://u:***@host:99999 is no number up to 65535"
    assert str(Address.parse("https://u:secret@[::1]/path/")) == "https://[::1]:443/path"


def test_an_address_where_nothing_listens_is_named() -> None:
    """The message has the address and the way out."""
    port = free_port()
    with pytest.raises(StoreUnavailable, match=f"^OpenSearch at http://127.0.0.1:{port} cannot be reached"):
        Upstream(Address("http", "127.0.0.1", port), timeout=1).ask(Exchange("GET", b"GET / HTTP/1.1\r\n\r\n"))


ASKED = {"query": {"match": {"text": "tea"}}, "ext": {"rerank": {"fields": ["text"]}}}
PAGE = b"<html>welcome</html>"


@pytest.mark.parametrize(
    ("said", "status", "error_type"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(PAGE), PAGE),
            502,
            "StoreAnswer",
        ),
        (json_answer(b"[1, 2]"), 502, "StoreAnswer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", 502, "StoreAnswer"),
        (b"SSH-2.0\r\n", 502, "StoreAnswer"),
        (b"", 503, "Unhealthy"),
    ],
)
def test_a_search_to_be_re_ranked_fails_as_any_other(
    scripted: ScriptedServer, before_scripted: Standing, said: bytes, status: int, error_type: str
) -> None:
    """Nonsense is 502, nothing is 503: re-ranking hides no fault of the server's."""

    def answer(_: Asked, connection: socket.socket) -> None:
        connection.sendall(said)

    until_loaded(before_scripted)
    scripted.answer = answer
    reply = before_scripted.ask("POST", "/things/_search", ASKED)
    assert (reply.status, reply.json()["error_type"]) == (status, error_type)


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"404 Not Found", b"429 Too Many", b"503 Unavailable"])
def test_what_the_server_refuses_comes_back_as_it_is(
    scripted: ScriptedServer, before_scripted: Standing, status: bytes
) -> None:
    """Also HTML, and for the client's own search, which is tried as well."""
    head = b"HTTP/1.1 " + status + b"\r\nContent-Type: text/html\r\nWWW-Authenticate: Basic\r\n"
    scripted.answer = lambda *_: head + b"Content-Length: %d\r\n\r\n%b" % (len(PAGE), PAGE)
    until_loaded(before_scripted)
    reply = before_scripted.ask("POST", "/things/_search", ASKED)
    assert (reply.status, reply.body) == (int(status[:3]), PAGE)
    assert (reply.headers["www-authenticate"], reply.headers["x-rerank-reason"]) == ("Basic", "refused")


def test_a_search_to_be_re_ranked_has_the_clients_own_credentials(
    scripted: ScriptedServer, before_scripted: Standing
) -> None:
    """Every request made for it, the mapping's too."""
    scripted.answer = lambda *_: json_answer(b'{"hits": {"hits": []}}')
    until_loaded(before_scripted)
    scripted.asked.clear()
    body = {"query": {"match": {"text": "tea"}}, "ext": {"rerank": {}}}
    mapping = b'{"i": {"mappings": {"properties": {"text": {"type": "text"}}}}}'
    scripted.answer = lambda asked, _: json_answer(mapping if "_mapping" in asked.line else b'{"hits": {"hits": []}}')
    before_scripted.ask(
        "POST", "/i%2Fj/_search?preference=x", body, {"Content-Type": "application/json", "Authorization": "Basic dTpw"}
    )
    assert [asked.line for asked in scripted.asked] == [
        "GET /i%2Fj/_mapping HTTP/1.1",
        "POST /i%2Fj/_search?preference=x HTTP/1.1",
    ]
    assert {asked.headers["authorization"] for asked in scripted.asked} == {"Basic dTpw"}


def test_an_encrypted_server_must_be_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a certificate in SSL_CERT_FILE, or one that the machine knows; otherwise it is not asked anything."""
    if shutil.which("openssl") is None:
        pytest.skip("making a certificate needs openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    made = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, *made], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    asking = Exchange("GET", b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    with scripted_server(tls) as server:
        with pytest.raises(StoreUnavailable, match="certificate verify failed"):
            Upstream(Address.parse(server.url), timeout=5).ask(asking)
        assert server.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        upstream = Upstream(Address.parse(server.url), timeout=5)
        server.answer = lambda *_: json_answer(b"a" * 300_000)
        assert [len(upstream.ask(asking).read()) for _ in range(2)] == [300_000] * 2
        assert len({asked.connection for asked in server.asked}) == 1
        upstream.close()
