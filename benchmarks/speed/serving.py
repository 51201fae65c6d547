"""Services in separate processes, and concurrent clients."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

_TIMEOUT_SECONDS = 180


@dataclass
class LoadResult:
    """Response times of concurrent clients by status, and the total time."""

    seconds_by_status: dict[int, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    retry_after: int = 0

    @property
    def requests_per_second(self) -> float:
        """Number of responses with status 200 per second."""
        return len(self.seconds_by_status.get(200, [])) / self.seconds

    def percentile(self, q: float, *, status: int = 200) -> float:
        """Returns the percentile *q* of the response times with *status*, in seconds."""
        return float(np.percentile(self.seconds_by_status[status], q))


@dataclass(frozen=True)
class Service:
    """Running process that serves *url*."""

    process: subprocess.Popen[bytes]
    url: str

    def post(self, path: str, body: object) -> http.client.HTTPResponse:
        """Sends *body* as JSON on a new connection and returns the response, already read."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(parts.hostname), int(parts.port or 80), timeout=_TIMEOUT_SECONDS)
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        connection.close()
        return response

    @property
    def megabytes(self) -> float:
        """Memory of the process and its workers. Shared pages count once (Pss)."""
        return self._sum("Pss")

    @property
    def resident_megabytes(self) -> float:
        """Sum of the memory of the process and its workers. Shared pages count for each (Rss)."""
        return self._sum("Rss")

    def _sum(self, key: str) -> float:
        return sum(_megabytes(pid, key) for pid in [self.process.pid, *_children(self.process.pid)])


@contextmanager
def run_service(command: Sequence[str], *, url: str, ready: str, log: Path) -> Iterator[Service]:
    """Runs *command*, after waiting until GET *ready* returns 200."""
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        running = Service(process, url)
        _wait_until_ready(running, ready)
        yield running
    finally:
        process.terminate()
        process.wait()


def run_clients(target: Service, path: str, bodies: Sequence[Sequence[object]]) -> LoadResult:
    """Runs a client per list of *bodies* concurrently. Each sends its bodies one after the other."""
    result, lock = LoadResult(), threading.Lock()

    def client(own_bodies: Sequence[object]) -> None:
        for body in own_bodies:
            started = time.perf_counter()
            response = target.post(path, body)
            elapsed = time.perf_counter() - started
            with lock:
                result.seconds_by_status.setdefault(response.status, []).append(elapsed)
                result.retry_after += response.status == 429 and response.headers["Retry-After"] is not None

    started = time.perf_counter()
    threads = [threading.Thread(target=client, args=(own_bodies,)) for own_bodies in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result.seconds = time.perf_counter() - started
    return result


def _children(pid: int) -> list[int]:
    children = [
        int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()
    ]
    return children + [grandchild for child in children for grandchild in _children(child)]


def _megabytes(pid: int, key: str) -> float:
    """Returns a value of smaps_rollup in megabytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{key}:"))


def _wait_until_ready(target: Service, path: str) -> None:
    parts = urlsplit(target.url)
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection(str(parts.hostname), int(parts.port or 80), timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"{target.url}{path} must become ready within {_TIMEOUT_SECONDS} s")
