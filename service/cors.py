"""Cross-origin requests of browsers (CORS): https://fetch.spec.whatwg.org/#http-cors-protocol.

Flask-CORS is not used: it wraps views by patterns of paths and reads its options from five places, and this service
needs one rule for all of its routes.
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed

ANY = "*"
MAX_AGE_SECONDS = 600
EXPOSED_HEADERS = (
    "Retry-After, x-rerank-applied, x-rerank-reason, x-rerank-model, x-rerank-took, x-rerank-ignored,"
    " x-rerank-truncated"
)


def register(app: Flask, origins: Sequence[str]) -> None:
    """Allows pages of *origins* (`*`: all) to call the routes of *app*. Without origins, browsers refuse such calls.

    A preflight request carries no API key, so this function must be called before authentication is registered.
    """
    if not origins:
        return

    @app.before_request
    def answer_preflight() -> Response | None:
        requested = request.headers.get("Access-Control-Request-Method")
        is_preflight = request.method == "OPTIONS" and requested is not None and _is_allowed(origins)
        # Werkzeug found the path, but no route for OPTIONS.
        if not is_preflight or not isinstance(request.routing_exception, MethodNotAllowed):
            return None
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = ", ".join(request.routing_exception.valid_methods or ())
        response.headers["Access-Control-Allow-Headers"] = request.headers.get("Access-Control-Request-Headers", "")
        response.headers["Access-Control-Max-Age"] = str(MAX_AGE_SECONDS)
        return response

    @app.after_request
    def allow_origin(response: Response) -> Response:
        if ANY not in origins:
            response.vary.add("Origin")
        if _is_allowed(origins):
            response.headers["Access-Control-Allow-Origin"] = ANY if ANY in origins else request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        return response


def _is_allowed(origins: Sequence[str]) -> bool:
    origin = request.headers.get("Origin")
    return origin is not None and (ANY in origins or origin in origins)
