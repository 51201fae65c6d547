"""A service whose reranker is real but for its network: `python -m tests.service.slow_model_process FOLDER [WORKERS]`.

A batch with the text "slow" makes FOLDER/reading, which holds the worker's process id, and ends with FOLDER/go.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rerank.core.ranking import RankingModel
from rerank.core.settings import Settings
from rerank.models.shared import Shared
from rerank.models.tokenizer import Ids
from rerank.service.components import Components
from rerank.service.loadable import Loadable
from rerank.service.server import serve
from tests.fakes import FakeEncoder, FakeModels, FakePairModel, FakePairModels
from tests.models.scripted import ScriptedNetwork, scripted
from tests.service.controlled_process import announce, wait_for
from tests.service.fake_service import store_with

SLOW_TOKENS = 4
"""Of the text "slow", letter by letter: no other text in the tests has so many."""


class _Waiting(ScriptedNetwork):
    """Reads the text "slow" when it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def logits(self, passages: Sequence[Ids]) -> NDArray[np.float32]:
        if any(len(ids) == SLOW_TOKENS for ids in passages) and not (self._folder / "go").exists():
            (self._folder / "reading.part").write_text(str(os.getpid()))
            (self._folder / "reading.part").rename(self._folder / "reading")
            wait_for(self._folder / "go")
        return super().logits(passages)


def busy(folder: Path, settings: Settings) -> Components:
    """Components with a queue as short as the settings say."""
    shared = Shared.within(max_waiting=settings.max_waiting, score_cache_mb=settings.score_cache_mb)
    reranker = scripted(folder / "model", _Waiting(folder), shared=shared)
    return Components(
        settings=settings,
        store=Loadable.of("the store", store_with()),
        encoder=Loadable.of("the encoder", FakeEncoder()),
        rerankers=Loadable.of("the reranker", FakeModels(RankingModel(reranker))),
        pair_models=Loadable.of("the models for pairs", FakePairModels(FakePairModel())),
        catalog=list,
        model_load=shared.load,
    )


if __name__ == "__main__":
    place = Path(sys.argv[1])
    sys.exit(
        serve(
            Settings(port=0, threads=2, max_waiting=2, timeout_ms=60_000),
            workers=int(sys.argv[2]) if len(sys.argv) > 2 else 1,
            on_ready=lambda url: announce(place, url),
            components=lambda settings: busy(place, settings),
        )
    )
