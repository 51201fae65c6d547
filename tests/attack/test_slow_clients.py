"""Slow clients beside a well-behaved one. Before the deadlines of connections, each of these stopped the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.attack.slow_clients import longest_seconds, open_clients
from tests.service.proxy.proxied_service import start_proxy, wait_until_loaded
from tests.service.proxy.scripted_server import json_response, scripted_server, wait_until
from tests.service.service_process import ServiceProcess, run_service

HEAD = b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
ACCEPTABLE_SECONDS = 2.0
"""Generous for a busy machine. A blocked service needs at least the timeout of a client, 30 seconds."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Yields a loaded service."""
    folder: Path = tmp_path_factory.mktemp("service")
    with run_service(folder) as running:
        (folder / "load").touch()
        running.wait_until_ready()
        yield running


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /hea",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        HEAD + b"Content-Length: 1000\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
    ids=["silent", "request-line", "head", "body", "chunk", "unclosed"],
)
def test_slow_clients_delay_no_other_client(service: ServiceProcess, sent: bytes) -> None:
    """Beside 240 slow clients, liveness and a search are answered at once."""
    with open_clients(service.address, 240, sent):
        assert longest_seconds(service.address) < ACCEPTABLE_SECONDS
        assert longest_seconds(service.address, "/search?q=tea&index=docs") < ACCEPTABLE_SECONDS
    assert longest_seconds(service.address) < ACCEPTABLE_SECONDS


def test_clients_that_read_nothing_delay_no_other_client(tmp_path: Path) -> None:
    """60 clients request a response of 20 MB through the proxy, which exceeds the buffers of their connections."""
    with scripted_server() as server, start_proxy(server.url, tmp_path) as proxied:
        wait_until_loaded(proxied)
        content = bytes(20 << 20)
        server.respond = lambda request, _: json_response(content if "large" in request.line else b"{}")
        address = (str(urlsplit(proxied.url).hostname), urlsplit(proxied.url).port or 0)
        with open_clients(address, 60, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"):
            wait_until(lambda: sum("large" in request.line for request in server.requests) == 60, seconds=60)
            assert longest_seconds(address) < ACCEPTABLE_SECONDS
            assert longest_seconds(address, "/things/_count") < ACCEPTABLE_SECONDS


def test_more_connections_than_the_limit_leave_the_probes_available(service: ServiceProcess) -> None:
    """1,200 connections without a complete request: the longest-waiting ones are closed to make room."""
    with open_clients(service.address, 1200, b"GET /"):
        assert longest_seconds(service.address) < ACCEPTABLE_SECONDS
