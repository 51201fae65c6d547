"""SIGTERM while requests run and arrive."""

from __future__ import annotations

import signal
import socket
import threading
from pathlib import Path
from typing import Any

from tests.service.controlled_process import TIMEOUT_SECONDS, wait_for
from tests.service.fake_service import INDEX
from tests.service.service_process import run_service

ROUNDS = 5


def test_sigterm_closes_the_listener_and_loses_no_request(tmp_path: Path) -> None:
    """The service refuses new connections at once. Connected clients and the running request get their responses."""
    for number in range(ROUNDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        with run_service(folder) as service:
            (folder / "load").touch()
            service.wait_until_ready()
            responses: list[tuple[int, Any]] = []
            body = {"index": INDEX, "query": "slow"}
            running = threading.Thread(target=lambda: responses.append(service.request("POST", "/search", body)))  # noqa: B023
            running.start()
            wait_for(folder / "scoring")
            with socket.create_connection(service.address) as connected:
                service.process.send_signal(signal.SIGTERM)
                _wait_until_refused(service.address)
                connected.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                response = b"".join(iter(lambda: connected.recv(65536), b""))
                (folder / "go").touch()
                running.join()
                assert service.process.wait(TIMEOUT_SECONDS) == 0
        assert response.startswith(b"HTTP/1.1 200 ")
        assert b"Connection: close" in response
        assert [status for status, _ in responses] == [200]


def _wait_until_refused(address: tuple[str, int]) -> None:
    """Connects until the service refuses it, at most 200 times: the backlog holds 512 connections."""
    for _ in range(200):
        try:
            socket.create_connection(address, timeout=1).close()
        except OSError:
            return
        threading.Event().wait(0.01)
    raise AssertionError("the service still accepts connections")
