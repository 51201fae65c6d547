"""The proxy put together: before the application, where the store is a server."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask

from rerank.core.settings import Settings
from rerank.service.auth import Keys
from rerank.service.components import Components, LoadedRankingModels
from rerank.service.metrics import Metrics
from rerank.service.proxy.address import Address
from rerank.service.proxy.measures import ProxyMeasures
from rerank.service.proxy.middleware import Proxy
from rerank.service.proxy.search.breaker import Breaker
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.kept import KeptRankings
from rerank.service.proxy.search.planning import Planner
from rerank.service.proxy.search.reranking import SearchReranking
from rerank.service.proxy.search.searches import Searches
from rerank.service.proxy.search.server import Server
from rerank.service.proxy.search.shadow import Shadow
from rerank.service.proxy.search.text_fields import TextFields
from rerank.service.proxy.shadowed import Shadowed
from rerank.service.proxy.upstream import Upstream


def mount(app: Flask, components: Components, metrics: Metrics, breaker: Breaker) -> None:
    """Let requests that are not *app*'s own go to the server of the settings."""
    settings = components.settings
    upstream = Upstream(Address.parse(settings.store), timeout=settings.proxy_timeout_s)
    measures = ProxyMeasures(metrics.registry, lambda: breaker.state)
    app.wsgi_app = Proxy(  # type: ignore[method-assign]
        app.wsgi_app,
        upstream,
        shadowed=Shadowed.of(app, models=("default", settings.reranker, *settings.rerankers)),
        keys=Keys(settings.api_keys),
        searches=_searches(components, Server(upstream), breaker, measures),
        observe=metrics.observe_request,
    )


def _searches(components: Components, server: Server, breaker: Breaker, measures: ProxyMeasures) -> Searches:
    settings: Settings = components.settings

    def mapping(call: SearchCall, target: str) -> object:
        fetched = server.ask(call, "GET", target)
        return fetched.json if fetched.status == 200 else None

    def encode(text: str) -> Sequence[float]:
        vector: list[float] = components.encoder.get().encode_queries([text])[0].tolist()
        return vector

    planner = Planner(server, TextFields(mapping), encode, settings.proxy_indexes, settings.depth)
    models = LoadedRankingModels(components.rerankers)
    reranking = SearchReranking(server, models, breaker, KeptRankings(), settings.timeout_ms)
    shadow = Shadow(planner, reranking, settings.proxy_shadow, measures.observe_shadow)
    return Searches(planner, reranking, shadow, measures.observe, settings.max_body_mb << 20)
