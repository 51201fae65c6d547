"""Fixtures of the tests of stores."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.index.scripted_server import ScriptedServer


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedServer]]:
    """Yields a function that starts a server with the given responses."""
    started: list[ScriptedServer] = []

    def start(*responses: tuple[int, str, str], together: int = 1) -> ScriptedServer:
        server = ScriptedServer(list(responses), together)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()
