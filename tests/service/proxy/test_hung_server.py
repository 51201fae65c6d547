"""A server that accepts requests and never responds."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tests.service.fake_service import error
from tests.service.proxy.proxied_service import start_proxy, wait_until_loaded
from tests.service.proxy.scripted_server import json_response, scripted_server, wait_until

FORWARDED = 8
"""max_connections - threads - 8 spare requests."""


def test_hung_server_leaves_the_paths_of_the_service_available(tmp_path: Path) -> None:
    """Forwarded requests beyond the limit get 503 at once. The waiting ones get their responses later."""
    released: list[bool] = []
    with scripted_server() as server, start_proxy(server.url, tmp_path, max_connections=20, threads=4) as service:
        wait_until_loaded(service)

        def respond(*_: object) -> bytes:
            wait_until(lambda: bool(released), seconds=120)
            return json_response(b"{}")

        server.respond = respond
        with ExitStack() as stack:
            clients = [stack.enter_context(service.connect()) for _ in range(FORWARDED)]
            for client in clients:
                client.sendall(b"GET /things/_search HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_until(lambda: len(server.requests) == FORWARDED)
            refused = service.send("GET", "/things/_search")
            message = f"{FORWARDED} forwarded requests already wait for OpenSearch. Retry later"
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert refused.json() == error(message, "Overloaded")
            assert service.send("GET", "/health").status == 200
            assert service.send("POST", "/rerank", {"query": "tea", "documents": ["tea"]}).status == 200
            released.append(True)
            assert all(client.recv(65536).startswith(b"HTTP/1.1 200 ") for client in clients)
        assert service.send("GET", "/things/_search").status == 200
