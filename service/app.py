"""The Flask application: every resource, over the components it is given."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider

from rerank.core.model_load import ModelLoad
from rerank.service import (
    auth,
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
from rerank.service.components import Components
from rerank.service.dialects import routes as dialects
from rerank.service.proxy.address import is_server
from rerank.service.proxy.mount import mount
from rerank.service.proxy.search.breaker import Breaker

_log = logging.getLogger(__name__)
_SURROGATE = re.compile("[\ud800-\udfff]")

_MEGABYTE = 1 << 20
_QUIET = frozenset({"probes.health", "probes.ready", "metrics.exposition", "static"})
"""Asked all the time, and of no interest while they go well."""


def create_app(components: Components) -> Flask:
    """The application over *components*, which may still be loading; nothing is kept outside the two."""
    app = Flask(__name__)
    app.json = _Json(app)
    app.config["MAX_CONTENT_LENGTH"] = components.settings.max_body_mb * _MEGABYTE
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    measured = metrics.Metrics()
    breaker = Breaker() if is_server(components.settings.store) else None
    errors.register(app)
    _watch(app, measured, components.model_load)
    auth.register(app, components.settings.api_keys)
    for blueprint in (
        search.routes(components, measured),
        documents.routes(components),
        dialects.routes(components, measured),
        predict.routes(components),
        indexes.routes(components),
        models.routes(components),
        probes.routes(components, breaker),
        weaviate_probes.routes(components),
        info.routes(components),
        metrics.routes(measured, components.model_load),
        openapi.routes(openapi.describe()),
        page.routes(app),
    ):
        app.register_blueprint(blueprint)
    if breaker is not None:
        mount(app, components, measured, breaker)
    return app


class _Json(DefaultJSONProvider):
    """UTF-8 as it is, keys in their order. A lone surrogate, which a message may quote, is escaped."""

    ensure_ascii = False
    sort_keys = False
    compact = True

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", super().dumps(obj, **kwargs))


def _watch(app: Flask, measured: metrics.Metrics, load: Callable[[], ModelLoad]) -> None:
    """Measure and log every answer: what was asked for, never the words."""

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        seconds = time.perf_counter() - g.started
        route = request.url_rule.rule if request.url_rule else "none"
        measured.observe_request(route, request.method, response.status_code, seconds)
        measured.observe_load(load())
        level = logging.DEBUG if request.endpoint in _QUIET and response.status_code < 400 else logging.INFO
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
