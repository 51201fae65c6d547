"""What goes wrong while the service runs, and that a search still answers."""

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

from rerank.core.settings import Settings
from rerank.models.loading import LoadedModels
from tests.models import tiny
from tests.service.controlled_process import PATIENCE_SECONDS, wait_for
from tests.service.fake_service import INDEX, client, components
from tests.service.service_process import Running, running

BUSY = "tests.service.slow_model_process"
SLOW = {"query": "tea", "documents": ["slow"]}
QUICK = {"query": "tea", "documents": ["the cat"]}
SEARCH = {"index": INDEX, "query": "tea"}


def asked(service: Running, body: object) -> tuple[threading.Thread, list[tuple[int, Any]]]:
    """A thread that asks for a re-ranking, and where the answer will be."""
    answers: list[tuple[int, Any]] = []
    thread = threading.Thread(target=lambda: answers.append(service.ask("POST", "/rerank", body)))
    thread.start()
    return thread, answers


def until(condition: Callable[[], bool]) -> None:
    """Poll *condition* until it holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def waiting(service: Running) -> int:
    """Requests that hold a place, as /metrics says."""
    text = service.ask("GET", "/metrics")[1].decode()
    return int(float(next(line.split()[1] for line in text.splitlines() if line.startswith("rerank_waiting "))))


def refusal(service: Running) -> tuple[int, str | None, str]:
    """What a rerank call is told: status, Retry-After, error type."""
    connection = http.client.HTTPConnection(*service.place, timeout=PATIENCE_SECONDS)
    connection.request("POST", "/rerank", json.dumps(QUICK), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, answer.headers["Retry-After"], body.get("error_type", "")


def test_a_full_queue_refuses_and_a_search_still_answers(tmp_path: Path) -> None:
    """While all places are held for as long as it takes, a rerank call gets 429 with Retry-After at once, a search the
    first stage's order, the probes answer; and those who wait get their answer in the end."""
    with running(tmp_path, module=BUSY) as service:
        first, answer = asked(service, SLOW)
        wait_for(tmp_path / "reading")
        second, later = asked(service, QUICK)
        until(lambda: waiting(service) == 2)

        assert refusal(service) == (429, "1", "Overloaded")
        status, found = service.ask("POST", "/search", SEARCH)
        assert (status, found["rerank"]["reason"], len(found["hits"])) == (200, "overloaded", 3)
        assert [service.ask("GET", path)[0] for path in ("/health", "/ready")] == [200, 200]

        (tmp_path / "go").touch()
        first.join()
        second.join()
        assert [answer[0][0], later[0][0]] == [200, 200]
        assert service.ask("POST", "/search", SEARCH)[1]["rerank"]["applied"]
        assert b"rerank_model_refused_total 2.0" in service.ask("GET", "/metrics")[1]


def test_a_client_that_gives_up_frees_its_place(tmp_path: Path) -> None:
    """Whoever closes the connection while waiting is dropped, and the next one takes the place."""
    with running(tmp_path, module=BUSY) as service:
        first, answer = asked(service, SLOW)
        wait_for(tmp_path / "reading")
        connection = http.client.HTTPConnection(*service.place, timeout=PATIENCE_SECONDS)
        connection.request("POST", "/rerank", json.dumps(QUICK), {"Content-Type": "application/json"})
        until(lambda: waiting(service) == 2)
        connection.close()
        until(lambda: waiting(service) == 1)

        third, later = asked(service, QUICK)
        until(lambda: waiting(service) == 2)
        (tmp_path / "go").touch()
        first.join()
        third.join()
        assert [answer[0][0], later[0][0]] == [200, 200]
        until(lambda: b"rerank_model_cancelled_total 1.0" in service.ask("GET", "/metrics")[1])


def test_a_worker_killed_in_mid_batch_is_replaced(tmp_path: Path) -> None:
    """The request in flight is lost with its connection; the next worker is ready, and a search answers."""
    with running(tmp_path, module=BUSY) as service:
        connection = http.client.HTTPConnection(*service.place, timeout=PATIENCE_SECONDS)
        connection.request("POST", "/rerank", json.dumps(SLOW), {"Content-Type": "application/json"})
        wait_for(tmp_path / "reading")
        killed = int((tmp_path / "reading").read_text())
        os.kill(killed, signal.SIGKILL)
        (tmp_path / "go").touch()

        service.until_ready()
        status, found = service.ask("POST", "/search", SEARCH)
        assert (status, found["rerank"]["applied"], len(found["hits"])) == (200, True, 3)
        assert killed != service.process.pid
        connection.close()


def test_a_model_folder_removed_while_serving_changes_nothing_for_what_is_loaded(tmp_path: Path) -> None:
    """The loaded model goes on; one that was still to be loaded is unavailable, and a search answers without it."""
    default, other = (str(tiny.bert(tmp_path / name, labels=1)) for name in ("default", "other"))
    asked = client(components(settings=Settings(), models=LoadedModels(default, [other])))
    before = asked.post("/rerank", json=QUICK).get_json()["results"]
    shutil.rmtree(tmp_path)

    assert asked.post("/rerank", json=QUICK).get_json()["results"] == before
    assert asked.post("/search", json=SEARCH).get_json()["rerank"]["applied"]
    missing = asked.post("/search", json={**SEARCH, "model": other})
    assert (missing.status_code, missing.get_json()["rerank"]["reason"]) == (200, "model_unavailable")
    assert len(missing.get_json()["hits"]) == 3
    assert asked.get("/ready").status_code == 200
