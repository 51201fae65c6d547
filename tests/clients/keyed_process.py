"""A service that requires an API key, in a child process: `python -m tests.clients.keyed_process FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from rerank.core.settings import Settings
from rerank.service.server import serve
from tests.service.controlled_process import write_address
from tests.service.fake_service import components

KEY = "secret"

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    sys.exit(
        serve(
            Settings(port=0, api_keys=(KEY,)),
            on_ready=lambda url: write_address(folder, url),
            components=lambda settings: components(settings=settings),
        )
    )
