"""A service in a child process, controlled by files: `python -m tests.service.controlled_process FOLDER [WORKERS]`.

The encoder loads once FOLDER/load is there. A search for "slow" makes FOLDER/reading, and ends once FOLDER/go is there.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from rerank.core.ranking import RankingModel
from rerank.core.settings import Settings
from rerank.service.components import Components
from rerank.service.server import serve
from tests.fakes import FakeEncoder, FakeModels, FakeReranker
from tests.service.fake_service import late, store_with

PATIENCE_SECONDS = 60.0


def wait_for(file: Path) -> None:
    """Until *file* is there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not file.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{file} did not come")
        time.sleep(0.01)


class SlowQueries(FakeReranker):
    """Reads the documents of a query "slow" when it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(before_each=lambda _: self._wait())
        self._folder = folder

    def _wait(self) -> None:
        if self.calls[-1][0] == "slow":
            (self._folder / "reading").touch()
            wait_for(self._folder / "go")


def led_by(folder: Path, settings: Settings) -> Components:
    """Components that wait for files in *folder*."""

    def encoder() -> FakeEncoder:
        wait_for(folder / "load")
        return FakeEncoder()

    return late(store_with, encoder, lambda: FakeModels(RankingModel(SlowQueries(folder))), settings=settings)


def announce(folder: Path, url: str) -> None:
    """Make FOLDER/address, whole from its first moment."""
    (folder / "address.part").write_text(url)
    (folder / "address.part").rename(folder / "address")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    sys.exit(
        serve(
            Settings(port=0, threads=4, timeout_ms=60_000, max_body_mb=1),
            workers=int(sys.argv[2]) if len(sys.argv) > 2 else 1,
            on_ready=lambda url: announce(place, url),
            components=lambda settings: led_by(place, settings),
        )
    )
