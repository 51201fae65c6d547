"""Service in front of a server in a child process, and the requests that tests send to it."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.service.controlled_process import TIMEOUT_SECONDS, wait_for
from tests.service.proxy.scripted_server import wait_until


@dataclass(frozen=True)
class Reply:
    """A response. The names of its headers are in lower case."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Returns the parsed body."""
        return json.loads(self.body)


def send(
    url: str, method: str, target: str, body: bytes | object = None, headers: Mapping[str, str] | None = None
) -> Reply:
    """Sends one request to *url* with an unchanged target. A body that is not bytes is sent as JSON."""
    parts = urlsplit(url)
    sent = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        sent.setdefault("Content-Type", "application/json")
    with closing(http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=TIMEOUT_SECONDS)) as connection:
        connection.putrequest(method, target, skip_host="Host" in sent, skip_accept_encoding=True)
        for name, value in sent.items():
            connection.putheader(name, value)
        if isinstance(body, bytes):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        with connection.getresponse() as response:
            names = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, response.reason, names, response.read())


@dataclass(frozen=True)
class ProxiedService:
    """A service in a child process, in front of the server at `server`."""

    url: str
    server: str
    folder: Path
    process: subprocess.Popen[bytes]

    def send(
        self, method: str, target: str, body: bytes | object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Sends one request to the service."""
        return send(self.url, method, target, body, headers)

    def connect(self) -> socket.socket:
        """Returns a socket connected to the service."""
        parts = urlsplit(self.url)
        return socket.create_connection((str(parts.hostname), parts.port or 0), timeout=TIMEOUT_SECONDS)

    def send_raw(self, request: bytes) -> bytes:
        """Sends bytes and returns everything until the service closes the connection."""
        with self.connect() as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))


@contextmanager
def start_proxy(server: str, folder: Path, **settings: object) -> Iterator[ProxiedService]:
    """Runs a service with *settings* in front of *server* for the duration of a block."""
    arguments = [str(folder), json.dumps({"store": server, **settings})]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.service.proxy.proxied_process", *arguments], stderr=log, stdout=log
        )
        try:
            wait_for(folder / "address")
            yield ProxiedService((folder / "address").read_text(), server, folder, process)
        finally:
            process.terminate()
            try:
                process.wait(TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_loaded(service: ProxiedService) -> None:
    """Waits until the reranker of the service is loaded."""
    wait_until(lambda: service.send("GET", "/info").status == 200)
