"""Every error answer: one body, one place that knows which status an error has."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from rerank.core import errors

_log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 1

STATUS: dict[type[errors.RerankError], int] = {
    errors.RerankError: 500,
    errors.InvalidInput: 400,
    # A setting is the server's own matter, never the caller's.
    errors.SettingError: 500,
    errors.NotFound: 404,
    # As nginx has it: nobody is there to read the answer, but the log and the metrics are.
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
"""The status of each error; one that is not named has that of its nearest parent."""

_RETRIABLE = (429, 503)

_HTTP_ERROR_TYPES = {
    401: "Unauthorized",
    404: "NotFound",
    405: "MethodNotAllowed",
    413: "PayloadTooLarge",
    415: "UnsupportedMediaType",
}


class HttpError(Exception):
    """A refusal that HTTP itself has a status for, before any of our own errors could arise."""

    def __init__(self, status: int, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def status_of(error: errors.RerankError, statuses: Mapping[type[errors.RerankError], int] | None = None) -> int:
    """The HTTP status of *error*; *statuses* come before our own."""
    return next(table[kind] for table in (statuses or {}, STATUS) for kind in type(error).__mro__ if kind in table)


def error_body(message: str, error_type: str, *, field: str | None = None) -> dict[str, object]:
    """The body of every error: three keys say the same, because different clients read different ones."""
    body: dict[str, object] = {"error": message, "message": message, "detail": message, "error_type": error_type}
    if field is not None:
        body["field"] = field
    return body


@dataclass(frozen=True)
class ErrorResponse:
    """An error as it is answered."""

    status: int
    body: dict[str, object]
    headers: dict[str, str]


def error_response(
    error: errors.RerankError | HttpError, statuses: Mapping[type[errors.RerankError], int] | None = None
) -> ErrorResponse:
    """What *error* is answered with, in Flask and beside it, by *statuses* before our own.

    What is the server's own matter is logged.
    """
    if isinstance(error, HttpError):
        error_type = _HTTP_ERROR_TYPES.get(error.status, "Validation")
        return ErrorResponse(error.status, error_body(error.message, error_type), error.headers)
    status = status_of(error, statuses)
    if status >= 500:
        _log.error("%s: %s", type(error).__name__, error.message, exc_info=error)
    field = error.field if isinstance(error, errors.InvalidRequest) else None
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status in _RETRIABLE else {}
    return ErrorResponse(status, error_body(error.message, error.error_type, field=field), headers)


def register(app: Flask) -> None:
    """Answer every error of *app* with our body."""
    app.register_error_handler(errors.RerankError, refusal)
    app.register_error_handler(HttpError, _http_error)
    app.register_error_handler(HTTPException, _werkzeug)
    app.register_error_handler(Exception, _unexpected)


def refusal(error: errors.RerankError, statuses: Mapping[type[errors.RerankError], int] | None = None) -> Response:
    """The answer to a request that ended in *error*, with the status that *statuses* have for it, or our own."""
    return _answer(error_response(error, statuses))


def _http_error(error: HttpError) -> Response:
    return _answer(error_response(error))


def _answer(refusal: ErrorResponse) -> Response:
    response = jsonify(refusal.body)
    response.status_code = refusal.status
    response.headers.update(refusal.headers)
    return response


def _werkzeug(error: HTTPException) -> Response:
    status = error.code or 500
    original = error.get_response(request.environ)
    if status < 400:
        return Response(original.get_data(), status, original.headers.items())
    response = jsonify(error_body(_sentence(status, error), _HTTP_ERROR_TYPES.get(status, "Validation")))
    response.status_code = status
    for name in ("Allow", "Retry-After"):
        if name in original.headers:
            response.headers[name] = original.headers[name]
    return response


def _sentence(status: int, error: HTTPException) -> str:
    if status == 404:
        return f"nothing is at {request.path}; GET /openapi.json lists what there is"
    if status == 405:
        return f"{request.path} does not take {request.method}; GET /openapi.json lists what it takes"
    if status == 413:
        limit = (request.max_content_length or 0) >> 20
        return f"the body is larger than {limit} MB; send less at once, or raise the setting max_body_mb"
    return error.description or error.name


def _unexpected(error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.path, exc_info=error)
    message = "the service failed unexpectedly; its log says where"
    response = jsonify(error_body(message, errors.RerankError.error_type))
    response.status_code = 500
    return response
