"""What is not ours reaches the server and comes back as it is."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.proxy.scripted import Asked, ScriptedServer, json_answer, until
from tests.service.proxy.standing import Standing, ask, standing_before

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
def test_a_target_travels_as_it_was_sent(scripted: ScriptedServer, before_scripted: Standing, target: str) -> None:
    """Nothing is decoded, merged or resolved, and the server is always the one of the settings."""
    before_scripted.ask("HEAD" if target == "/search" else "GET", target, headers={"Host": "evil.example"})
    (asked,) = scripted.asked
    assert asked.line.split(" ")[1:] == [target, "HTTP/1.1"]
    assert asked.headers["host"] == scripted.url.removeprefix("http://")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_every_verb_goes_on(scripted: ScriptedServer, before_scripted: Standing, method: str) -> None:
    """The server decides what it takes."""
    assert before_scripted.ask(method, "/docs/_thing").status == 200
    assert [asked.line for asked in scripted.asked] == [f"{method} /docs/_thing HTTP/1.1"]


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
def test_other_verbs_on_our_paths_are_the_servers(
    scripted: ScriptedServer, before_scripted: Standing, method: str, path: str
) -> None:
    """Ours are the exact methods and paths."""
    before_scripted.ask(method, path)
    assert [asked.line for asked in scripted.asked] == [f"{method} {path} HTTP/1.1"]


def test_our_own_paths_stay_here(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """Health, the description, and the page for whoever wants text/html; its assets too."""
    assert before_scripted.ask("GET", "/health").json() == {"status": "ok"}
    page = before_scripted.ask("GET", "/", headers={"Accept": "text/html,*/*"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert before_scripted.ask("GET", "/static/page.js").status == 200
    assert scripted.asked == []
    assert before_scripted.ask("GET", "/", headers={"Accept": "*/*"}).body == b"{}"


def test_headers_travel_but_for_those_of_one_connection(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """Authorization and whatever the client says go on; hop-by-hop headers, and those that Connection names, do not."""
    scripted.answer = lambda *_: (
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
    reply = before_scripted.ask("GET", "/x", headers=sent)
    (asked,) = scripted.asked
    assert asked.headers == {
        "host": scripted.url.removeprefix("http://"),
        "authorization": "Basic dTpw",
        "x-opaque-id": "7",
        "accept-encoding": "gzip",
    }
    kept = {name: reply.headers[name] for name in reply.headers if name not in ("server", "date", "connection")}
    assert (reply.status, reply.reason, reply.body) == (201, "Made it", b"ok")
    assert kept == {"x-elastic-product": "Elasticsearch", "warning": "299 two", "content-length": "2"}


@pytest.mark.parametrize("size", [0, 5, 70_000, 3_000_000])
def test_bodies_travel_byte_by_byte(scripted: ScriptedServer, before_scripted: Standing, size: int) -> None:
    """NDJSON, compressed or not, small or large: the bytes and their kind are the client's."""
    body = gzip.compress(bytes(range(256)) * (size // 256) + b"x" * (size % 256), compresslevel=0)
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    scripted.answer = lambda asked, _: json_answer(asked.body)
    reply = before_scripted.ask("POST", "/_bulk", body, headers)
    (asked,) = scripted.asked
    assert (asked.body, reply.body) == (body, body)
    assert (asked.headers["content-type"], asked.headers["content-encoding"]) == ("application/x-ndjson", "gzip")
    assert asked.headers["content-length"] == str(len(body))


def test_chunks_travel_both_ways(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """A body of no stated length goes on in chunks, and an answer in chunks comes back in chunks."""
    scripted.answer = lambda *_: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    said = before_scripted.send(
        b"POST /_bulk HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"4;note=1\r\none\n\r\n4\r\ntwo\n\r\n0\r\nX-Trailer: 1\r\n\r\n"
    )
    (asked,) = scripted.asked
    assert (asked.body, asked.headers["transfer-encoding"]) == (b"one\ntwo\n", "chunked")
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    assert body.replace(b"5\r\nabcde\r\n", b"3\r\nabc\r\n2\r\nde\r\n") == b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


def test_head_keeps_the_length_and_has_no_body(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """HEAD's Content-Length is that of GET, and the connection goes on."""
    scripted.answer = lambda asked, _: (
        b"HTTP/1.1 200 OK\r\ncontent-length: 555\r\n\r\n" if asked.line.startswith("HEAD") else json_answer(b"[]")
    )
    for _ in range(2):
        reply = before_scripted.ask("HEAD", "/things")
        assert (reply.status, reply.headers["content-length"], reply.body) == (200, "555", b"")
        assert before_scripted.ask("GET", "/things").body == b"[]"


def test_connections_to_the_server_are_kept(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """One after the other, requests share a connection."""
    for _ in range(5):
        before_scripted.ask("GET", "/things")
    assert len({asked.connection for asked in scripted.asked}) == 1


def test_an_answer_without_a_length_ends_with_its_connection(
    scripted: ScriptedServer, before_scripted: Standing
) -> None:
    """HTTP/1.0's way is understood, and such a connection is not used again."""

    def answer(_: Asked, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it")

    scripted.answer = answer
    assert [before_scripted.ask("GET", "/x").body for _ in range(2)] == [b"all of it"] * 2
    assert len({asked.connection for asked in scripted.asked}) == 2


def test_interim_answers_are_passed_over(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """The final answer is the answer."""
    scripted.answer = lambda *_: b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + json_answer(b"[1]")
    reply = before_scripted.ask("GET", "/x")
    assert (reply.status, reply.body, "link" in reply.headers) == (200, b"[1]", False)


SMUGGLED = [
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


@pytest.mark.parametrize("request_bytes", SMUGGLED)
def test_what_can_be_read_in_two_ways_is_refused(
    scripted: ScriptedServer, before_scripted: Standing, request_bytes: bytes
) -> None:
    """Two ends of one body, lines within headers, and other servers' addresses: 400, and the server hears nothing."""
    with before_scripted.connect() as connection:
        connection.sendall(request_bytes)
        said = connection.recv(65536)
    assert said.split(b" ")[1] == b"400"
    assert b"application/json" in said.lower()
    assert scripted.asked == []


def test_the_servers_own_headers_cannot_end_a_line(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """A broken head is no answer."""
    scripted.answer = lambda *_: b"HTTP/1.1 200 OK\r\nX-A: b\rX-B: c\0\r\nContent-Length: 0\r\n\r\n"
    assert before_scripted.ask("GET", "/x").status == 502


def test_an_upgrade_does_not_become_a_tunnel(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """101 was never asked for."""
    scripted.answer = lambda *_: b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    assert before_scripted.ask("GET", "/x").status == 502


@pytest.fixture(scope="module")
def guarded(_scripted: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """A service with keys, whose store has a password of its own and a path before every other."""
    store = _scripted.url.replace("http://", "http://own:secret@") + "/search-cluster"
    with standing_before(store, tmp_path_factory.mktemp("guarded"), api_keys=["key-1", "key-2"]) as service:
        yield service


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ({"X-API-Key": "key-2"}, {}),
        ({"Authorization": "Bearer key-1"}, {}),
        ({"X-API-Key": "key-1", "Authorization": "Basic dTpw"}, {"authorization": "Basic dTpw"}),
        ({"X-API-Key": "key-1", "Authorization": "Bearer theirs"}, {"authorization": "Bearer theirs"}),
        ({"X-API-Key": "key-1", "Authorization": "bearer key-1"}, {}),
    ],
)
def test_our_keys_end_here_and_other_credentials_go_on(
    scripted: ScriptedServer, guarded: Standing, sent: dict[str, str], arrives: dict[str, str]
) -> None:
    """The server never sees a key of ours, and the store's own password is never lent to a client."""
    assert guarded.ask("GET", "/docs/_count", headers=sent).status == 200
    (asked,) = scripted.asked
    assert asked.line == "GET /search-cluster/docs/_count HTTP/1.1"
    assert asked.headers == {"host": scripted.url.removeprefix("http://"), **arrives}


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
def test_without_a_key_nothing_reaches_the_server(
    scripted: ScriptedServer, guarded: Standing, sent: dict[str, str], target: str
) -> None:
    """Every path asks for the key, whatever it resembles."""
    reply = guarded.ask("GET", target, headers=sent)
    assert (reply.status, reply.json()["error_type"]) == (401, "Unauthorized")
    assert reply.headers["www-authenticate"] == 'Bearer realm="rerank"'
    assert scripted.asked == []


@pytest.mark.parametrize("target", ["/../_search", "/a/..", "/%2e%2e/x", "/a/.%2E/../x", "/a/%2e/b"])
def test_the_path_before_every_other_cannot_be_left(scripted: ScriptedServer, guarded: Standing, target: str) -> None:
    """Where the store's address has a path, no dot segment leads out of it."""
    reply = guarded.ask("GET", target, headers={"X-API-Key": "key-1"})
    assert (reply.status, scripted.asked) == (400, [])


def test_a_key_of_nobodys_goes_on_where_there_are_none(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """Without keys of ours, X-API-Key and Bearer belong to the server."""
    before_scripted.ask("GET", "/x", headers={"X-API-Key": "k", "Authorization": "Bearer t"})
    (asked,) = scripted.asked
    assert (asked.headers["x-api-key"], asked.headers["authorization"]) == ("k", "Bearer t")


def test_large_answers_are_not_held(scripted: ScriptedServer, before_scripted: Standing) -> None:
    """The first bytes of an answer arrive while the server still holds back the rest."""
    before_rest: list[bytes] = []

    def answer(_: Asked, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + b"a" * 200_000)
        until(lambda: bool(before_rest))
        connection.sendall(b"b" * 200_000)

    scripted.answer = answer
    with before_scripted.connect() as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        before_rest.append(connection.recv(65536))
        rest = b"".join(iter(lambda: connection.recv(65536), b""))
    assert (before_rest[0] + rest).partition(b"\r\n\r\n")[2] == b"a" * 200_000 + b"b" * 200_000


def test_large_bodies_are_not_held(tmp_path: Path) -> None:
    """The server has the beginning of a body while the client still holds back the rest."""
    half = b"x" * 2_000_000
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        standing_before(f"http://127.0.0.1:{listener.getsockname()[1]}", tmp_path) as service,
        service.connect() as client,
    ):
        client.sendall(b"POST /_bulk HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n" + half)
        listener.settimeout(20)
        connection, _ = listener.accept()
        with connection:
            arrived = _receive(connection, 1_000_000)
            client.sendall(half)
            head, _, begun = arrived.partition(b"\r\n\r\n")
            body = begun + _receive(connection, 4_000_000 - len(begun))
            connection.sendall(json_answer(b"{}"))
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")
    assert (head.startswith(b"POST /_bulk HTTP/1.1"), body) == (True, half + half)


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    connection.settimeout(20)
    while len(data) < size:
        data += connection.recv(1 << 20)
    return data


def test_nothing_is_forwarded_where_the_store_is_a_folder(tmp_path: Path) -> None:
    """Embedded, a path that is not ours is 404."""
    with standing_before(str(tmp_path / "data"), tmp_path) as service:
        reply = ask(service.url, "GET", "/docs/_search")
    assert (reply.status, reply.json()["error_type"]) == (404, "NotFound")
