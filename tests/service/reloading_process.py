"""A service that reloads its settings, in a child process: `python -m tests.service.reloading_process FOLDER WORKERS`.

The settings come from FOLDER/rerank.toml. The setting `reranker` is the name of the model in responses.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rerank.core.ranking import RankingModel
from rerank.core.settings import Settings
from rerank.core.settings_loading import load_settings
from rerank.service.components import Components
from rerank.service.reloading import Commit, ReloadablePart
from rerank.service.server import serve
from tests.fakes import FakeModels, FakeReranker
from tests.service.controlled_process import write_address
from tests.service.fake_service import components


def _models(settings: Settings) -> FakeModels:
    return FakeModels(RankingModel(FakeReranker(name=settings.reranker)))


def reloadable_components(settings: Settings) -> Components:
    """Returns components whose models a reload replaces."""
    result = components(settings=settings, models=_models(settings))

    def prepare(changed: Settings) -> Commit:
        models = _models(changed)
        return lambda: result.rerankers.replace(models)

    result.reloader.add(ReloadablePart("models", frozenset({"reranker"}), prepare))
    return result


if __name__ == "__main__":
    folder = Path(sys.argv[1])

    def read_settings() -> Settings:
        """Returns the settings in the folder."""
        return load_settings({"port": 0}, environ={}, directory=folder).settings

    sys.exit(
        serve(
            read_settings(),
            workers=int(sys.argv[2]),
            on_ready=lambda url: write_address(folder, url),
            components=reloadable_components,
            read_settings=read_settings,
        )
    )
