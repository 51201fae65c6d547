"""GET /openapi.json: the OpenAPI document, derived from the routes and from the models of their bodies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, jsonify
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from rerank.service.api_blueprint import ApiBlueprint, Operation, operations_of
from rerank.service.info import service_version
from rerank.service.patterns import PATH_PARAMETER
from rerank.service.response_models import ErrorBody

_REFERENCE = "#/components/schemas/{model}"


def routes(app: Flask) -> ApiBlueprint:
    """Returns the route of the document, which describes every operation of *app*."""
    blueprint = ApiBlueprint("openapi")

    @cache
    def document() -> dict[str, Any]:
        return describe(operations_of(app))

    @blueprint.operation(Operation("GET", "/openapi.json", "Get the OpenAPI document"))
    def openapi() -> Response:
        return jsonify(document())

    return blueprint


def describe(operations: Sequence[Operation]) -> dict[str, Any]:
    """Returns the OpenAPI 3.1 document of *operations*."""
    models: set[type[BaseModel]] = {ErrorBody}
    for operation in operations:
        models.update(model for model in (operation.body, operation.response) if model is not None)
    by_name = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema([(model, "validation") for model in by_name], ref_template=_REFERENCE)
    paths: dict[str, dict[str, object]] = {}
    for operation in operations:
        paths.setdefault(openapi_path(operation.path), {})[operation.method.lower()] = _operation_object(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rerank",
            "version": service_version(),
            "description": "Retrieve documents with a bi-encoder and rerank them with a cross-encoder.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{}, {"key": []}, {"bearer": []}],
    }


def openapi_path(rule: str) -> str:
    """Returns a Flask rule as an OpenAPI path: `<path:model>` becomes `{model}`."""
    return PATH_PARAMETER.sub(r"{\1}", rule)


def _operation_object(operation: Operation) -> dict[str, object]:
    result: dict[str, object] = {"summary": operation.summary, "responses": _responses(operation)}
    if parameters := [*_path_parameters(operation), *_query_parameters(operation)]:
        result["parameters"] = parameters
    if operation.body is not None:
        result["requestBody"] = {"required": True, "content": _json_content(operation.body)}
    return result


def _path_parameters(operation: Operation) -> list[dict[str, object]]:
    names = PATH_PARAMETER.findall(operation.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(operation: Operation) -> list[dict[str, object]]:
    if operation.query is None:
        return []
    schema = operation.query.model_json_schema(ref_template=_REFERENCE)
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": parameter}
        for name, parameter in schema["properties"].items()
    ]


def _responses(operation: Operation) -> dict[str, object]:
    success: dict[str, object] = {"description": HTTPStatus(operation.status).phrase}
    if operation.response is not None:
        success["content"] = _json_content(operation.response)
    elif operation.status != HTTPStatus.NO_CONTENT:
        success["content"] = {operation.content_type: {}}
    errors = {401, *operation.errors} | ({400} if operation.body or operation.query else set())
    failures = {
        str(status): {"description": HTTPStatus(status).phrase, "content": _json_content(ErrorBody)}
        for status in sorted(errors)
    }
    return {str(operation.status): success, **failures}


def _json_content(model: type[BaseModel]) -> dict[str, object]:
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}}}
