"""GET /, the search page, and GET /docs, the HTTP reference. The pages load no content from other hosts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import get_args

from flask import Flask, Response, render_template
from pydantic import BaseModel, RootModel

from rerank.service.api_blueprint import ApiBlueprint, Operation, operations_of
from rerank.service.info import service_version
from rerank.service.openapi import openapi_path

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Key:
    """A key of a request body or a parameter of a query string."""

    name: str
    required: bool
    description: str


@dataclass(frozen=True)
class Section:
    """An operation as /docs shows it."""

    title: str
    summary: str
    keys: tuple[Key, ...]


def routes(app: Flask) -> ApiBlueprint:
    """Returns the routes of both pages, and adds the security headers of a page to the responses of *app*."""
    blueprint = ApiBlueprint("page")

    @blueprint.operation(Operation("GET", "/", "Get the search page", content_type="text/html"))
    def page() -> Response:
        return _html("page.html")

    @blueprint.operation(Operation("GET", "/docs", "Get this reference", content_type="text/html"))
    def docs() -> Response:
        return _html("docs.html", sections=sections(operations_of(app)), version=service_version())

    def _html(template: str, **values: object) -> Response:
        return Response(render_template(template, **values), content_type="text/html; charset=utf-8")

    @app.after_request
    def add_security_headers(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        if response.mimetype == "text/html":
            response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
            response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return blueprint


def sections(operations: list[Operation]) -> Iterator[Section]:
    """Yields one section per operation. A union of bodies, such as the rerank dialects, is listed once."""
    listed: set[type[BaseModel]] = set()
    for operation in operations:
        model = operation.body or operation.query
        keys = () if model is None or model in listed else tuple(_keys(model))
        if model is not None and issubclass(model, RootModel):
            listed.add(model)
        yield Section(f"{operation.method} {openapi_path(operation.path)}", operation.summary, keys)


def _keys(model: type[BaseModel]) -> Iterator[Key]:
    if issubclass(model, RootModel):
        for body in get_args(model.model_fields["root"].annotation):
            prefix = body.__name__.removesuffix("Body")
            yield from (Key(key.name, key.required, f"{prefix}: {key.description}") for key in _keys(body))
        return
    for name, field in model.model_fields.items():
        key = field.alias or name
        yield Key(key, field.is_required(), field.description or "")
        for inner in get_args(field.annotation):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from (replace(part, name=f"{key}.{part.name}") for part in _keys(inner))
