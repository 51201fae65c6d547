"""Assembly of the proxy and its installation in front of the Flask application."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flask import Flask

from rerank.core.settings import Settings
from rerank.service.admission import SPARE_REQUESTS, ForwardingLimit
from rerank.service.auth import Keys
from rerank.service.components import Components, LoadedRankingModels
from rerank.service.metrics import Metrics
from rerank.service.proxy.address import Address
from rerank.service.proxy.middleware import Proxy
from rerank.service.proxy.own_routes import OwnRoutes
from rerank.service.proxy.search.backend_client import BackendClient
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.circuit_breaker import CircuitBreaker
from rerank.service.proxy.search.planning import Planner
from rerank.service.proxy.search.ranking_cache import RankingCache
from rerank.service.proxy.search.reranking import SearchReranker
from rerank.service.proxy.search.search_interceptor import SearchInterceptor
from rerank.service.proxy.search.shadow_log import ShadowLog
from rerank.service.proxy.search.shadow_mode import ShadowMode
from rerank.service.proxy.search.text_fields import TextFields
from rerank.service.proxy.search_metrics import SearchMetrics
from rerank.service.proxy.upstream import Upstream


def install_proxy(app: Flask, components: Components, metrics: Metrics, breaker: CircuitBreaker, keys: Keys) -> None:
    """Installs the proxy in front of *app*. The proxy forwards requests to the server in the setting `store`.

    Closing *components* closes the proxy's connections and threads.
    """
    settings = components.settings
    upstream = Upstream(Address.parse(settings.store), timeout=settings.proxy_timeout_s, ca_file=settings.store_ca_file)
    search_metrics = SearchMetrics(metrics.registry, lambda: breaker.state)
    proxy = Proxy(
        app.wsgi_app,
        upstream,
        own_routes=OwnRoutes.from_app(app, models=components.model_names, preflight=bool(settings.cors_origins)),
        keys=keys,
        interceptor=_interceptor(components, BackendClient(upstream), breaker, search_metrics),
        # The rest of the connections is reserved for the service's own endpoints.
        limit=ForwardingLimit(max(settings.max_connections - settings.threads - SPARE_REQUESTS, 1)),
        observe=metrics.observe_request,
    )
    components.resources.callback(proxy.close)
    app.wsgi_app = proxy  # type: ignore[method-assign]


def _interceptor(
    components: Components, backend: BackendClient, breaker: CircuitBreaker, metrics: SearchMetrics
) -> SearchInterceptor:
    settings: Settings = components.settings

    def fetch_mapping(call: SearchCall, target: str) -> object:
        response = backend.request(call, "GET", target)
        return response.json if response.status == 200 else None

    def encode(text: str) -> Sequence[float]:
        vector: list[float] = components.encoder.get().encode_queries([text])[0].tolist()
        return vector

    planner = Planner(backend, TextFields(fetch_mapping), encode, settings.proxy_indexes, settings.depth)
    models = LoadedRankingModels(components.rerankers)
    reranker = SearchReranker(backend, models, breaker, RankingCache(), settings.timeout_ms, components.similarity)
    log = ShadowLog(Path(settings.proxy_shadow_log)) if settings.proxy_shadow and settings.proxy_shadow_log else None
    shadow = ShadowMode(planner, reranker, settings.proxy_shadow, metrics.observe_shadow, log=log)
    return SearchInterceptor(planner, reranker, shadow, metrics.observe_search, settings.max_search_body_mb << 20)
