"""Servers, and services in front of them, that the tests of a session share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service.proxy.proxied_service import ProxiedService, start_proxy, wait_until_loaded
from tests.service.proxy.scripted_server import ScriptedServer, scripted_server


@pytest.fixture(scope="session")
def shared_scripted() -> Iterator[ScriptedServer]:
    """Yields the scripted server of the session, without a reset."""
    with scripted_server() as server:
        yield server


@pytest.fixture
def scripted(shared_scripted: ScriptedServer) -> ScriptedServer:
    """Returns a server whose responses the test defines."""
    shared_scripted.reset()
    return shared_scripted


@pytest.fixture(scope="session")
def scripted_proxy(
    shared_scripted: ScriptedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProxiedService]:
    """Yields a service in front of the scripted server."""
    folder = tmp_path_factory.mktemp("scripted")
    with start_proxy(shared_scripted.url, folder, proxy_timeout_s=2, allowed_hosts=["evil.example"]) as service:
        yield service


@pytest.fixture(scope="session")
def opensearch_proxy(opensearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedService]:
    """Yields a service in front of a real OpenSearch."""
    with start_proxy(opensearch_url, tmp_path_factory.mktemp("opensearch")) as service:
        wait_until_loaded(service)
        yield service
