"""Faults of the queue, of a worker and of a model folder. Searches still succeed."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rerank.core.settings import Settings
from rerank.models.loading import LoadedModels
from tests.models import tiny
from tests.service.controlled_process import TIMEOUT_SECONDS, wait_for
from tests.service.fake_service import INDEX, client, components
from tests.service.service_process import ServiceProcess, run_service

pytestmark = pytest.mark.slow

SLOW_MODEL = "tests.service.slow_model_process"
SLOW = {"query": "tea", "documents": ["slow"]}
QUICK = {"query": "tea", "documents": ["the cat"]}
SEARCH = {"index": INDEX, "query": "tea"}


def rerank_in_thread(service: ServiceProcess, body: object) -> tuple[threading.Thread, list[tuple[int, Any]]]:
    """Starts a rerank call in a thread. Returns the thread and the list that will hold the response."""
    responses: list[tuple[int, Any]] = []
    thread = threading.Thread(target=lambda: responses.append(service.request("POST", "/rerank", body)))
    thread.start()
    return thread, responses


def wait_until(condition: Callable[[], bool]) -> None:
    """Polls *condition* until it is true."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def queue_length(service: ServiceProcess) -> int:
    """Returns the number of requests in the queue, from /metrics."""
    text = service.request("GET", "/metrics")[1].decode()
    return int(float(next(line.split()[1] for line in text.splitlines() if line.startswith("rerank_waiting "))))


def rerank_error(service: ServiceProcess) -> tuple[int, str | None, str]:
    """Returns status, Retry-After and error type of a rerank call."""
    connection = http.client.HTTPConnection(*service.address, timeout=TIMEOUT_SECONDS)
    connection.request("POST", "/rerank", json.dumps(QUICK), {"Content-Type": "application/json"})
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()
    return response.status, response.headers["Retry-After"], body.get("error_type", "")


def test_full_queue_refuses_rerank_calls_and_degrades_searches(tmp_path: Path) -> None:
    """A rerank call gets 429 at once, a search first-stage order; the queued requests complete in the end."""
    with run_service(tmp_path, module=SLOW_MODEL) as service:
        first, first_responses = rerank_in_thread(service, SLOW)
        wait_for(tmp_path / "scoring")
        second, second_responses = rerank_in_thread(service, QUICK)
        wait_until(lambda: queue_length(service) == 2)

        assert rerank_error(service) == (429, "1", "Overloaded")
        status, response = service.request("POST", "/search", SEARCH)
        assert (status, response["rerank"]["reason"], len(response["hits"])) == (200, "overloaded", 3)
        assert [service.request("GET", path)[0] for path in ("/health", "/ready")] == [200, 200]

        (tmp_path / "go").touch()
        first.join()
        second.join()
        assert [first_responses[0][0], second_responses[0][0]] == [200, 200]
        assert service.request("POST", "/search", SEARCH)[1]["rerank"]["applied"]
        assert b"rerank_model_refused_total 2.0" in service.request("GET", "/metrics")[1]


def test_disconnected_client_leaves_the_queue(tmp_path: Path) -> None:
    """The next request takes the place of the disconnected client."""
    with run_service(tmp_path, module=SLOW_MODEL) as service:
        first, first_responses = rerank_in_thread(service, SLOW)
        wait_for(tmp_path / "scoring")
        connection = http.client.HTTPConnection(*service.address, timeout=TIMEOUT_SECONDS)
        connection.request("POST", "/rerank", json.dumps(QUICK), {"Content-Type": "application/json"})
        wait_until(lambda: queue_length(service) == 2)
        connection.close()
        wait_until(lambda: queue_length(service) == 1)

        third, third_responses = rerank_in_thread(service, QUICK)
        wait_until(lambda: queue_length(service) == 2)
        (tmp_path / "go").touch()
        first.join()
        third.join()
        assert [first_responses[0][0], third_responses[0][0]] == [200, 200]
        wait_until(lambda: b"rerank_model_cancelled_total 1.0" in service.request("GET", "/metrics")[1])


def test_worker_killed_during_a_batch_is_replaced(tmp_path: Path) -> None:
    """The request in flight is lost with its connection; the next worker becomes ready and serves searches."""
    with run_service(tmp_path, module=SLOW_MODEL) as service:
        connection = http.client.HTTPConnection(*service.address, timeout=TIMEOUT_SECONDS)
        connection.request("POST", "/rerank", json.dumps(SLOW), {"Content-Type": "application/json"})
        wait_for(tmp_path / "scoring")
        killed = int((tmp_path / "scoring").read_text())
        os.kill(killed, signal.SIGKILL)
        (tmp_path / "go").touch()

        service.wait_until_ready()
        status, response = service.request("POST", "/search", SEARCH)
        assert (status, response["rerank"]["applied"], len(response["hits"])) == (200, True, 3)
        assert killed != service.process.pid
        connection.close()


def test_removed_model_folder_does_not_affect_a_loaded_model(tmp_path: Path) -> None:
    """A model that was not loaded yet is unavailable; searches with it return first-stage order."""
    default, other = (str(tiny.bert(tmp_path / name, labels=1)) for name in ("default", "other"))
    service = client(components(settings=Settings(), models=LoadedModels(default, [other])))
    before = service.post("/rerank", json=QUICK).get_json()["results"]
    shutil.rmtree(tmp_path)

    assert service.post("/rerank", json=QUICK).get_json()["results"] == before
    assert service.post("/search", json=SEARCH).get_json()["rerank"]["applied"]
    missing = service.post("/search", json={**SEARCH, "model": "other"})
    assert (missing.status_code, missing.get_json()["rerank"]["reason"]) == (200, "model_unavailable")
    assert len(missing.get_json()["hits"]) == 3
    assert service.get("/ready").status_code == 200
