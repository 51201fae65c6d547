"""A service that stands before a server, and how tests ask it."""

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
from tests.service.proxy.scripted import until


@dataclass(frozen=True)
class Reply:
    """An answer: headers by name in lower case."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


def ask(
    url: str, method: str, target: str, body: bytes | object = None, headers: Mapping[str, str] | None = None
) -> Reply:
    """Send one request to *url*, with the target as it is; a body that is no bytes is sent as JSON."""
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
        with connection.getresponse() as answer:
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, answer.reason, names, answer.read())


@dataclass(frozen=True)
class Standing:
    """A service in a process of its own, before the server at `server`."""

    url: str
    server: str
    folder: Path
    process: subprocess.Popen[bytes]

    def ask(
        self, method: str, target: str, body: bytes | object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Ask the service."""
        return ask(self.url, method, target, body, headers)

    def connect(self) -> socket.socket:
        """A bare connection to it."""
        parts = urlsplit(self.url)
        return socket.create_connection((str(parts.hostname), parts.port or 0), timeout=TIMEOUT_SECONDS)

    def send(self, request: bytes) -> bytes:
        """Everything that comes back for *request*, until the service closes."""
        with self.connect() as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))


@contextmanager
def standing_before(server: str, folder: Path, **settings: object) -> Iterator[Standing]:
    """A service with *settings* before *server*."""
    told = json.dumps({"store": server, **settings})
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.service.proxy.process", str(folder), told], stderr=log, stdout=log
        )
        try:
            wait_for(folder / "address")
            yield Standing((folder / "address").read_text(), server, folder, process)
        finally:
            process.terminate()
            try:
                process.wait(TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until_loaded(service: Standing) -> None:
    """Wait until the service's reranker is there."""
    until(lambda: service.ask("GET", "/info").status == 200)
