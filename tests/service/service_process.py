"""Control of a service in a child process."""

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

from tests.service.controlled_process import TIMEOUT_SECONDS, wait_for


@dataclass(frozen=True)
class ServiceProcess:
    """A running service. *folder* holds its control files and its log."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def address(self) -> tuple[str, int]:
        """Returns the host and port that the service listens on."""
        parts = urlsplit((self.folder / "address").read_text())
        return str(parts.hostname), int(parts.port or 0)

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Sends one request. Returns the status and the JSON of the response, or its bytes."""
        connection = http.client.HTTPConnection(*self.address, timeout=TIMEOUT_SECONDS)
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        is_json = response.headers["Content-Type"] == "application/json"
        return response.status, json.loads(content) if is_json else content

    def send(self, raw_request: bytes) -> bytes:
        """Sends bytes that need not be a valid request. Returns everything until the service closes the connection."""
        with socket.create_connection(self.address, timeout=TIMEOUT_SECONDS) as connection:
            connection.sendall(raw_request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def wait_until_ready(self) -> None:
        """Polls /ready until it returns 200."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self.request("GET", "/ready")[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@contextmanager
def run_service(
    folder: Path, *, workers: int = 1, module: str = "tests.service.controlled_process", **settings: object
) -> Iterator[ServiceProcess]:
    """Runs *module* in a child process, controlled by files in *folder*, until the end of the block.

    The default module accepts *settings*.
    """
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder), str(workers), json.dumps(settings)], stderr=log, stdout=log
        )
        try:
            wait_for(folder / "address")
            yield ServiceProcess(process, folder)
        finally:
            process.kill()
            process.wait()
