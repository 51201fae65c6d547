"""A service in a process of its own, as tests ask it."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.service.controlled_process import PATIENCE_SECONDS, wait_for


@dataclass(frozen=True)
class Running:
    """A service in a process of its own."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def place(self) -> tuple[str, int]:
        """Where it listens."""
        parts = urlsplit((self.folder / "address").read_text())
        return str(parts.hostname), int(parts.port or 0)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        connection = http.client.HTTPConnection(*self.place, timeout=PATIENCE_SECONDS)
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content) if answer.headers["Content-Type"] == "application/json" else content

    def send(self, request: bytes) -> bytes:
        """Everything that comes back for bytes that are no proper request."""
        with socket.create_connection(self.place, timeout=PATIENCE_SECONDS) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def until_ready(self) -> None:
        """Poll /ready until it says so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.ask("GET", "/ready")[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@contextmanager
def running(folder: Path, *, workers: int = 1, module: str = "tests.service.controlled_process") -> Iterator[Running]:
    """The service that *module* serves, led by files in *folder*, until the end of the block."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", module, str(folder), str(workers)], stderr=log, stdout=log)
        try:
            wait_for(folder / "address")
            yield Running(process, folder)
        finally:
            process.kill()
            process.wait()
