"""A real OpenSearch for the tests that need one.

It is found by, in this order: `OPENSEARCH_URL` (a server that runs), `OPENSEARCH_HOME` (a folder with
`bin/opensearch`), `../shared/opensearch`. A folder is started once a session, on free ports with data of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

FIXTURE = "opensearch_url"
START_SECONDS = 120.0
_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "opensearch"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that needs the server, directly or through another fixture."""
    for item in items:
        if FIXTURE in getattr(item, "fixturenames", ()):
            item.add_marker("opensearch")


@pytest.fixture(scope="session")
def opensearch_url() -> Iterator[str]:
    """The address of an OpenSearch with the k-NN plugin."""
    url = os.environ.get("OPENSEARCH_URL")
    if url:
        yield url.rstrip("/")
        return
    home = Path(os.environ.get("OPENSEARCH_HOME", _BESIDE))
    if not (home / "bin" / "opensearch").is_file():
        pytest.skip(
            f"no OpenSearch: set OPENSEARCH_URL to a running one, or OPENSEARCH_HOME to a folder with bin/opensearch "
            f"({home} has none)"
        )
    server = OpenSearchProcess(home)
    try:
        server.start()
        yield server.url
    finally:
        server.stop()


class OpenSearchProcess:
    """A server of one's own, with its data in a temporary folder."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._run = Path(tempfile.mkdtemp(prefix="opensearch-test-"))
        # The server may go on as another user, who must be able to pass through.
        self._run.chmod(0o755)
        self._port, self._transport = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._run / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [
                    str(self._home / "bin" / "opensearch"),
                    f"-Epath.data={self._run / 'data'}",
                    f"-Epath.logs={self._run / 'logs'}",
                    f"-Ehttp.port={self._port}",
                    f"-Etransport.port={self._transport}",
                    "-Ecluster.routing.allocation.disk.threshold_enabled=false",
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        gives_up_at = time.monotonic() + START_SECONDS
        while time.monotonic() < gives_up_at:
            if self._process.poll() is not None:
                break
            if _answers(self.url):
                return
            time.sleep(0.25)
        said = (self._run / "output").read_text(errors="replace")[-2000:]
        pytest.fail(f"OpenSearch in {self._home} did not start: {said}")

    def stop(self) -> None:
        """Stop it, and leave nothing behind."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        shutil.rmtree(self._run, ignore_errors=True)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_cluster/health?wait_for_status=yellow&timeout=1s", timeout=3) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
