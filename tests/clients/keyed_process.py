"""A service that asks for a key, in a process of its own: `python -m tests.clients.keyed_process FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from rerank.core.settings import Settings
from rerank.service.server import serve
from tests.service.controlled_process import write_address
from tests.service.fake_service import components

KEY = "secret"

if __name__ == "__main__":
    place = Path(sys.argv[1])
    sys.exit(
        serve(
            Settings(port=0, api_keys=(KEY,)),
            on_ready=lambda url: write_address(place, url),
            components=lambda settings: components(settings=settings),
        )
    )
