"""Builds the objects that commands use from the settings. Models are imported only when a command needs one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from rerank.core.settings import Settings

if TYPE_CHECKING:
    from rerank.core.pipeline import SearchPipeline
    from rerank.core.protocols import Encoder, Store
    from rerank.core.ranking import RankingModel, RankingModels
    from rerank.models.shared_resources import SharedResources


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """Opens the configured store and closes it at the end of the block."""
    from rerank.index.opening import open_store

    store = open_store(
        settings.store, threads=settings.threads, api_key=settings.store_api_key, ca_file=settings.store_ca_file
    )
    try:
        yield store
    finally:
        store.close()


def repair_store(settings: Settings) -> tuple[str, ...] | None:
    """Repairs the configured store. Returns the tables that it leaves out; None if the store needs no repair."""
    from rerank.index import opening

    return opening.repair_store(settings.store)


def encoder(settings: Settings, *, shared: SharedResources | None = None) -> Encoder:
    """Loads the configured bi-encoder. *shared* holds the resources that several models use together."""
    from rerank.models.compute_options import ComputeOptions
    from rerank.models.loading import load_encoder

    return load_encoder(settings.encoder, compute=ComputeOptions.of(settings), shared=shared)


class LazyRerankers:
    """Configured rerankers, loaded on first use.

    A search without reranking loads no reranker. If a reranker cannot be loaded, the search returns first-stage order.
    """

    def __init__(self, settings: Settings, *, shared: SharedResources | None = None) -> None:
        self._settings = settings
        self._shared = shared
        self._loaded: RankingModels | None = None

    def get(self, name: str | None) -> RankingModel:
        """Returns the reranker named *name*, or the default one. Raises as RankingModels.get does."""
        if self._loaded is None:
            from rerank.models.loading import LoadedModels

            self._loaded = LoadedModels.of(self._settings, shared=self._shared, public=False)
        return self._loaded.get(name)


@contextmanager
def opened_pipeline(settings: Settings, *, index: str) -> Iterator[SearchPipeline]:
    """Opens the configured search pipeline and closes it and its store at the end of the block.

    Opens *index* first, so that a wrong name fails before the models are loaded.
    """
    from rerank.core.pipeline import SearchPipeline
    from rerank.models.shared_resources import SharedResources

    with opened_store(settings) as store:
        store.open(index)
        # A command runs one request at a time, so it needs neither a queue limit nor a cache.
        shared = SharedResources()
        rerankers = LazyRerankers(settings, shared=shared)
        with closing(SearchPipeline(store, encoder(settings, shared=shared), rerankers)) as pipeline:
            yield pipeline
