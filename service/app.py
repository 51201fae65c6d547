"""The Flask application, with a blueprint per resource."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider

from rerank.core.model_load import ModelLoad
from rerank.service import (
    admin,
    admission,
    auth,
    body_limits,
    cors,
    documents,
    errors,
    indexes,
    info,
    metrics,
    models,
    openapi,
    page,
    predict,
    probes,
    search,
    weaviate_probes,
)
from rerank.service.browser_requests import BrowserRequests
from rerank.service.components import Components
from rerank.service.dialects import routes as dialects
from rerank.service.embeddings import routes as embeddings
from rerank.service.path_prefix import PathPrefix
from rerank.service.patterns import LONE_SURROGATE
from rerank.service.proxy.address import is_server_url
from rerank.service.proxy.install import install_proxy
from rerank.service.proxy.search.circuit_breaker import CircuitBreaker

_log = logging.getLogger(__name__)

_POLLED_ENDPOINTS = frozenset({"probes.health", "probes.ready", "metrics.exposition", "static"})
"""Endpoints whose successful requests are logged at debug level, because monitoring polls them."""


def create_app(components: Components) -> Flask:
    """Returns the WSGI application of *components*, which may still be loading.

    Closing *components* closes everything that the application opens.
    """
    app = Flask(__name__)
    app.json = _Json(app)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app_metrics = metrics.Metrics()
    breaker = CircuitBreaker() if is_server_url(components.settings.store) else None
    errors.register(app)
    body_limits.register(app, components.settings)
    _observe_requests(app, app_metrics, components.model_load)
    keys = auth.Keys(components.settings.api_keys)
    components.reloader.add(keys.reloadable())
    cors.register(app, components.settings.cors_origins)
    auth.register(app, keys)
    admission.register(app, components.settings.threads + admission.SPARE_REQUESTS)
    for blueprint in (
        search.routes(components, app_metrics),
        documents.routes(components),
        dialects.routes(components, app_metrics),
        embeddings.routes(components),
        predict.routes(components),
        indexes.routes(components),
        models.routes(components, keys),
        admin.routes(components.reloader, keys),
        probes.routes(components, breaker),
        info.routes(components),
        weaviate_probes.routes(components),
        metrics.routes(app_metrics, components.model_load),
        openapi.routes(app),
        page.routes(app),
    ):
        app.register_blueprint(blueprint)
    if breaker is not None:
        install_proxy(app, components, app_metrics, breaker, keys)
    if components.settings.path_prefix:
        app.wsgi_app = PathPrefix(app.wsgi_app, components.settings.path_prefix)  # type: ignore[method-assign]
    app.wsgi_app = BrowserRequests(app.wsgi_app, keys, components.settings)  # type: ignore[method-assign]
    return app


class _Json(DefaultJSONProvider):
    """JSON in UTF-8 with keys in insertion order. Escapes lone surrogates, which an error message may quote."""

    ensure_ascii = False
    sort_keys = False
    compact = True

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return LONE_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", super().dumps(obj, **kwargs))


def _observe_requests(app: Flask, app_metrics: metrics.Metrics, model_load: Callable[[], ModelLoad]) -> None:
    """Measures and logs every response of *app*. The log never contains queries."""

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        seconds = time.perf_counter() - g.started
        route = request.url_rule.rule if request.url_rule else "none"
        app_metrics.observe_request(route, request.method, response.status_code, seconds)
        app_metrics.observe_load(model_load())
        level = logging.DEBUG if request.endpoint in _POLLED_ENDPOINTS and response.status_code < 400 else logging.INFO
        _log.log(
            level,
            "method=%s path=%s status=%d ms=%.1f bytes=%s",
            request.method,
            request.path.encode("unicode_escape").decode(),
            response.status_code,
            seconds * 1000,
            response.content_length,
        )
        return response
