"""GET /health and /ready: does the process live, and can it serve?"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from rerank.core.errors import StoreError, StoreUnavailable
from rerank.service.components import Components
from rerank.service.errors import RETRY_AFTER_SECONDS, error_body
from rerank.service.proxy.search.breaker import Breaker


def routes(components: Components, breaker: Breaker | None = None) -> Blueprint:
    """The two questions that whoever runs the service asks. *breaker*: the proxy's, where there is one."""
    blueprint = Blueprint("probes", __name__)

    @blueprint.get("/health")
    def health() -> Response:
        return jsonify({"status": "ok"})

    @blueprint.get("/ready")
    def ready() -> Response:
        missing = _missing(components)
        if not missing:
            return jsonify({"status": "ready", "missing": [], **_state(breaker)})
        body = error_body(f"not ready: {'; '.join(missing)}", StoreUnavailable.error_type)
        response = jsonify({**body, "status": "not ready", "missing": missing, **_state(breaker)})
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response

    return blueprint


def _state(breaker: Breaker | None) -> dict[str, str]:
    """Searches through the proxy go on with an open breaker, so it is told and is no reason not to be ready."""
    return {} if breaker is None else {"breaker": str(breaker.state)}


def _missing(components: Components) -> list[str]:
    missing = components.missing()
    if components.store.missing is None:
        try:
            components.store.get().ping()
        except StoreError as exc:
            missing.insert(0, exc.message)
    return missing
