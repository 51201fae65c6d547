"""What the service is made of: one of the two places that read settings and build."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rerank.core.errors import ModelUnavailable, StoreUnavailable
from rerank.core.model_load import ModelLoad
from rerank.core.pairs import PairModels
from rerank.core.pipeline import SearchPipeline
from rerank.core.protocols import Encoder, Store
from rerank.core.ranking import RankingModel, RankingModels
from rerank.core.retrieval import Retriever
from rerank.core.settings import Settings, masked_location
from rerank.service.loadable import Loadable

if TYPE_CHECKING:
    from rerank.models.computing import Computing
    from rerank.models.shared import Shared

FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 60.0

CatalogEntry = Mapping[str, object]
"""A model as `rerank-cli models list --json` prints it."""


@dataclass(frozen=True)
class Components:
    """Everything that a request needs. The three parts load beside the requests; nothing here changes otherwise."""

    settings: Settings
    store: Loadable[Store]
    encoder: Loadable[Encoder]
    rerankers: Loadable[RankingModels]
    catalog: Callable[[], Sequence[CatalogEntry]]
    pair_models: Loadable[PairModels]
    """Nothing of it is loaded before it is asked for, so it has no say in whether the service is ready."""
    retriever: Retriever = field(default_factory=Retriever)
    model_load: Callable[[], ModelLoad] = ModelLoad
    """What the models are doing, for the metrics."""

    def pipeline(self) -> SearchPipeline:
        """The searching road. Raises StoreUnavailable or ModelUnavailable while store or encoder are not there.

        A reranker that is not there is no error: searches come back in first-stage order and say so.
        """
        return SearchPipeline(self.store.get(), self.encoder.get(), LoadedRankingModels(self.rerankers), self.retriever)

    def load(self) -> None:
        """Load what is not there yet: the store first, which is fast, then the models."""
        for part in (self.store, self.encoder, self.rerankers, self.pair_models):
            part.load()

    def load_until_complete(self, stop: threading.Event) -> None:
        """Load, and try again what failed, ever less often, until all is there or *stop* is set."""
        pause = FIRST_RETRY_SECONDS
        self.load()
        while self.missing() and not stop.wait(pause):
            self.load()
            pause = min(2 * pause, LAST_RETRY_SECONDS)

    def missing(self) -> list[str]:
        """What is not there yet, one clause each."""
        parts = (self.store.missing, self.encoder.missing, self.rerankers.missing)
        return [problem for problem in parts if problem is not None]

    def close(self) -> None:
        """Closes the retrieval threads and the store."""
        self.retriever.close()
        if self.store.missing is None:
            self.store.get().close()


@dataclass(frozen=True)
class LoadedRankingModels:
    """RankingModels over a part that may not be there yet."""

    part: Loadable[RankingModels]

    def get(self, name: str | None) -> RankingModel:
        """As RankingModels.get. Raises ModelUnavailable until the part has been loaded."""
        return self.part.get().get(name)


@dataclass(frozen=True)
class _Loaders:
    """How each part of the *settings* is loaded: nothing heavy is imported before. *shared* is one for all models."""

    settings: Settings
    computing: Computing
    shared: Shared

    def store(self) -> Store:
        from rerank.index.opening import open_store

        return open_store(self.settings.store)

    def encoder(self) -> Encoder:
        from rerank.models.loading import load_encoder

        return load_encoder(self.settings.encoder, computing=self.computing, shared=self.shared)

    def rerankers(self) -> RankingModels:
        from rerank.models.loading import LoadedModels

        return LoadedModels.of(self.settings, shared=self.shared)

    def pair_models(self, ranking: Loadable[RankingModels]) -> PairModels:
        from rerank.models.pair_models import LoadedPairModels
        from rerank.models.promotion import with_promoted

        named = with_promoted(self.settings)
        return LoadedPairModels(named.reranker, named.rerankers, ranking=ranking.get, computing=self.computing)

    def catalog(self) -> Sequence[CatalogEntry]:
        from rerank.models.catalog import served
        from rerank.models.promotion import with_promoted

        return [entry.to_json() for entry in served(with_promoted(self.settings))]


def build(settings: Settings) -> Components:
    """The components that *settings* name, none of them loaded: call load(), or load_until_complete() in a thread."""
    from rerank.models.computing import Computing
    from rerank.models.shared import Shared

    shared = Shared.within(max_waiting=settings.max_waiting, score_cache_mb=settings.score_cache_mb)
    load = _Loaders(settings, Computing.of(settings), shared)
    ranking = Loadable(f'the reranker "{settings.reranker}"', load.rerankers, unavailable=ModelUnavailable)
    pairs = Loadable("the models for pairs", lambda: load.pair_models(ranking), unavailable=ModelUnavailable)
    return Components(
        settings=settings,
        store=Loadable(f"the store {masked_location(settings.store)}", load.store, unavailable=StoreUnavailable),
        encoder=Loadable(f'the encoder "{settings.encoder}"', load.encoder, unavailable=ModelUnavailable),
        rerankers=ranking,
        catalog=load.catalog,
        retriever=Retriever(threads=settings.threads),
        pair_models=pairs,
        model_load=shared.load,
    )
