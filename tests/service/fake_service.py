"""A service with fake models and a store in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rerank.core.document import Document
from rerank.core.errors import ModelNotFound, ModelUnavailable, StoreUnavailable
from rerank.core.indexing import Indexer
from rerank.core.pairs import PairModels
from rerank.core.protocols import Encoder, IndexSpec, Store
from rerank.core.ranking import RankingModel, RankingModels
from rerank.core.settings import Settings
from rerank.models.scheduler import Scheduler
from rerank.models.text_embedder import ScheduledEmbedder
from rerank.service.components import CatalogEntry, Components
from rerank.service.loadable import Loadable
from tests.fakes import FakeEncoder, FakeModels, FakePairModel, FakePairModels, FakeReranker
from tests.memory_store import InMemoryStore

if TYPE_CHECKING:
    from flask.testing import FlaskClient

INDEX = "docs"
TEA = Document("tea", "green tea is brewed from leaves", "Tea", {"lang": "en", "year": 2020})
COFFEE = Document("coffee", "il caffè è amaro", "Caffè", {"lang": "it", "year": 2021})
MILK = Document("milk", "milk with tea and green leaves", "", {"lang": "en", "year": 2022})
DOCUMENTS = (TEA, COFFEE, MILK)
CATALOG: CatalogEntry = {"name": "fake-reranker", "kind": "reranker", "max_tokens": 512, "default": True}


def store_with(documents: Sequence[Document] = DOCUMENTS, *, encoder: FakeEncoder | None = None) -> InMemoryStore:
    """Returns a store in memory with one index of *documents*."""
    encoder = encoder or FakeEncoder()
    store = InMemoryStore()
    index = store.create(INDEX, IndexSpec(encoder.identity))
    Indexer(index, encoder).add(documents)
    store.publish(index)
    return store


def components(
    *,
    settings: Settings | None = None,
    store: Store | None = None,
    encoder: Encoder | None = None,
    models: RankingModels | None = None,
    pair_models: PairModels | None = None,
    scheduler: Scheduler | None = None,
) -> Components:
    """Returns loaded components; by default, fake models and a store with three documents."""
    ranking = models or FakeModels(RankingModel(FakeReranker()), RankingModel(FakeReranker(name="other")))
    return Components(
        settings=settings or Settings(),
        store=Loadable.of("store", store or store_with()),
        encoder=Loadable.of("encoder", encoder or FakeEncoder()),
        rerankers=Loadable.of("reranker", ranking),
        catalog=lambda: [CATALOG],
        pair_models=Loadable.of("models for text pairs", pair_models or FakePairModels(FakePairModel())),
        text_embedder=lambda used: ScheduledEmbedder(used, scheduler or Scheduler()),
        encoder_name=_encoder_name,
    )


def _encoder_name(requested: str | None) -> str:
    if requested not in (None, "default", "fake-encoder"):
        raise ModelNotFound(f'encoder "{requested}" is not configured. Configured: fake-encoder')
    return "fake-encoder"


def loading_components(
    store: Callable[[], Store],
    encoder: Callable[[], Encoder],
    rerankers: Callable[[], RankingModels],
    *,
    settings: Settings | None = None,
) -> Components:
    """Returns components that are not loaded yet, with the given loaders."""
    return Components(
        settings=settings or Settings(),
        store=Loadable("store", store, unavailable=StoreUnavailable, release=lambda opened: opened.close()),
        encoder=Loadable("encoder", encoder, unavailable=ModelUnavailable),
        rerankers=Loadable("reranker", rerankers, unavailable=ModelUnavailable),
        catalog=list,
        pair_models=Loadable.of("models for text pairs", FakePairModels(FakePairModel())),
    )


def client(of: Components | None = None) -> FlaskClient:
    """Returns a test client of the service with the components *of*."""
    # A process with several workers must not import prometheus_client before it serves, so this import is late.
    from rerank.service.app import create_app

    return create_app(of or components()).test_client()


def error(message: str, error_type: str = "Validation", *, field: str | None = None) -> dict[str, object]:
    """Returns the expected body of an error."""
    body: dict[str, object] = {"error": message, "message": message, "detail": message, "error_type": error_type}
    return body if field is None else {**body, "field": field}
