"""GET /health and GET /ready: liveness and readiness."""

from __future__ import annotations

from flask import Response, jsonify

from rerank.core.errors import StoreError, StoreUnavailable
from rerank.service.api_blueprint import ApiBlueprint, Operation
from rerank.service.components import Components
from rerank.service.errors import RETRY_AFTER_SECONDS, error_body
from rerank.service.path_redaction import without_paths
from rerank.service.proxy.search.circuit_breaker import CircuitBreaker
from rerank.service.response_models import HealthResponse, ReadyResponse


def routes(components: Components, breaker: CircuitBreaker | None = None) -> ApiBlueprint:
    """Returns the routes of both probes. *breaker*: the circuit breaker of the proxy, if there is one."""
    blueprint = ApiBlueprint("probes")

    @blueprint.operation(Operation("GET", "/health", "Check that the process is alive", response=HealthResponse))
    def health() -> Response:
        return jsonify({"status": "ok"})

    @blueprint.operation(
        Operation("GET", "/ready", "Check that the service is ready", response=ReadyResponse, errors=(503,))
    )
    def ready() -> Response:
        missing = _missing(components)
        if not missing:
            return jsonify({"status": "ready", "missing": [], **_breaker_state(breaker)})
        body = error_body(f"not ready: {'; '.join(missing)}", StoreUnavailable.error_type)
        response = jsonify({**body, "status": "not ready", "missing": missing, **_breaker_state(breaker)})
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response

    return blueprint


def _breaker_state(breaker: CircuitBreaker | None) -> dict[str, str]:
    """Returns the breaker's state. It does not affect readiness: with an open breaker, the proxy still forwards."""
    return {} if breaker is None else {"breaker": str(breaker.state)}


def _missing(components: Components) -> list[str]:
    missing = components.missing()
    if components.store.missing is None:
        try:
            components.store.get().ping()
        except StoreError as exc:
            missing.insert(0, exc.message)
    return [without_paths(reason) for reason in missing]
