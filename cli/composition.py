"""Builds what a command needs from the settings; the models are imported only by commands that read text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.core.pipeline import SearchPipeline
    from rerank.core.protocols import Encoder, Store
    from rerank.core.ranking import RankingModel, RankingModels
    from rerank.models.shared import Shared


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """The store that *settings* name, closed at the end."""
    from rerank.index.opening import open_store

    store = open_store(settings.store, threads=settings.threads)
    try:
        yield store
    finally:
        store.close()


def encoder(settings: Settings, *, shared: Shared | None = None) -> Encoder:
    """The bi-encoder that *settings* name; *shared* is what it has in common with other models."""
    from rerank.models.computing import Computing
    from rerank.models.loading import load_encoder

    return load_encoder(settings.encoder, computing=Computing.of(settings), shared=shared)


class Rerankers:
    """The rerankers that *settings* name, loaded when the first one is asked for.

    A search that is not re-ranked loads none, and one whose model cannot be loaded still answers.
    """

    def __init__(self, settings: Settings, *, shared: Shared | None = None) -> None:
        self._settings = settings
        self._shared = shared
        self._loaded: RankingModels | None = None

    def get(self, name: str | None) -> RankingModel:
        """As RankingModels.get."""
        if self._loaded is None:
            from rerank.models.loading import LoadedModels

            self._loaded = LoadedModels.of(self._settings, shared=self._shared)
        return self._loaded.get(name)


@contextmanager
def opened_pipeline(settings: Settings, *, index: str) -> Iterator[SearchPipeline]:
    """The searching road that *settings* describe, its store closed at the end.

    *index* is looked for first: a wrong name is told at once, not after the models have been loaded.
    """
    from rerank.core.pipeline import SearchPipeline
    from rerank.models.shared import Shared

    with opened_store(settings) as store:
        store.open(index)
        shared = Shared()  # one request at a time, each asked once: neither a limit nor a memory is of use
        pipeline = SearchPipeline(store, encoder(settings, shared=shared), Rerankers(settings, shared=shared))
        with closing(pipeline):
            yield pipeline
