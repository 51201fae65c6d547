"""Components of the service: the store, the encoder and the rerankers that the settings name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rerank.core.errors import ModelUnavailable, StoreUnavailable
from rerank.core.model_load import ModelLoad
from rerank.core.pairs import PairModels
from rerank.core.pipeline import SearchPipeline
from rerank.core.protocols import Encoder, Store
from rerank.core.ranking import RankingModel, RankingModels
from rerank.core.redaction import masked_location
from rerank.core.retrieval import Retriever
from rerank.core.retry import RetryPolicy, retry
from rerank.core.settings import Settings
from rerank.core.text_embedder import TextEmbedder
from rerank.core.text_similarity import TextSimilarity
from rerank.service.loadable import Loadable
from rerank.service.reloading import Commit, ReloadablePart, Reloader

if TYPE_CHECKING:
    from rerank.models.compute_options import ComputeOptions
    from rerank.models.shared_resources import SharedResources

DEFAULT = "default"
"""Name of the default model in requests."""

LOADING_RETRIES = RetryPolicy(first=1.0, longest=60.0)

CatalogEntry = Mapping[str, object]
"""A model by its public name, without its path."""

MODEL_SETTINGS = frozenset({"encoder", "reranker", "rerankers", "model_names", "models_home", "fusion", "contenders"})
"""Settings that a reload applies to the models."""


@dataclass(frozen=True)
class Components:
    """Everything that a request needs. The loadable components load in the background; the rest is constant."""

    settings: Settings
    store: Loadable[Store]
    encoder: Loadable[Encoder]
    rerankers: Loadable[RankingModels]
    catalog: Callable[[], Sequence[CatalogEntry]]
    pair_models: Loadable[PairModels]
    """Loads its models on first use, so readiness does not depend on it."""
    retriever: Retriever = field(default_factory=Retriever)
    """The threads that run both halves of hybrid retrieval."""
    model_load: Callable[[], ModelLoad] = ModelLoad
    """Returns the current load of the models, for the metrics."""
    text_similarity: Callable[[Encoder], TextSimilarity] | None = None
    """Compares texts outside an index by an encoder's vectors. None: rerank calls use the cross-encoder alone."""
    model_names: Callable[[], Collection[str]] = lambda: ("default",)
    """Returns the public names of the rerankers."""
    reloader: Reloader = field(default_factory=Reloader, compare=False)
    """Reloads the models, and other parts that are added to it."""
    text_embedder: Callable[[Encoder], TextEmbedder] | None = None
    """Embeds the texts of requests. None: embedding requests are refused."""
    encoder_name: Callable[[str | None], str] = lambda _: "default"
    """Returns the public name of the encoder that a request names. Raises ModelNotFound for another model."""
    resources: ExitStack = field(default_factory=ExitStack, compare=False)
    """Resources to close on shutdown besides the store, such as the connection pool of the proxy."""

    def pipeline(self) -> SearchPipeline:
        """Returns the search pipeline. Raises StoreUnavailable or ModelUnavailable without a store or an encoder.

        A missing reranker is not an error: a search then returns first-stage order and reports the reason.
        """
        return SearchPipeline(self.store.get(), self.encoder.get(), LoadedRankingModels(self.rerankers), self.retriever)

    def similarity(self) -> TextSimilarity | None:
        """Returns the similarity of texts by the encoder; None while the encoder is not loaded."""
        if self.text_similarity is None or self.encoder.missing is not None:
            return None
        return self.text_similarity(self.encoder.get())

    def embedder(self) -> TextEmbedder:
        """Returns the embedder of the encoder. Raises ModelUnavailable while the encoder is not loaded."""
        encoder = self.encoder.get()
        if self.text_embedder is None:
            raise ModelUnavailable("this service embeds no texts")
        return self.text_embedder(encoder)

    def load(self) -> None:
        """Loads every component that is not loaded: the store first, because it is fast, then the models."""
        for component in (self.store, self.encoder, self.rerankers, self.pair_models):
            component.load()

    def load_until_complete(self, stop: threading.Event) -> None:
        """Loads, and retries with growing pauses, until nothing is missing or *stop* is set."""

        def load() -> list[str]:
            self.load()
            return self.missing()

        retry(load, LOADING_RETRIES, until=lambda missing: not missing, cancelled=stop)

    def missing(self) -> list[str]:
        """Returns the reason for each component that is not loaded, one clause each."""
        reasons = (self.store.missing, self.encoder.missing, self.rerankers.missing)
        return [reason for reason in reasons if reason is not None]

    def close(self) -> None:
        """Closes the resources, last opened first, then the retriever, the models and the store, and ends loading.

        A second call does nothing.
        """
        # The stack calls all callbacks, in reverse order, even if one of them raises.
        with ExitStack() as closing:
            for component in (self.store, self.encoder, self.rerankers, self.pair_models):
                closing.callback(component.close)
            closing.callback(self.retriever.close)
            closing.callback(self.resources.close)


@dataclass(frozen=True)
class LoadedRankingModels:
    """RankingModels that may still be loading."""

    models: Loadable[RankingModels]

    def get(self, name: str | None) -> RankingModel:
        """Returns the model as RankingModels.get does. Raises ModelUnavailable until the models are loaded."""
        return self.models.get().get(name)


@dataclass
class _Loaders:
    """Functions that load each component of *settings*. They import heavy packages when called.

    *shared* holds the scheduler and the score cache of all models. A reload replaces *settings*.
    """

    settings: Settings
    compute: ComputeOptions
    shared: SharedResources

    def store(self) -> Store:
        from rerank.index.opening import open_store

        settings = self.settings
        return open_store(
            settings.store, threads=settings.threads, api_key=settings.store_api_key, ca_file=settings.store_ca_file
        )

    def encoder(self) -> Encoder:
        from rerank.models.loading import load_encoder

        return load_encoder(self.settings.encoder, compute=self.compute, shared=self.shared)

    def rerankers(self) -> RankingModels:
        from rerank.models.loading import LoadedModels

        return LoadedModels.of(self.settings, shared=self.shared)

    def pair_models(self, ranking: Loadable[RankingModels]) -> PairModels:
        from rerank.models.pair_models import LoadedPairModels
        from rerank.models.promotion import with_promoted
        from rerank.models.public_names import reranker_names

        names = reranker_names(with_promoted(self.settings))
        return LoadedPairModels(names, ranking=ranking.get, compute=self.compute)

    def catalog(self) -> Sequence[CatalogEntry]:
        from rerank.models.promotion import with_promoted
        from rerank.models.public_catalog import public_catalog

        return public_catalog(with_promoted(self.settings))

    def model_names(self) -> Collection[str]:
        from rerank.models.promotion import with_promoted
        from rerank.models.public_names import reranker_names

        return {DEFAULT, *reranker_names(with_promoted(self.settings)).names}

    def encoder_name(self, requested: str | None) -> str:
        from rerank.models.public_names import encoder_names

        names = encoder_names(self.settings)
        return names.name_of(names.target(requested, what="encoder"))

    def reloadable(self, components: Components) -> ReloadablePart:
        """Returns the part that replaces the models of *components*."""

        def prepare(settings: Settings) -> Commit:
            changed = replace(self, settings=settings)
            encoder, rerankers = changed.encoder(), changed.rerankers()
            pair_models = changed.pair_models(components.rerankers)

            def commit() -> None:
                self.settings = settings
                components.encoder.replace(encoder)
                components.rerankers.replace(rerankers)
                components.pair_models.replace(pair_models)

            return commit

        return ReloadablePart("models", MODEL_SETTINGS, prepare)


def build(settings: Settings) -> Components:
    """Returns the components that *settings* name. Call load(), or load_until_complete() in a thread, to load them."""
    from rerank.models.compute_options import ComputeOptions
    from rerank.models.passage_similarity import PassageSimilarity
    from rerank.models.shared_resources import SharedResources
    from rerank.models.text_embedder import ScheduledEmbedder

    shared = SharedResources.within(max_waiting=settings.max_waiting, score_cache_mb=settings.score_cache_mb)
    loaders = _Loaders(settings, ComputeOptions.of(settings), shared)
    rerankers = Loadable(f'reranker "{settings.reranker}"', loaders.rerankers, unavailable=ModelUnavailable)
    components = Components(
        settings=settings,
        store=Loadable(
            f"store {masked_location(settings.store)}",
            loaders.store,
            unavailable=StoreUnavailable,
            release=lambda store: store.close(),
        ),
        encoder=Loadable(f'encoder "{settings.encoder}"', loaders.encoder, unavailable=ModelUnavailable),
        rerankers=rerankers,
        catalog=loaders.catalog,
        retriever=Retriever(threads=settings.threads),
        pair_models=Loadable(
            "models for text pairs", lambda: loaders.pair_models(rerankers), unavailable=ModelUnavailable
        ),
        model_load=shared.load,
        text_similarity=lambda encoder: PassageSimilarity(encoder, shared.cache),
        text_embedder=lambda encoder: ScheduledEmbedder(encoder, shared.scheduler),
        model_names=loaders.model_names,
        encoder_name=loaders.encoder_name,
        reloader=Reloader(settings),
    )
    components.reloader.add(loaders.reloadable(components))
    components.resources.callback(shared.close)
    return components
