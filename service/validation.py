"""Validation of JSON values, with error messages that name the key, the rule and the received value."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rerank.core.errors import InvalidRequest

M = TypeVar("M", bound=BaseModel)

MAX_SHOWN = 60
"""Number of characters of a client's value that a message quotes."""

_RULES = {
    "int_type": "must be an integer",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_parsing": "must be an integer",
    "int_from_float": "must be an integer",
    "int_parsing_size": "must be an integer",
    "string_type": "must be a string",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "string_too_short": "must not be empty",
}
"""Rules by pydantic's error type."""


def validate_body(model: type[M], body: Mapping[str, Any]) -> M:
    """Returns *body* as a *model*. Raises InvalidRequest for the first error, with its key in `field`."""
    try:
        return model.model_validate(body)
    except ValidationError as exc:
        raise _invalid_request(model, exc) from exc


def check_unicode(value: object, field: str) -> None:
    """Raises InvalidRequest for a string in *value* with a lone surrogate, which stores and models cannot encode."""
    steps = _invalid_string(value)
    if steps is not None:
        path = field + _suffix(reversed(steps))
        shown = path.encode("ascii", "backslashreplace").decode()
        raise InvalidRequest(f'"{shown}" is not valid Unicode: a lone surrogate', field=shown)


def _invalid_string(value: object) -> list[int | str] | None:
    """Returns the steps to the first string of *value* that is not valid Unicode, last step first, or None.

    Builds no path before it finds one: paths of many values below a long key would take quadratic time.
    """
    if isinstance(value, str):
        return None if _is_unicode(value) else []
    members: Iterable[tuple[int | str, object]] = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    for step, member in members:
        if isinstance(step, str) and not _is_unicode(step):
            return []
        steps = _invalid_string(member)
        if steps is not None:
            return [*steps, step]
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def quoted(text: str) -> str:
    """Returns *text* as a JSON string, shortened for a message."""
    return json.dumps(text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…", ensure_ascii=False)


def describe_value(value: object) -> str:
    """Returns *value* as a message shows it: scalars as JSON, containers by their type."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 64:
        return "an integer of more than 64 bits"
    return json.dumps(value)


def _invalid_request(model: type[BaseModel], error: ValidationError) -> InvalidRequest:
    # Unknown keys come first: a misspelled key is the likeliest cause of a missing one.
    problems = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
    problem = problems[0]
    field = _path(problem["loc"])
    if problem["type"] == "extra_forbidden":
        return InvalidRequest(_unknown_key(field, problem["loc"], model), field=field)
    if problem["type"] == "string_unicode":
        name = quoted(field) if field else "the request body"
        return InvalidRequest(f"{name} is not valid Unicode: a lone surrogate", field=field or None)
    if problem["type"] == "missing":
        return InvalidRequest(f"{quoted(field)} is required", field=field)
    return InvalidRequest(f"{quoted(field)} {_broken_rule(problem)}", field=field)


def _broken_rule(problem: ErrorDetails) -> str:
    limits = problem.get("ctx", {})
    match problem["type"]:
        case "greater_than_equal":
            rule = f"must be at least {limits['ge']:,}"
        case "less_than_equal":
            rule = f"must be at most {limits['le']:,}"
        case "literal_error":
            rule = f"must be one of {limits['expected']}"
        case "too_long":
            return f"must have at most {limits['max_length']:,} items, got {limits['actual_length']:,}"
        case "string_too_long":
            return f"must have at most {limits['max_length']:,} characters, got {len(problem['input']):,}"
        case "too_short":
            return "must not be empty"
        case kind:
            rule = _RULES.get(kind) or f"is invalid ({problem['msg']})"
    return f"{rule}, got {describe_value(problem['input'])}"


def _unknown_key(field: str, location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    keys = _known_keys(model, location)
    nearest = difflib.get_close_matches(str(location[-1])[:MAX_SHOWN], keys, n=1)
    hint = f"Did you mean {quoted(nearest[0])}?" if nearest else f"Known keys: {', '.join(keys)}"
    return f"unknown key {quoted(field)}. {hint}"


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Returns the keys of the object that contains the last member of *location*."""
    for step in location[:-1]:
        if isinstance(step, str):
            field = next(field for name, field in model.model_fields.items() if step in (name, field.alias))
            model = next(kind for kind in get_args(field.annotation) if issubclass(kind, BaseModel))
    return [field.alias or name for name, field in model.model_fields.items()]


def _path(location: Iterable[int | str]) -> str:
    return _suffix(location).removeprefix(".")


def _suffix(location: Iterable[int | str]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
