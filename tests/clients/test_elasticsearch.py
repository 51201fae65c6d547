"""Elasticsearch's client, unmodified, through the proxy to a test server with Elasticsearch's API."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.environments import ROOT, CannotBeInstalled, python_of
from tests.elasticsearch.server import elasticsearch_server
from tests.service.proxy.proxied_service import start_proxy, wait_until_loaded

pytestmark = [pytest.mark.clients, pytest.mark.timeout(1200)]

_SECONDS = 120
GUIDE = ROOT / "docs" / "proxy.md"
_RERANKED = [["3", "1", "4"], "true", "Elasticsearch", 3]
EXPECTED: dict[str, object] = {
    "documents": [[True, False], "created", [4, []], "rain", 3, "deleted"],
    "plain": [["1", "3", "4"], None, "Elasticsearch", 3],
    "ext": [["3", "1"], "true", "Elasticsearch", 3],
    "retriever": _RERANKED,
    "rrf": [["3", "1"], "true", "Elasticsearch", 3],
    "linear": _RERANKED,
    "filter": [["3", "4"], "true", "Elasticsearch", 2],
    "chunk_rescorer": _RERANKED,
    "pages": ["3", "1", "4"],
    "point in time": [*_RERANKED, True, True],
    "multi search": [[200, ["1", "3", "4"]], [200, ["3", "1"]], [200, ["3", "1", "4"]], [404, []]],
    "url parameters": [["1", "4"], "true", "Elasticsearch", 3],
    "inference": [1, 2, 0, 3],
    "scroll": ["1", "2", "3", "4"],
    "errors": [
        ["NotFoundError", 404, "index_not_found_exception"],
        ["NotFoundError", 404, "index_not_found_exception"],
        ["NotFoundError", 404, "{'_index': 'things', '_id': 'nothing', 'found': False}"],
        ["BadRequestError", 400, "parsing_exception"],
        ["BadRequestError", 400, '"ext.rerank.window" must be at least 1, got 0'],
        ["NotFoundError", 404, 'no reranker "unknown" is configured. Configured: fake-reranker, other'],
        ["BadRequestError", 400, "parsing_exception"],
        ["BadRequestError", 400, '"retriever.text_similarity_reranker.inference_text" must be a non-empty string'],
        ["BadRequestError", 400, "resource_already_exists_exception"],
    ],
}


@pytest.mark.parametrize("key", ["plain", "compressed"])
@pytest.mark.parametrize("version", [8, 9])
def test_elasticsearch_client_works_through_the_proxy(tmp_path: Path, version: int, key: str) -> None:
    """Documents, searches with every kind of retriever, paging, points in time, scrolls and errors work.

    Bodies are plain or compressed. The test server rejects inference retrievers, so the proxy must not forward them.
    """
    media = "application/vnd.elasticsearch+json;compatible-with"
    expected = {"info": [True, "You Know, for Search", media.rpartition(";")[0]], **EXPECTED}
    with elasticsearch_server() as url, start_proxy(url, tmp_path) as service:
        wait_until_loaded(service)
        report = _report(f"elasticsearch_{version}", service.url, key)
    assert report["results"] == expected
    assert report["versions"]["elasticsearch"] in GUIDE.read_text(encoding="utf-8")


def _report(environment: str, url: str, key: str) -> Any:
    try:
        python = python_of(environment)
    except CannotBeInstalled as exc:
        pytest.skip(f"the client of {environment} cannot be installed: {exc}")
    program = [str(python), "-m", "tests.clients.programs.elasticsearch_search", url, key]
    completed = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert completed.returncode == 0, completed.stderr
    return json.loads(completed.stdout)
