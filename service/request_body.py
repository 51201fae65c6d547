"""Reading of request bodies: one JSON object, checked strictly."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from flask import Request
from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import RequestEntityTooLarge

from rerank.core.errors import InvalidRequest, RequestCancelled
from rerank.service.admission import admit
from rerank.service.compression import DecompressedTooLarge, InvalidGzip, decompress
from rerank.service.connections.refusal import refusal_message, refusal_status
from rerank.service.errors import HttpError
from rerank.service.json_limits import JsonLimits
from rerank.service.validation import MAX_SHOWN, describe_value, quoted


def read_json_object(request: Request) -> dict[str, Any]:
    """Returns the JSON object in the body of *request*.

    Raises HttpError 415 for another content type or an unsupported compression. Raises InvalidRequest for a body that
    is not a JSON object in UTF-8, repeats a key, contains NaN or an infinite number, or exceeds JsonLimits. Raises
    HttpError 400 for malformed chunks, 408 for a body that does not arrive in time, and the errors of admit().
    """
    if not request.is_json:
        raise HttpError(415, "the request body must be JSON. Set the header Content-Type: application/json")
    data = _read_bytes(request)
    rule = JsonLimits.of_body(request.max_content_length or len(data)).exceeded_by(data)
    if rule is not None:
        raise InvalidRequest(f"the request body {rule}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InvalidRequest(f"the request body must be UTF-8, got an invalid byte at position {exc.start}") from exc
    value = _parse(text)
    if not isinstance(value, dict):
        raise InvalidRequest(f"the request body must be a JSON object, got {describe_value(value)}")
    return value


def _read_bytes(request: Request) -> bytes:
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise HttpError(415, f"Content-Encoding must be gzip or identity, got {quoted(encoding)}")
    try:
        raw = _raw_bytes(request)
    except ParseException as exc:
        raise HttpError(refusal_status(exc), refusal_message(exc)) from exc
    except NoMoreData as exc:
        raise RequestCancelled("the client disconnected before its body was complete") from exc
    admit()
    if encoding == "identity":
        return raw
    try:
        return decompress(raw, request.max_content_length or len(raw))
    except InvalidGzip as exc:
        raise InvalidRequest(f"the request body must be one complete gzip member: {exc}") from exc
    except DecompressedTooLarge as exc:
        raise RequestEntityTooLarge from exc


def _raw_bytes(request: Request) -> bytes:
    body = request.get_data(cache=False)
    # Without a Content-Length, Werkzeug silently cuts the body at the limit. Remaining input reveals a longer body.
    at_limit = request.content_length is None and len(body) == request.max_content_length
    if at_limit and request.environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge
    return body


def _parse(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as exc:
        raise InvalidRequest(
            f"the request body is not valid JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}"
        ) from exc
    except ValueError as exc:
        # The only other ValueError is an integer with more digits than Python converts.
        raise InvalidRequest("the request body contains an integer with too many digits") from exc


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        duplicate = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidRequest(f"duplicate key {quoted(duplicate)} in one object", field=duplicate)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidRequest(f"the request body is not valid JSON: {name} is not a JSON number")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise InvalidRequest(f"the request body contains a number out of range: {literal[:MAX_SHOWN]}")
    return number
