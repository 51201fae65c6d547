"""Latency of HTTP servers beside slow clients.

    python -m benchmarks.slow_clients PYTHON [SERVER...]

PYTHON is an interpreter with gunicorn, gevent, waitress, granian and cheroot installed. Each server runs an application
that returns two bytes, with 24 threads. For each kind of slow client, 60 of them connect. Then a well-behaved client
sends 5 requests on new connections. The benchmark prints its longest time, or "over 10 s".
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.attack.slow_clients import Address, open_clients
from tests.opensearch_server import free_port
from tests.service.proxy.proxied_service import start_proxy
from tests.service.proxy.scripted_server import json_response, scripted_server, wait_until
from tests.service.service_process import run_service

CLIENTS = 60
REQUESTS = 5
PATIENCE_SECONDS = 10.0

APPLICATION = """
def app(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = bytes(20 << 20) if environ["PATH_INFO"] == "/large" else b"ok"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
GUNICORN = ("-m", "gunicorn", "--log-level", "error", "-b", "127.0.0.1:{port}", "app:app")
SERVERS: dict[str, Sequence[str]] = {
    "gunicorn gthread": (*GUNICORN, "-k", "gthread", "--threads", "24"),
    "gunicorn gevent": (*GUNICORN, "-k", "gevent"),
    "waitress": ("-m", "waitress", "--listen=127.0.0.1:{port}", "--threads=24", "app:app"),
    "granian": (
        *("-m", "granian", "--interface", "wsgi", "--port", "{port}", "--blocking-threads", "24"),
        *("--no-log", "app:app"),
    ),
    "cheroot": ("-m", "cheroot", "--bind", "127.0.0.1:{port}", "--threads", "24", "app:app"),
}
CLOSING = b"Connection: close\r\n\r\n"
KINDS = {
    "silent": b"",
    "half head": b"GET /hea",
    "half body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
    "not closed": b"GET /health HTTP/1.1\r\nHost: x\r\n" + CLOSING,
    "unread": b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n",
}
"""What the slow clients send before they stop."""


@contextmanager
def run(python: str, arguments: Sequence[str]) -> Iterator[Address]:
    """Runs a server for the duration of a block and yields its address."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "app.py").write_text(APPLICATION)
        command = [python, *(argument.format(port=port) for argument in arguments)]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: longest(("127.0.0.1", port), requests=1) < PATIENCE_SECONDS)
            yield ("127.0.0.1", port)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def longest(address: Address, *, requests: int = REQUESTS) -> float:
    """Returns the seconds of the slowest request, or PATIENCE_SECONDS after the first one that fails."""
    slowest = 0.0
    for _ in range(requests):
        started = time.monotonic()
        try:
            with closing(http.client.HTTPConnection(*address, timeout=PATIENCE_SECONDS)) as connection:
                connection.request("GET", "/health")
                connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return PATIENCE_SECONDS
        slowest = max(slowest, time.monotonic() - started)
    return slowest


def beside(address: Address, kind: str) -> str:
    """Returns the time of the slowest request beside slow clients of *kind*."""
    try:
        with open_clients(address, CLIENTS, KINDS[kind]):
            time.sleep(1)
            seconds = longest(address)
    except OSError:
        return "refuses connections"
    return f"over {PATIENCE_SECONDS:g} s" if seconds >= PATIENCE_SECONDS else f"{seconds * 1000:.0f} ms"


def in_front_of_large_response(folder: Path) -> str:
    """Returns the time of this service's slowest request beside clients that do not read a forwarded response."""
    with scripted_server() as server, start_proxy(server.url, folder) as proxied:
        content = json_response(bytes(20 << 20))
        server.respond = lambda *_: content
        parts = urlsplit(proxied.url)
        return beside((str(parts.hostname), parts.port or 0), "unread")


def main() -> None:
    """Measures all servers, each kind of slow client on a new process."""
    print(f"| server | {' | '.join(KINDS)} |", flush=True)
    cells = []
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as name:
            if kind == "unread":
                cells.append(in_front_of_large_response(Path(name)))
            else:
                with run_service(Path(name)) as service:
                    service.request("GET", "/health")  # The worker still imports its modules.
                    cells.append(beside(service.address, kind))
    print(f"| this service | {' | '.join(cells)} |", flush=True)
    for name, arguments in SERVERS.items():
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        cells = []
        for kind in KINDS:
            with run(sys.argv[1], arguments) as address:
                cells.append(beside(address, kind))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
