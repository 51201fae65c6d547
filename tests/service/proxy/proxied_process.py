"""Service in front of a server, for a child process: `python -m tests.service.proxy.proxied_process FOLDER SETTINGS`.

SETTINGS is JSON. The reranker scores a text by the fraction of the query's words that it contains. It fails for the
query "break", takes 50 ms per text for the query "slow", and cannot be loaded if FOLDER/no-model exists.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from rerank.core.errors import ModelError, ModelInvalid
from rerank.core.ranking import RankingModel
from rerank.core.settings import Settings
from rerank.index.opening import open_store
from rerank.service.components import Components
from rerank.service.server import serve
from tests.fakes import FakeEncoder, FakeModels, FakeReranker
from tests.service.controlled_process import write_address
from tests.service.fake_service import loading_components


class ControlledReranker(FakeReranker):
    """Reranker that fails or slows down for certain queries."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(name=name, before_each=lambda _: self._before_text())
        self._folder = folder

    def _before_text(self) -> None:
        query = self.calls[-1][0]
        if query == "break":
            raise ModelError("the model is broken")
        if query == "slow":
            (self._folder / "scoring").touch()
            time.sleep(0.05)


def controlled_components(folder: Path, settings: Settings) -> Components:
    """Returns components over small models and the server in the settings."""

    def models() -> FakeModels:
        if (folder / "no-model").exists():
            raise ModelInvalid("models/x: no weights")
        return FakeModels(
            RankingModel(ControlledReranker(folder, "fake-reranker")), RankingModel(ControlledReranker(folder, "other"))
        )

    return loading_components(lambda: open_store(settings.store), lambda: FakeEncoder(dim=8), models, settings=settings)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    sys.exit(
        serve(
            Settings(port=0, **json.loads(sys.argv[2])),
            on_ready=lambda url: write_address(folder, url),
            components=lambda settings: controlled_components(folder, settings),
        )
    )
