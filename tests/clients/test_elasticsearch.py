"""Elasticsearch's unmodified client, through the service, to a server that answers as an Elasticsearch does."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.clients.elasticsearch_stub import VERSION, ElasticsearchStub
from tests.clients.environments import ROOT, CannotBeInstalled, python_of
from tests.service.proxy.scripted import scripted_server
from tests.service.proxy.standing import standing_before, until_loaded

pytestmark = [pytest.mark.clients, pytest.mark.timeout(1200)]
_SECONDS = 300


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the client returned, by the name of what it did."""
    try:
        python = python_of("sdks")
    except CannotBeInstalled as exc:
        pytest.skip(f"the client of Elasticsearch cannot be installed: {exc}")
    with scripted_server() as server:
        server.answer = ElasticsearchStub().answer
        with standing_before(server.url, tmp_path_factory.mktemp("service")) as service:
            until_loaded(service)
            called = subprocess.run(
                [str(python), "-m", "tests.clients.programs.elastic", service.url, ""],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
    assert called.returncode == 0, called.stderr
    found: dict[str, Any] = json.loads(called.stdout)["answers"]
    return found


def test_what_is_passed_on_is_an_elasticsearch_to_its_client(answers: dict[str, Any]) -> None:
    """It checks the product's header on every answer; bulk, get, count and HEAD go through with its media types."""
    assert answers["fill"] == [VERSION, True, True, False, [3, []], "tea", 3]


def test_a_retriever_is_re_ranked_in_the_answer_that_the_client_reads(answers: dict[str, Any]) -> None:
    """The plain search has the server's order, the retriever ours, alone and around a fusion by rank."""
    assert answers["search"] == [
        ["1", "2", "3"],
        ["2", "1"],
        ["2", "1", "3"],
        "true",
        {"value": 3, "relation": "eq"},
    ]


def test_errors_are_the_clients_own_kinds(answers: dict[str, Any]) -> None:
    """The server's reach it as they are, of re-ranked searches too; what the service cannot read is a bad request."""
    assert answers["errors"] == [
        ["NotFoundError", 404],
        ["NotFoundError", 404],
        ["NotFoundError", 404],
        ["BadRequestError", 400],
        ["BadRequestError", 400],
    ]
