"""Real OpenSearch server for tests.

Its source is, in this order: `OPENSEARCH_URL` (a running server), `OPENSEARCH_HOME` (a folder with `bin/opensearch`),
`../shared/opensearch`. A server from a folder starts once per session, on free ports and with its own data.
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
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

FIXTURE = "opensearch_url"
START_SECONDS = 120.0
_DEFAULT_HOME = Path(__file__).resolve().parents[2] / "shared" / "opensearch"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test that uses the server, directly or through another fixture."""
    for item in items:
        if FIXTURE in getattr(item, "fixturenames", ()):
            item.add_marker("opensearch")


@pytest.fixture(scope="session")
def opensearch_url() -> Iterator[str]:
    """Yields the URL of an OpenSearch server with the k-NN plugin."""
    url = os.environ.get("OPENSEARCH_URL")
    if url:
        yield url.rstrip("/")
        return
    home = Path(os.environ.get("OPENSEARCH_HOME", _DEFAULT_HOME))
    if not (home / "bin" / "opensearch").is_file():
        pytest.skip(
            f"no OpenSearch: {home} has no bin/opensearch. Set OPENSEARCH_URL to a running server, or OPENSEARCH_HOME "
            "to an installation."
        )
    server = OpenSearchProcess(home)
    try:
        server.start()
        yield server.url
    finally:
        server.stop()


class ServerProcess:
    """Process of the search server *name* in the folder *home*, with its data in a temporary folder.

    arguments: additional arguments of the server.
    """

    def __init__(self, name: str, home: Path, arguments: Sequence[str] = ()) -> None:
        self._name, self._home, self._arguments = name, home, arguments
        self._run = Path(tempfile.mkdtemp(prefix=f"{name}-test-"))
        # The server can run as another user, who needs access to the folder.
        self._run.chmod(0o755)
        self._port, self._transport = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """URL of the server."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Starts the server and waits until it is ready."""
        with (self._run / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [
                    str(self._home / "bin" / self._name),
                    f"-Epath.data={self._run / 'data'}",
                    f"-Epath.logs={self._run / 'logs'}",
                    f"-Ehttp.port={self._port}",
                    f"-Etransport.port={self._transport}",
                    *self._arguments,
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            if _is_ready(self.url):
                return
            time.sleep(0.25)
        output_text = (self._run / "output").read_text(errors="replace")[-2000:]
        pytest.fail(f"{self._name} in {self._home} did not start: {output_text}")

    def kill(self) -> None:
        """Kills the server with SIGKILL and keeps its data. start() starts it again on the same ports."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def stop(self) -> None:
        """Stops the server and deletes its data."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        shutil.rmtree(self._run, ignore_errors=True)


class OpenSearchProcess(ServerProcess):
    """OpenSearch process in the folder *home*."""

    def __init__(self, home: Path) -> None:
        # A nearly full test machine must not turn indexes read-only.
        super().__init__("opensearch", home, ["-Ecluster.routing.allocation.disk.threshold_enabled=false"])


def free_port() -> int:
    """Returns a port that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_cluster/health?wait_for_status=yellow&timeout=1s", timeout=3) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
