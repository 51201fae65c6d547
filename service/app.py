"""The Flask application."""

from __future__ import annotations

import time

from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider

from service import auth, documents, errors, indexes, info, metrics, models, openapi, page, probes, rerank, search
from service.components import Components

UNMATCHED = "unmatched"


def create_app(components: Components) -> Flask:
    """The service over *components*, which may still be loading: /ready says when they are there."""
    app = Flask("service")
    app.json = _json(app)
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = components.settings.max_body_mb << 20
    measures = metrics.Metrics()
    _count(app, measures)
    errors.register(app)
    auth.register(app, components.settings.api_keys)
    description = openapi.describe()
    for blueprint in (
        search.routes(components, measures),
        rerank.routes(components, measures),
        documents.routes(components),
        indexes.routes(components),
        models.routes(components),
        probes.routes(components),
        info.routes(components),
        metrics.routes(measures),
        openapi.routes(description),
        page.routes(app, description),
    ):
        app.register_blueprint(blueprint)
    return app


def _json(app: Flask) -> DefaultJSONProvider:
    provider = DefaultJSONProvider(app)
    provider.ensure_ascii = False
    provider.sort_keys = False
    provider.compact = True
    return provider


def _count(app: Flask, measures: metrics.Metrics) -> None:
    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else UNMATCHED
        measures.observe_request(route, response.status_code, time.perf_counter() - g.started)
        return response
