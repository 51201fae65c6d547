"""A service with a real scheduler and a fake network: `python -m tests.service.slow_model_process FOLDER [WORKERS]`.

A batch with the text "slow" writes the worker's process id to FOLDER/scoring, and waits for FOLDER/go.
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
from rerank.models.shared_resources import SharedResources
from rerank.models.tokenizer import Ids
from rerank.service.components import Components
from rerank.service.loadable import Loadable
from rerank.service.server import serve
from tests.fakes import FakeEncoder, FakeModels, FakePairModel, FakePairModels
from tests.models.scripted import ScriptedNetwork, scripted
from tests.service.controlled_process import wait_for, write_address
from tests.service.fake_service import store_with

SLOW_TOKENS = 4
"""Number of tokens of the text "slow", one per letter. All other texts of these tests have fewer."""


class _BlockingNetwork(ScriptedNetwork):
    """A network that blocks on the text "slow" until a file exists."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def logits(self, passages: Sequence[Ids]) -> NDArray[np.float32]:
        if any(len(ids) == SLOW_TOKENS for ids in passages) and not (self._folder / "go").exists():
            (self._folder / "scoring.part").write_text(str(os.getpid()))
            (self._folder / "scoring.part").rename(self._folder / "scoring")
            wait_for(self._folder / "go")
        return super().logits(passages)


def slow_components(folder: Path, settings: Settings) -> Components:
    """Returns components whose queue has the length that *settings* give."""
    shared = SharedResources.within(max_waiting=settings.max_waiting, score_cache_mb=settings.score_cache_mb)
    reranker = scripted(folder / "model", _BlockingNetwork(folder), shared=shared)
    return Components(
        settings=settings,
        store=Loadable.of("store", store_with()),
        encoder=Loadable.of("encoder", FakeEncoder()),
        rerankers=Loadable.of("reranker", FakeModels(RankingModel(reranker))),
        pair_models=Loadable.of("models for text pairs", FakePairModels(FakePairModel())),
        catalog=list,
        model_load=shared.load,
    )


if __name__ == "__main__":
    control_folder = Path(sys.argv[1])
    sys.exit(
        serve(
            Settings(port=0, threads=2, max_waiting=2, timeout_ms=60_000),
            workers=int(sys.argv[2]) if len(sys.argv) > 2 else 1,
            on_ready=lambda url: write_address(control_folder, url),
            components=lambda settings: slow_components(control_folder, settings),
        )
    )
