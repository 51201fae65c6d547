from __future__ import annotations

import http.client
import json
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
from rerank.service.server import address_of, check_exposure, listen
from tests.service.controlled_process import PATIENCE_SECONDS, wait_for
from tests.service.fake_service import INDEX, error
from tests.service.service_process import running


def test_health_comes_before_readiness_and_sigterm_lets_requests_end(tmp_path: Path) -> None:
    """/health answers while models load and /ready names them; a request in flight ends after SIGTERM; exit code 0."""
    with running(tmp_path) as service:
        assert service.ask("GET", "/health") == (200, {"status": "ok"})
        status, answer = service.ask("GET", "/ready")
        assert (status, "the encoder is still loading" in answer["missing"]) == (503, True)
        (tmp_path / "load").touch()
        service.until_ready()

        answers: list[tuple[int, Any]] = []
        body = {"index": INDEX, "query": "slow"}
        asking = threading.Thread(target=lambda: answers.append(service.ask("POST", "/search", body)))
        asking.start()
        wait_for(tmp_path / "reading")
        service.process.send_signal(signal.SIGTERM)
        _until_refused(service.place)
        (tmp_path / "go").touch()
        asking.join()
        assert service.process.wait(PATIENCE_SECONDS) == 0
    ((status, answer),) = answers
    assert (status, answer["rerank"]["scored"]) == (200, 3)


def _until_refused(place: tuple[str, int]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(place, timeout=1).close()
        except OSError:
            return
        time.sleep(0.01)
    raise TimeoutError("the service still accepts connections")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 9000 + b"\r\n\r\n", 431),
    ],
)
def test_what_never_becomes_a_request_is_refused_in_json(tmp_path: Path, request_bytes: bytes, status: int) -> None:
    """Broken request lines and oversized ones get the one error body."""
    with running(tmp_path) as service:
        head, _, body = service.send(request_bytes).partition(b"\r\n\r\n")
        answer = json.loads(body)
    assert head.split(b" ")[1] == str(status).encode()
    assert answer == error(answer["message"])
    assert answer["message"].startswith("this is no HTTP request that can be read")


def test_a_body_above_the_limit_is_refused_while_it_is_sent(tmp_path: Path) -> None:
    """413 reaches the client, with a length given and in chunks."""
    with running(tmp_path) as service:
        too_much = {"index": INDEX, "query": "a" * (1 << 20)}
        status, answer = service.ask("POST", "/search", too_much)
        message = "the body is larger than 1 MB; send less at once, or raise the setting max_body_mb"
        assert (status, answer) == (413, error(message, "PayloadTooLarge"))
        head = b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        chunk = b"%x\r\n%s\r\n" % (1 << 19, b" " * (1 << 19))
        chunked = head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunk * 3 + b"0\r\n\r\n"
        assert service.send(chunked).split(b" ")[1] == b"413"


def test_clients_that_keep_their_connections_share_the_threads(tmp_path: Path) -> None:
    """More connections than threads, each with one request after the other: none waits for another to end."""
    with running(tmp_path) as service, ExitStack() as stack:
        connections = [
            stack.enter_context(closing(http.client.HTTPConnection(*service.place, timeout=PATIENCE_SECONDS)))
            for _ in range(12)
        ]
        for _ in range(5):
            for connection in connections:
                connection.request("GET", "/health")
            for connection in connections:
                with connection.getresponse() as answer:
                    assert (answer.status, json.loads(answer.read())) == (200, {"status": "ok"})


def test_every_worker_answers_for_all_of_them(tmp_path: Path) -> None:
    """With several workers /metrics adds up what each has counted."""
    with running(tmp_path, workers=2) as service:
        for _ in range(20):
            assert service.ask("GET", "/health")[0] == 200
        counted = service.ask("GET", "/metrics")[1].decode()
    assert 'rerank_http_requests_total{method="GET",route="/health",status="200"} 20.0' in counted


def test_the_log_has_no_words(tmp_path: Path) -> None:
    """Every answer is a line with method, path, status and time: never the query."""
    with running(tmp_path) as service:
        (tmp_path / "load").touch()
        service.until_ready()
        service.ask("GET", f"/search?q=confidential&index={INDEX}")
        service.process.terminate()
        service.process.wait(PATIENCE_SECONDS)
    log = (tmp_path / "log").read_text()
    assert "method=GET path=/search status=200" in log
    assert "confidential" not in log


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "search.example"])
def test_no_one_is_let_in_without_a_key_by_mistake(host: str) -> None:
    """Listening beyond this machine needs keys, or --insecure in so many words."""
    with pytest.raises(SettingError) as refused:
        check_exposure(Settings(host=host), insecure=False)
    assert refused.value.message == (
        f"host {host} can be reached from other machines, and no api_keys are set: "
        "set RERANK_API_KEYS, listen on 127.0.0.1, or say --insecure"
    )
    check_exposure(Settings(host=host), insecure=True)
    check_exposure(Settings(host=host, api_keys=("key",)), insecure=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_this_machine_needs_no_key(host: str) -> None:
    """Loopback is open."""
    check_exposure(Settings(host=host), insecure=False)


def test_port_0_becomes_a_real_one_and_a_taken_one_is_named() -> None:
    """The address is the one that is listened on; a port in use is an error with the way out."""
    with listen("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()
        assert address_of(listener) == f"http://127.0.0.1:{port}"
        with pytest.raises(SettingError) as refused:
            listen(host, port)
    assert refused.value.message == (
        f"cannot listen on 127.0.0.1, port {port}: Address already in use; "
        "set another port (0 takes a free one) or host"
    )


def test_an_address_that_is_not_this_machines_is_named() -> None:
    """Neither a foreign address nor a name that means none is listened on."""
    with pytest.raises(SettingError, match=r"^cannot listen on 192\.0\.2\.1, port 0: "):
        listen("192.0.2.1", 0)
    with pytest.raises(SettingError, match=r"^host no\.such\.invalid is no address of this machine "):
        listen("no.such.invalid", 0)
