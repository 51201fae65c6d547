"""Real Elasticsearch server for tests.

Its source is, in this order: `ELASTICSEARCH_URL` (a running server), `ELASTICSEARCH_HOME` (a folder with
`bin/elasticsearch`), `../shared/elasticsearch`. A server from a folder starts once per session, on free ports and with
its own data.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.opensearch_server import ServerProcess

FIXTURES = frozenset({"elasticsearch_url", "elasticsearch_home"})
_DEFAULT_HOME = Path(__file__).resolve().parents[2] / "shared" / "elasticsearch"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test that uses the server, directly or through another fixture."""
    for item in items:
        if FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("elasticsearch")


@pytest.fixture(scope="session")
def elasticsearch_home() -> Path:
    """Returns the folder of an Elasticsearch installation."""
    home = Path(os.environ.get("ELASTICSEARCH_HOME", _DEFAULT_HOME))
    if not (home / "bin" / "elasticsearch").is_file():
        pytest.skip(
            f"no Elasticsearch: {home} has no bin/elasticsearch. Set ELASTICSEARCH_URL to a running server, or "
            "ELASTICSEARCH_HOME to an installation."
        )
    return home


@pytest.fixture(scope="session")
def elasticsearch_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yields the URL of an Elasticsearch server."""
    url = os.environ.get("ELASTICSEARCH_URL")
    if url:
        yield url.rstrip("/")
        return
    server = ServerProcess("elasticsearch", request.getfixturevalue("elasticsearch_home"))
    try:
        server.start()
        yield server.url
    finally:
        server.stop()
