"""A service before a server, in a process of its own: `python -m tests.service.proxy.process FOLDER SETTINGS`.

SETTINGS is JSON. The reranker gives a text the share of the query's words that it holds; it fails for the query
"break" until FOLDER/mended is there, takes a while over each text for the query "slow", and is never loaded where
FOLDER/no-model is.
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


class Led(FakeReranker):
    """Fails and dawdles when its query says so."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(name=name, before_each=lambda _: self._obey())
        self._folder = folder

    def _obey(self) -> None:
        query = self.calls[-1][0]
        if query == "break" and not (self._folder / "mended").exists():
            raise ModelError("the model is broken")
        if query == "slow":
            (self._folder / "reading").touch()
            time.sleep(0.05)


def led_by(folder: Path, settings: Settings) -> Components:
    """Components over small models and the server that the settings name."""

    def models() -> FakeModels:
        if (folder / "no-model").exists():
            raise ModelInvalid("models/x: no weights")
        return FakeModels(RankingModel(Led(folder, "fake-reranker")), RankingModel(Led(folder, "other")))

    return loading_components(lambda: open_store(settings.store), lambda: FakeEncoder(dim=8), models, settings=settings)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    sys.exit(
        serve(
            Settings(port=0, **json.loads(sys.argv[2])),
            on_ready=lambda url: write_address(place, url),
            components=lambda settings: led_by(place, settings),
        )
    )
