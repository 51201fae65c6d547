"""A service in a child process, controlled by files.

    python -m tests.service.controlled_process FOLDER [WORKERS [SETTINGS]]

SETTINGS is JSON. The encoder creates FOLDER/loading and waits for FOLDER/load. A search for "slow" creates
FOLDER/scoring and waits for FOLDER/go. The interpreter of a worker creates FOLDER/finalized when it shuts down.
"""

from __future__ import annotations

import atexit
import json
import sys
import time
from pathlib import Path

from rerank.core.ranking import RankingModel
from rerank.core.settings import Settings
from rerank.service.components import Components
from rerank.service.server import serve
from tests.fakes import FakeEncoder, FakeModels, FakeReranker
from tests.service.fake_service import loading_components, store_with

TIMEOUT_SECONDS = 120.0


def wait_for(file: Path) -> None:
    """Waits until *file* exists."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not file.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{file} was not created within {TIMEOUT_SECONDS:g} s")
        time.sleep(0.01)


class BlockingReranker(FakeReranker):
    """A reranker that blocks on the query "slow" until a file exists."""

    def __init__(self, folder: Path) -> None:
        super().__init__(before_each=lambda _: self._wait())
        self._folder = folder

    def _wait(self) -> None:
        if self.calls[-1][0] == "slow":
            (self._folder / "scoring").touch()
            wait_for(self._folder / "go")


def controlled_components(folder: Path, settings: Settings) -> Components:
    """Returns components that wait for files in *folder*."""

    def encoder() -> FakeEncoder:
        atexit.register((folder / "finalized").touch)
        (folder / "loading").touch()
        wait_for(folder / "load")
        return FakeEncoder()

    def rerankers() -> FakeModels:
        return FakeModels(RankingModel(BlockingReranker(folder)))

    return loading_components(store_with, encoder, rerankers, settings=settings)


def write_address(folder: Path, url: str) -> None:
    """Writes *url* to FOLDER/address atomically."""
    (folder / "address.part").write_text(url)
    (folder / "address.part").rename(folder / "address")


if __name__ == "__main__":
    control_folder = Path(sys.argv[1])
    settings = sys.argv[3] if len(sys.argv) > 3 else "{}"
    sys.exit(
        serve(
            Settings.model_validate(
                {"port": 0, "threads": 4, "timeout_ms": 60_000, "max_search_body_mb": 1, **json.loads(settings)}
            ),
            workers=int(sys.argv[2]) if len(sys.argv) > 2 else 1,
            on_ready=lambda url: write_address(control_folder, url),
            components=lambda settings: controlled_components(control_folder, settings),
        )
    )
