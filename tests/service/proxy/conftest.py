"""Services that stand before servers, one for all tests of a kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service.proxy.scripted import ScriptedServer, scripted_server
from tests.service.proxy.standing import Standing, standing_before, until_loaded


@pytest.fixture(scope="session")
def _scripted() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def scripted(_scripted: ScriptedServer) -> ScriptedServer:
    """A server that answers what the test says."""
    _scripted.reset()
    return _scripted


@pytest.fixture(scope="session")
def before_scripted(_scripted: ScriptedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """A service before it."""
    with standing_before(_scripted.url, tmp_path_factory.mktemp("scripted"), proxy_timeout_s=2) as service:
        yield service


@pytest.fixture(scope="session")
def before_opensearch(opensearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """A service before the real OpenSearch."""
    with standing_before(opensearch_url, tmp_path_factory.mktemp("opensearch")) as service:
        until_loaded(service)
        yield service
