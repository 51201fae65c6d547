"""Responses to requests that never reach the application."""

from __future__ import annotations

import json
from http import HTTPStatus

from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException

from rerank.service.connections.client_socket import RequestTimeout
from rerank.service.errors import RETRY_AFTER_SECONDS, error_body, error_type_of


def refusal_status(error: ParseException) -> HTTPStatus:
    """Returns the status for a request that is malformed, too long or too slow."""
    if isinstance(error, RequestTimeout):
        return HTTPStatus.REQUEST_TIMEOUT
    if isinstance(error, LimitRequestLine):
        return HTTPStatus.REQUEST_URI_TOO_LONG
    if isinstance(error, LimitRequestHeaders):
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return HTTPStatus.BAD_REQUEST


def refusal_message(error: ParseException) -> str:
    """Returns the message for a request that is malformed, too long or too slow."""
    return str(error) if isinstance(error, RequestTimeout) else f"the request must be valid HTTP/1.1: {error}"


def refusal(status: HTTPStatus, message: str) -> bytes:
    """Returns a complete response with an error body, after which the connection closes."""
    body = json.dumps(error_body(message, error_type_of(status))).encode()
    retry = f"Retry-After: {RETRY_AFTER_SECONDS}\r\n" if status is HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n{retry}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
