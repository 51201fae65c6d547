"""Error responses: the HTTP status of each error, and the body that all errors share."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from rerank.core import errors
from rerank.core.redaction import redacted
from rerank.service.body_limits import limiting_setting
from rerank.service.path_redaction import without_paths

_log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 1

STATUS: dict[type[errors.RerankError], int] = {
    errors.RerankError: 500,
    errors.InvalidInput: 400,
    # Settings belong to the server: an invalid setting is never the client's error.
    errors.SettingError: 500,
    errors.NotFound: 404,
    # nginx's code for a closed connection. No client reads it, but the log and the metrics do.
    errors.RequestCancelled: 499,
    errors.IndexConflict: 409,
    errors.EncoderMismatch: 409,
    errors.StoreError: 502,
    errors.StoreUnavailable: 503,
    errors.StoreTimeout: 504,
    errors.StoreFull: 507,
    errors.StoreAnswerInvalid: 502,
    errors.ModelError: 500,
    errors.ModelInvalid: 503,
    errors.ModelUnavailable: 503,
    errors.ModelOverloaded: 429,
    errors.TrainingFailed: 500,
}
"""HTTP status by error class; a class that is not listed has the status of its nearest base class."""

_RETRIABLE = (429, 503)

_HTTP_ERROR_TYPES = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    413: "PayloadTooLarge",
    415: "UnsupportedMediaType",
    503: "Overloaded",
}


def error_type_of(status: int) -> str:
    """Returns the error type of an error that HTTP itself defines."""
    return _HTTP_ERROR_TYPES.get(status, "Validation")


class HttpError(Exception):
    """An error of HTTP itself, such as a missing key, raised before the request is processed."""

    def __init__(self, status: int, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def status_of(error: errors.RerankError, statuses: Mapping[type[errors.RerankError], int] | None = None) -> int:
    """Returns the HTTP status of *error*. *statuses* override STATUS."""
    return next(table[kind] for table in (statuses or {}, STATUS) for kind in type(error).__mro__ if kind in table)


def error_body(message: str, error_type: str, *, field: str | None = None) -> dict[str, object]:
    """Returns the JSON body of an error. Three keys hold the same message, because clients read different ones."""
    message = redacted(message)
    body: dict[str, object] = {"error": message, "message": message, "detail": message, "error_type": error_type}
    if field is not None:
        body["field"] = field
    return body


@dataclass(frozen=True)
class ErrorResponse:
    """The status, JSON body and headers of an error response."""

    status: int
    body: dict[str, object]
    headers: dict[str, str]


def error_response(
    error: errors.RerankError | HttpError, statuses: Mapping[type[errors.RerankError], int] | None = None
) -> ErrorResponse:
    """Returns the response for *error*, for Flask and for the proxy. *statuses* override STATUS.

    Logs errors of the server (status 500 and above).
    """
    if isinstance(error, HttpError):
        error_type = error_type_of(error.status)
        return ErrorResponse(error.status, error_body(error.message, error_type), error.headers)
    status = status_of(error, statuses)
    if status >= 500:
        _log.error("%s: %s", type(error).__name__, error.message, exc_info=error)
    field = error.field if isinstance(error, errors.InvalidRequest) else None
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status in _RETRIABLE else {}
    # Invalid requests and unknown names quote the client's own text.
    is_clients_text = isinstance(error, errors.InvalidRequest | errors.NotFound)
    message = error.message if is_clients_text else without_paths(error.message)
    return ErrorResponse(status, error_body(message, error.error_type, field=field), headers)


def register(app: Flask) -> None:
    """Registers handlers that return every error of *app* in the shared body."""
    app.register_error_handler(errors.RerankError, flask_error_response)
    app.register_error_handler(HttpError, flask_error_response)
    app.register_error_handler(HTTPException, _werkzeug_error)
    app.register_error_handler(Exception, _unexpected_error)


def flask_error_response(
    error: errors.RerankError | HttpError, statuses: Mapping[type[errors.RerankError], int] | None = None
) -> Response:
    """Returns the Flask response for *error*. *statuses* override STATUS."""
    content = error_response(error, statuses)
    response = jsonify(content.body)
    response.status_code = content.status
    response.headers.update(content.headers)
    return response


def _werkzeug_error(error: HTTPException) -> Response:
    status = error.code or 500
    original = error.get_response(request.environ)
    if status < 400:
        return Response(original.get_data(), status, original.headers.items())
    response = jsonify(error_body(_werkzeug_message(status, error), error_type_of(status)))
    response.status_code = status
    for name in ("Allow", "Retry-After"):
        if name in original.headers:
            response.headers[name] = original.headers[name]
    return response


def _werkzeug_message(status: int, error: HTTPException) -> str:
    if status == 404:
        return f"no such path: {request.path}. GET /openapi.json lists all paths"
    if status == 405:
        return f"{request.path} does not support {request.method}. GET /openapi.json lists all methods"
    if status == 413:
        limit, setting = (request.max_content_length or 0) >> 20, limiting_setting(request.endpoint)
        return f"the request body must not exceed {limit} MB. Send a smaller body, or raise {setting}"
    return error.description or error.name


def _unexpected_error(error: Exception) -> Response:
    _log.error("unexpected error method=%s path=%s", request.method, request.path, exc_info=error)
    response = jsonify(error_body("unexpected error. See the service log", errors.RerankError.error_type))
    response.status_code = 500
    return response
