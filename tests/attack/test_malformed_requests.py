from __future__ import annotations

import random
import socket
from contextlib import suppress
from pathlib import Path

from tests.service.service_process import ServiceProcess, run_service

SEEDS = range(300)
TEMPLATE = (
    b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    b'Connection: close\r\n\r\n1a\r\n{"index":"docs","query":""}\r\n0\r\n\r\n'
)


def test_damaged_requests_leave_the_service_alive(tmp_path: Path) -> None:
    """After bytes of a valid request are replaced, removed or repeated at random, /health still returns 200."""
    with run_service(tmp_path) as service:
        (tmp_path / "load").touch()
        service.wait_until_ready()
        for seed in SEEDS:
            _send(service, _damaged(random.Random(seed)))
        assert service.request("GET", "/health") == (200, {"status": "ok"})
        assert service.process.poll() is None
    assert "Traceback" not in (tmp_path / "log").read_text()


def _damaged(random_source: random.Random) -> bytes:
    data = bytearray(TEMPLATE)
    for _ in range(random_source.randint(1, 8)):
        start = random_source.randrange(len(data))
        end = start + random_source.randint(0, 12)
        data[start:end] = random_source.choice(
            [b"", random_source.randbytes(4), bytes(data[start:end]) * 2, b"\r\n", b"\0", b"9" * 20]
        )
    return bytes(data)


def _send(service: ServiceProcess, request: bytes) -> None:
    """Sends *request*, closes the sending side, and reads until the service closes the connection."""
    with socket.create_connection(service.address, timeout=30) as connection, suppress(ConnectionError):
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
