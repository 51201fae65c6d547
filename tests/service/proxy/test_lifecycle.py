"""Release of connections and threads when the service stops."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from rerank.core.errors import StoreUnavailable
from rerank.core.settings import Settings
from rerank.service.app import create_app
from rerank.service.proxy.address import Address
from rerank.service.proxy.connection import OutgoingRequest
from rerank.service.proxy.upstream import Upstream
from tests.service.fake_service import components
from tests.service.proxy.scripted_server import ScriptedServer, json_response, scripted_server, wait_until

REQUEST = OutgoingRequest("GET", b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
HIT = {"_index": "i", "_id": "1", "_score": 1.0, "fields": {"text": ["green tea"]}}
SEARCH_RESPONSE = json.dumps({"took": 1, "hits": {"total": {"value": 1}, "hits": [HIT]}}).encode()


def open_sockets() -> set[str]:
    """Returns the sockets of this process."""
    links = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            links.add(str(descriptor.readlink()))
        except FileNotFoundError:
            # The descriptor of the listing itself.
            continue
    return {link for link in links if link.startswith("socket:")}


def test_closed_components_leave_no_thread_and_no_socket() -> None:
    """Forwarding, reranking and shadow mode open connections and a thread, which close with the components."""
    search = {"query": {"match": {"text": "tea"}}}
    with scripted_server() as server:
        server.respond = lambda request, _: json_response(SEARCH_RESPONSE)
        threads, sockets = set(threading.enumerate()), open_sockets()
        settings = Settings(store=server.url, proxy_shadow=1.0, proxy_indexes="i=text")
        opened = components(settings=settings)
        client = create_app(opened).test_client()
        assert client.get("/i/_count").status_code == 200
        assert client.post("/i/_search", json=search).status_code == 200
        reranked = client.post("/i/_search", json={**search, "ext": {"rerank": {"fields": ["text"]}}})
        assert reranked.get_json()["_rerank"]["applied"]
        wait_until(lambda: b'rerank_shadow_searches_total{outcome="compared"} 1.0' in client.get("/metrics").data)
        assert any(thread.name.startswith("shadow") for thread in threading.enumerate())

        opened.close()

        wait_until(lambda: {request.connection for request in server.requests} == set(server.closed_connections))
        wait_until(lambda: set(threading.enumerate()) <= threads)
        assert open_sockets() <= sockets


def test_closing_interrupts_a_request_in_progress(scripted: ScriptedServer) -> None:
    """The waiting thread gets an error at once, long before its timeout."""
    released = threading.Event()

    def respond(*_: object) -> bytes:
        released.wait(20)
        return json_response(b"{}")

    scripted.respond = respond
    upstream = Upstream(Address.parse(scripted.url), timeout=60)
    errors: list[StoreUnavailable] = []

    def send() -> None:
        try:
            upstream.send(REQUEST)
        except StoreUnavailable as exc:
            errors.append(exc)

    thread = threading.Thread(target=send)
    thread.start()
    wait_until(lambda: bool(scripted.requests))
    upstream.close()
    thread.join(5)
    released.set()
    assert (thread.is_alive(), len(errors)) == (False, 1)


def test_closed_pool_refuses_requests(scripted: ScriptedServer) -> None:
    """A connection that is released later is closed."""
    upstream = Upstream(Address.parse(scripted.url), timeout=5)
    scripted.respond = lambda *_: json_response(b"a" * 10)
    response = upstream.send(REQUEST)
    upstream.close()
    response.close()
    wait_until(lambda: bool(scripted.closed_connections))
    with pytest.raises(StoreUnavailable, match="shutting down"):
        upstream.send(REQUEST)
