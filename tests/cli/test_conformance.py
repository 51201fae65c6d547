"""`rerank-cli conformance` against this service and against servers with faults."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from werkzeug.serving import make_server

from rerank.core.settings import Settings
from rerank.service.app import create_app
from tests.cli.runner import CommandLine
from tests.service.fake_service import components

RESULTS = [
    {"index": 1, "relevance_score": 0.9},
    {"index": 0, "relevance_score": 0.2},
    {"index": 2, "relevance_score": 0.1},
]


@contextmanager
def served(application: WSGIApplication) -> Iterator[str]:
    """Serves *application* on a free port, and yields its URL."""
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def cohere_server(respond: Callable[[dict[str, Any]], object]) -> WSGIApplication:
    """Returns a server with /v2/rerank only. *respond* returns the results for a body."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"null")
        status, content = "404 Not Found", object()
        if environ["PATH_INFO"] == "/v2/rerank":
            ok = "query" in body
            status, content = ("200 OK", respond(body)) if ok else ("400 Bad Request", {"message": "no query"})
        start_response(status, [("Content-Type", "application/json")])
        return [b"" if status.startswith("404") else json.dumps(content).encode()]

    return application


def top(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the right results of a body."""
    return RESULTS[: body.get("top_n")]


def finding(folder: Path, respond: Callable[[dict[str, Any]], object]) -> tuple[int, dict[str, str]]:
    """Returns the exit code and the finding for Cohere's API."""
    with served(cohere_server(respond)) as url:
        result = CommandLine(folder)("conformance", url, "--json")
    findings = {entry["api"]: entry for entry in result.json}
    assert {entry["result"] for api, entry in findings.items() if api != "Cohere v2"} == {"not offered"}
    return result.code, findings["Cohere v2"]


def test_this_service_conforms_to_every_api(tmp_path: Path) -> None:
    """All APIs are offered, with and without an API key."""
    keyed = Settings(api_keys=("key",))
    with served(create_app(components())) as plain, served(create_app(components(settings=keyed))) as protected:
        table = CommandLine(tmp_path)("conformance", plain)
        report = CommandLine(tmp_path)("conformance", protected, "--api-key", "key", "--json")
    assert [entry for entry in report.json if entry["result"] != "ok"] == []
    assert (table.code, report.code, len(report.json)) == (0, 0, 18)
    assert table.out.splitlines()[0].split() == ["api", "path", "result", "detail"]
    assert table.out.splitlines()[1].split() == ["Cohere", "v2", "/v2/rerank", "ok"]


def test_server_with_one_api_conforms_to_it(tmp_path: Path) -> None:
    """A missing API is reported and does not fail the check."""
    assert finding(tmp_path, lambda body: {"results": top(body)}) == (
        0,
        {"api": "Cohere v2", "path": "/v2/rerank", "result": "ok", "detail": ""},
    )


@pytest.mark.parametrize(
    ("respond", "detail"),
    [
        (lambda body: top(body), "expected an object with the key results, got a list"),
        (lambda body: {"data": top(body)}, "the key results is missing"),
        (lambda _: {"results": RESULTS}, "top_n 1 must return the best text alone, got 3 results"),
        (lambda _: {"results": RESULTS[::-1]}, "results must be sorted by descending score"),
        (lambda _: {"results": RESULTS[:2]}, "each of the 3 texts must have one result, got [1, 0]"),
        (
            lambda _: {
                "results": [{**result, "relevance_score": str(result["relevance_score"])} for result in RESULTS]
            },
            "a score must be a finite number, got a string",
        ),
        (
            lambda _: {"results": [{**result, "index": 2 - i} for i, result in enumerate(RESULTS)]},
            "the text that answers the query must have the best score",
        ),
    ],
)
def test_fault_of_a_server_is_named(tmp_path: Path, respond: Callable[[dict[str, Any]], object], detail: str) -> None:
    """The exit code is 1, and the detail has the first difference."""
    expected = {"api": "Cohere v2", "path": "/v2/rerank", "result": "failed", "detail": detail}
    assert finding(tmp_path, respond) == (1, expected)


def test_unreachable_server_is_an_error(tmp_path: Path) -> None:
    """The message has the URL and the reason."""
    with served(create_app(components())) as url:
        pass
    result = CommandLine(tmp_path)("conformance", url)
    assert result.code == 1
    assert f"cannot connect to {url}: " in result.err
