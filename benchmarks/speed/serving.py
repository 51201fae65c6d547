"""Services in processes of their own, and many clients at once."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

_PATIENCE_SECONDS = 180


@dataclass
class Served:
    """What clients met: seconds of each answer by its status, and the whole time."""

    took: dict[int, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    retry_after: int = 0

    @property
    def a_second(self) -> float:
        """Good answers a second."""
        return len(self.took.get(200, [])) / self.seconds

    def percentile(self, q: float, *, status: int = 200) -> float:
        """Seconds of the answers with *status*."""
        return float(np.percentile(self.took[status], q))


@dataclass(frozen=True)
class Service:
    """A running process that answers at *url*."""

    process: subprocess.Popen[bytes]
    url: str

    def ask(self, path: str, body: object) -> http.client.HTTPResponse:
        """POST *body* as JSON on a connection of its own; the answer has been read."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(parts.hostname), int(parts.port or 80), timeout=_PATIENCE_SECONDS)
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    @property
    def megabytes(self) -> float:
        """Memory of the process and its workers together; a page that both hold counts once (Pss)."""
        return self._together("Pss")

    @property
    def resident_megabytes(self) -> float:
        """The sum of what each of them holds: what they share counts once for each (Rss)."""
        return self._together("Rss")

    def _together(self, key: str) -> float:
        return sum(_held(pid, key) for pid in [self.process.pid, *_children(self.process.pid)])


@contextmanager
def service(command: Sequence[str], *, url: str, ready: str, log: Path) -> Iterator[Service]:
    """Start *command*, wait until GET *ready* is 200, stop at the end."""
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        found = Service(process, url)
        _until_ready(found, ready)
        yield found
    finally:
        process.terminate()
        process.wait()


def clients(served: Service, path: str, bodies: Sequence[Sequence[object]]) -> Served:
    """One client for each list of *bodies*, all at once, each sending one after the other."""
    met, lock = Served(), threading.Lock()

    def client(mine: Sequence[object]) -> None:
        for body in mine:
            begun = time.perf_counter()
            answer = served.ask(path, body)
            took = time.perf_counter() - begun
            with lock:
                met.took.setdefault(answer.status, []).append(took)
                met.retry_after += answer.status == 429 and answer.headers["Retry-After"] is not None

    begun = time.perf_counter()
    threads = [threading.Thread(target=client, args=(mine,)) for mine in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    met.seconds = time.perf_counter() - begun
    return met


def repeated(work: Callable[[int], float], times: int) -> list[float]:
    """*work* called with 0, 1, 2 …; its results."""
    return [work(i) for i in range(times)]


def _children(pid: int) -> list[int]:
    found = [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]
    return found + [grandchild for child in found for grandchild in _children(child)]


def _held(pid: int, key: str) -> float:
    """Megabytes, by a *key* of smaps_rollup."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{key}:"))


def _until_ready(served: Service, path: str) -> None:
    parts = urlsplit(served.url)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection(str(parts.hostname), int(parts.port or 80), timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"{served.url}{path} did not become ready")
