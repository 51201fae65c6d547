"""Reading a request's body: JSON, strictly, and what to say when it is not what it should be."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, TypeVar, get_args

from flask import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import RequestEntityTooLarge

from rerank.core.errors import InvalidRequest
from rerank.service.compression import DecompressedTooLarge, InvalidGzip, decompress
from rerank.service.errors import HttpError

M = TypeVar("M", bound=BaseModel)

MAX_NESTING = 100
"""Objects and lists within each other: three times what OpenSearch's deepest filter needs, and far from the depth
at which walking a value would exhaust the stack."""

_SHOWN = 60

_KINDS = {
    "int_type": "is a whole number",
    "float_type": "is a number",
    "finite_number": "is a finite number",
    "bool_type": "is true or false",
    "string_type": "is a string",
    "list_type": "is a list",
    "dict_type": "is an object",
    "model_type": "is an object",
    "string_too_short": "has at least one character",
}
"""pydantic's names of what is wrong, as rules."""


def read_json_object(request: Request) -> dict[str, Any]:
    """The JSON object that *request* carries.

    Raises HttpError 415 for a body that is not JSON by its content type or is packed otherwise than by gzip, and
    InvalidRequest for one that is not a JSON object in UTF-8, that names a key twice, or that holds NaN, an infinite
    number or too much nesting.
    """
    if not request.is_json:
        raise HttpError(415, "the body is JSON: send it with the header Content-Type: application/json")
    try:
        text = _read_bytes(request).decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InvalidRequest(f"the body is not UTF-8: byte {exc.start} cannot be read") from exc
    value = _parse(text)
    if not isinstance(value, dict):
        raise InvalidRequest(f"the body is a JSON object, not {_kind(value)}")
    if text.count("[") + text.count("{") > MAX_NESTING:
        _check_nesting(value)
    return value


def validate_body(model: type[M], body: Mapping[str, Any]) -> M:
    """*body* as a *model*. Raises InvalidRequest for the first thing wrong with it, named in `field`."""
    try:
        return model.model_validate(body)
    except ValidationError as exc:
        raise _explained(model, exc) from exc


def check_unicode(value: object, field: str) -> None:
    """Raise InvalidRequest when a string anywhere in *value* holds a lone surrogate, which no store or model reads."""
    for place, part in _walk(value, field):
        if isinstance(part, str):
            try:
                part.encode()
            except UnicodeEncodeError as exc:
                shown = place.encode("ascii", "backslashreplace").decode()
                raise InvalidRequest(f'"{shown}" is not valid Unicode: a lone surrogate', field=shown) from exc


def _read_bytes(request: Request) -> bytes:
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise HttpError(415, "the body is compressed in a way that is not read here; send it as it is, or by gzip")
    sent = _sent(request)
    if encoding == "identity":
        return sent
    try:
        return decompress(sent, request.max_content_length or len(sent))
    except InvalidGzip as exc:
        raise InvalidRequest(f"the body is said to be gzip and is none ({exc})") from exc
    except DecompressedTooLarge as exc:
        raise RequestEntityTooLarge from exc


def _sent(request: Request) -> bytes:
    body = request.get_data(cache=False)
    # Werkzeug ends a body of no stated length at the limit, without a word; what is left tells a longer one.
    at_limit = request.content_length is None and len(body) == request.max_content_length
    if at_limit and request.environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge
    return body


def _parse(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as exc:
        raise InvalidRequest(f"the body is not JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}") from exc
    except RecursionError as exc:
        raise InvalidRequest(f"the body is nested more than {MAX_NESTING} levels deep") from exc
    except ValueError as exc:
        # Only whole numbers of more digits than Python converts are left.
        raise InvalidRequest("the body holds a number of thousands of digits") from exc


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidRequest(f"the key {_quoted(twice)} is there twice in one object", field=twice)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidRequest(f"the body is not JSON: {name} is no JSON number")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise InvalidRequest(f"the body holds a number that no double can: {literal[:_SHOWN]}")
    return number


def _check_nesting(value: object) -> None:
    level: list[object] = [value]
    for _ in range(MAX_NESTING):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise InvalidRequest(f"the body is nested more than {MAX_NESTING} levels deep")


def _children(value: object) -> list[object]:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [member for member in members if isinstance(member, dict | list)]


def _walk(value: object, place: str) -> Iterator[tuple[str, object]]:
    yield place, value
    if isinstance(value, dict):
        for key, member in value.items():
            yield place, key
            yield from _walk(member, f"{place}.{key}")
    elif isinstance(value, list):
        for i, member in enumerate(value):
            yield from _walk(member, f"{place}[{i}]")


def _explained(model: type[BaseModel], error: ValidationError) -> InvalidRequest:
    # An unknown key first: it is the likeliest cause of a missing one.
    problems = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
    problem = problems[0]
    field = _path(problem["loc"])
    if problem["type"] == "extra_forbidden":
        return InvalidRequest(_unknown(field, str(problem["loc"][-1]), _keys(model, problem["loc"])), field=field)
    if problem["type"] == "string_unicode":
        where = _quoted(field) if field else "the body"
        return InvalidRequest(f"a lone surrogate in {where}: it is not valid Unicode", field=field or None)
    if problem["type"] == "missing":
        return InvalidRequest(f"{_quoted(field)} is missing", field=field)
    return InvalidRequest(f"{_quoted(field)} {_rule(problem)}", field=field)


def _rule(problem: ErrorDetails) -> str:
    limits = problem.get("ctx", {})
    match problem["type"]:
        case "greater_than_equal":
            rule = f"is at least {limits['ge']:,}"
        case "less_than_equal":
            rule = f"is at most {limits['le']:,}"
        case "literal_error":
            rule = f"is one of {limits['expected']}"
        case "too_long":
            return f"has at most {limits['max_length']:,} members, not {limits['actual_length']:,}"
        case "too_short":
            return "is empty"
        case kind:
            rule = _KINDS.get(kind) or f"cannot be read ({problem['msg']})"
    return f"{rule}, not {_kind(problem['input'])}"


def _unknown(field: str, key: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(key[:_SHOWN], known, n=1, cutoff=0)
    return f"unknown key {_quoted(field)}; the nearest is {_quoted(nearest[0])} (all: {', '.join(known)})"


def _keys(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """The keys that the object holding the last member of *place* may have."""
    for step in place[:-1]:
        if isinstance(step, str):
            field = next(field for name, field in model.model_fields.items() if step in (name, field.alias))
            model = next(kind for kind in get_args(field.annotation) if issubclass(kind, BaseModel))
    return [field.alias or name for name, field in model.model_fields.items()]


def _path(place: tuple[int | str, ...]) -> str:
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in place]
    return "".join(steps).removeprefix(".")


def _quoted(text: str) -> str:
    return json.dumps(text if len(text) <= _SHOWN else text[:_SHOWN] + "…", ensure_ascii=False)


def _kind(value: object) -> str:
    """*value* as a message may show it: short, and in JSON's own words."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 64:
        return "a number of very many digits"
    return json.dumps(value)
