"""GET /: the page with the search box; GET /docs: the interface, readable. Both work without any other server."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, render_template

from rerank.service.info import service_version
from rerank.service.openapi import operations

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def routes(app: Flask) -> Blueprint:
    """The two pages, and the headers that keep a browser from loading anything into them."""
    blueprint = Blueprint("page", __name__)

    @blueprint.get("/")
    def page() -> Response:
        return _html("page.html")

    @blueprint.get("/docs")
    def docs() -> Response:
        return _html("docs.html", operations=operations(), version=service_version())

    def _html(template: str, **values: object) -> Response:
        return Response(render_template(template, **values), content_type="text/html; charset=utf-8")

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        if response.mimetype == "text/html":
            response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
            response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return blueprint
