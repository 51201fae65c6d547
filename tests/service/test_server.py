from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from rerank.core.errors import SettingError
from rerank.core.settings import Settings
from rerank.service.server import check_exposure, listen, url_of
from tests.service.controlled_process import TIMEOUT_SECONDS, wait_for
from tests.service.fake_service import INDEX, error
from tests.service.service_process import run_service


def test_service_is_alive_while_loading_and_drains_on_sigterm(tmp_path: Path) -> None:
    """/ready lists what is loading; a request in flight completes after SIGTERM; the exit code is 0."""
    with run_service(tmp_path) as service:
        assert service.request("GET", "/health") == (200, {"status": "ok"})
        status, response = service.request("GET", "/ready")
        assert (status, "encoder is still loading" in response["missing"]) == (503, True)
        (tmp_path / "load").touch()
        service.wait_until_ready()

        responses: list[tuple[int, Any]] = []
        body = {"index": INDEX, "query": "slow"}
        client = threading.Thread(target=lambda: responses.append(service.request("POST", "/search", body)))
        client.start()
        wait_for(tmp_path / "scoring")
        service.process.send_signal(signal.SIGTERM)
        _wait_until_refused(service.address)
        (tmp_path / "go").touch()
        client.join()
        assert service.process.wait(TIMEOUT_SECONDS) == 0
    assert (tmp_path / "finalized").exists()
    ((status, response),) = responses
    assert (status, response["rerank"]["scored"]) == (200, 3)


def test_worker_stopped_while_loading_skips_the_shutdown_of_the_interpreter(tmp_path: Path) -> None:
    """The native code of a model that still loads would crash during that shutdown. The exit code is 0."""
    with run_service(tmp_path) as service:
        wait_for(tmp_path / "loading")
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(TIMEOUT_SECONDS) == 0
    assert not (tmp_path / "finalized").exists()


def _wait_until_refused(address: tuple[str, int]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(address, timeout=1).close()
        except OSError:
            return
        time.sleep(0.01)
    raise TimeoutError("the service still accepts connections")


CHUNKED_SEARCH = (
    b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (CHUNKED_SEARCH + b"zz\r\n{}\r\n0\r\n\r\n", 400),
        (CHUNKED_SEARCH + b"2\r\n{}xx0\r\n\r\n", 400),
    ],
)
def test_unparsable_request_returns_a_json_error(tmp_path: Path, request_bytes: bytes, status: int) -> None:
    """Malformed request lines, headers and chunks, and oversized ones, get the shared error body."""
    with run_service(tmp_path) as service:
        head, _, body = service.send(request_bytes).partition(b"\r\n\r\n")
        response = json.loads(body)
    assert head.split(b" ")[1] == str(status).encode()
    assert response == error(response["message"])
    assert response["message"].startswith("the request must be valid HTTP/1.1: ")


def test_body_above_the_limit_returns_413_during_the_upload(tmp_path: Path) -> None:
    """The client receives the 413 for a known length and for chunks."""
    with run_service(tmp_path) as service:
        large_body = {"index": INDEX, "query": "a" * (1 << 20)}
        status, response = service.request("POST", "/search", large_body)
        message = "the request body must not exceed 1 MB. Send a smaller body, or raise max_search_body_mb"
        assert (status, response) == (413, error(message, "PayloadTooLarge"))
        head = b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        chunk = b"%x\r\n%s\r\n" % (1 << 19, b" " * (1 << 19))
        chunked = head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunk * 3 + b"0\r\n\r\n"
        assert service.send(chunked).split(b" ")[1] == b"413"


def test_more_keep_alive_connections_than_threads_are_served(tmp_path: Path) -> None:
    """Idle connections hold no thread."""
    with run_service(tmp_path) as service, ExitStack() as stack:
        connections = [
            stack.enter_context(closing(http.client.HTTPConnection(*service.address, timeout=TIMEOUT_SECONDS)))
            for _ in range(12)
        ]
        for _ in range(5):
            for connection in connections:
                connection.request("GET", "/health")
            for connection in connections:
                with connection.getresponse() as response:
                    assert (response.status, json.loads(response.read())) == (200, {"status": "ok"})


def test_metrics_are_the_totals_of_all_workers(tmp_path: Path) -> None:
    """Each worker reports the sum over all workers."""
    with run_service(tmp_path, workers=2) as service:
        for _ in range(20):
            assert service.request("GET", "/health")[0] == 200
        metrics = service.request("GET", "/metrics")[1].decode()
    assert 'rerank_http_requests_total{method="GET",route="/health",status="200"} 20.0' in metrics


def test_stopped_worker_leaves_the_metrics_of_the_others(tmp_path: Path) -> None:
    """The parent replaces the worker, and the totals still include its requests."""
    with run_service(tmp_path, workers=2, module="tests.service.slow_model_process") as service:
        service.wait_until_ready()
        assert service.request("GET", "/health")[0] == 200
        stopped, other = _wait_for_two_workers(service.process.pid)
        os.kill(stopped, signal.SIGTERM)
        assert other in _wait_for_two_workers(service.process.pid, without=stopped)
        for _ in range(10):
            assert b'route="/health",status="200"} 1.0' in service.request("GET", "/metrics")[1]


def _wait_for_two_workers(parent: int, *, without: int | None = None) -> list[int]:
    """Waits until *parent* has two child processes other than *without*. Returns their ids."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        workers = [int(process_id) for process_id in children.read_text().split()]
        if len(workers) == 2 and without not in workers:
            return workers
        time.sleep(0.01)
    raise TimeoutError("the service did not start two workers")


def test_log_does_not_contain_queries(tmp_path: Path) -> None:
    """A log line has method, path, status and time, never the query."""
    with run_service(tmp_path) as service:
        (tmp_path / "load").touch()
        service.wait_until_ready()
        service.request("GET", f"/search?q=confidential&index={INDEX}")
        service.process.terminate()
        service.process.wait(TIMEOUT_SECONDS)
    log = (tmp_path / "log").read_text()
    assert "method=GET path=/search status=200" in log
    assert "confidential" not in log


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "search.example"])
def test_host_beyond_loopback_requires_keys_or_insecure(host: str) -> None:
    """Other machines can reach the service only if it has API keys or runs with --insecure."""
    with pytest.raises(SettingError) as refused:
        check_exposure(Settings(host=host), insecure=False)
    assert refused.value.message == (
        f"host must be a loopback address if api_keys is empty, got {host}. "
        "Set RERANK_API_KEYS, listen on 127.0.0.1, or pass --insecure."
    )
    check_exposure(Settings(host=host), insecure=True)
    check_exposure(Settings(host=host, api_keys=("key",)), insecure=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_loopback_host_requires_no_key(host: str) -> None:
    """Loopback is reachable from this machine only."""
    check_exposure(Settings(host=host), insecure=False)


def test_port_0_selects_a_free_port_and_a_used_port_is_refused() -> None:
    """The message names the port and the fix."""
    with listen("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()
        assert url_of(listener) == f"http://127.0.0.1:{port}"
        with pytest.raises(SettingError) as refused:
            listen(host, port)
    assert refused.value.message == (
        f"cannot listen on 127.0.0.1, port {port}: Address already in use. "
        "Set another host or port. Port 0 selects a free port."
    )


def test_address_of_another_machine_is_refused() -> None:
    """The message names the address."""
    with pytest.raises(SettingError, match=r"^cannot listen on 192\.0\.2\.1, port 0: "):
        listen("192.0.2.1", 0)
    with pytest.raises(SettingError, match=r"^host must be an address of this machine, got no\.such\.invalid "):
        listen("no.such.invalid", 0)
