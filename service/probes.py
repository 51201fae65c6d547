"""GET /health and /ready: does the process live, and can it serve?"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from core.errors import StoreError, StoreUnavailable
from service.components import Components
from service.errors import RETRY_AFTER_SECONDS, error_body


def routes(components: Components) -> Blueprint:
    """The two questions that whoever runs the service asks."""
    blueprint = Blueprint("probes", __name__)

    @blueprint.get("/health")
    def health() -> Response:
        return jsonify({"status": "ok"})

    @blueprint.get("/ready")
    def ready() -> Response:
        missing = _missing(components)
        if not missing:
            return jsonify({"status": "ready", "missing": []})
        body = error_body(f"not ready: {'; '.join(missing)}", StoreUnavailable.error_type)
        response = jsonify({**body, "status": "not ready", "missing": missing})
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response

    return blueprint


def _missing(components: Components) -> list[str]:
    missing = components.missing()
    if components.store.missing is None:
        try:
            components.store.get().ping()
        except StoreError as exc:
            missing.insert(0, exc.message)
    return missing
