"""Builds what a command needs from the settings; the models are imported only by commands that read text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.settings import Settings

if TYPE_CHECKING:
    from core.protocols import Encoder, Store
    from core.ranking import RankingModel, RankingModels
    from core.searching import SearchPipeline


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """The store that *settings* name, closed at the end."""
    from index.opening import open_store

    store = open_store(settings.store)
    try:
        yield store
    finally:
        store.close()


def encoder(settings: Settings) -> Encoder:
    """The bi-encoder that *settings* name."""
    from models.loading import load_encoder

    return load_encoder(settings.encoder, runtime=settings.runtime)


def rerankers(settings: Settings) -> RankingModels:
    """The rerankers that *settings* name."""
    from models.loading import LoadedModels

    return LoadedModels(settings.reranker, settings.rerankers, runtime=settings.runtime, fusion=settings.fusion)


class NoRerankers:
    """For searches that are not re-ranked: no model is loaded for them."""

    def get(self, name: str | None) -> RankingModel:
        """Raise ModelNotFound."""
        from core.errors import ModelNotFound

        raise ModelNotFound(f'no reranker is loaded, not even "{name or "default"}"')


@contextmanager
def opened_pipeline(settings: Settings, *, rerank: bool = True) -> Iterator[SearchPipeline]:
    """The searching road that *settings* describe, its store closed at the end."""
    from core.searching import SearchPipeline

    with opened_store(settings) as store:
        yield SearchPipeline(store, encoder(settings), rerankers(settings) if rerank else NoRerankers())
