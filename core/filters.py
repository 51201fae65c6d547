"""Filters: the part of OpenSearch's query language that all stores support.

term, terms, range, exists, prefix and bool (must, should, must_not, filter), over `metadata.*` fields. This module
parses a clause once; each store compiles the parsed form to its own language. A field that no document has matches
nothing. A field with several values matches if one of them does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import TypeVar

from rerank.core.document import Scalar
from rerank.core.errors import InvalidFilter

MAX_CLAUSES = 512
"""Maximum number of clauses of a filter. OpenSearch allows 1,024 in a query, which also contains the words."""

MAX_VALUES = 65_536
"""Maximum number of values in all terms clauses of a filter: the limit of OpenSearch for one clause."""

MAX_DEPTH = 20
"""Maximum nesting of bool clauses."""

T = TypeVar("T", bound=Scalar)

_PREFIX = "metadata."
_BOUNDS = ("gt", "gte", "lt", "lte")


@dataclass(frozen=True, slots=True)
class Terms:
    """Clause that requires one of the values. A `term` clause has one value."""

    field: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """Clause that requires a value within all bounds: a subset of gt, gte, lt, lte."""

    field: str
    bounds: tuple[tuple[str, str | int | float], ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """Clause that requires any value."""

    field: str


@dataclass(frozen=True, slots=True)
class Prefix:
    """Clause that requires a string value with this prefix."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Bool:
    """Clause that requires all of `must`, at least `minimum_should` of `should`, and none of `must_not`."""

    must: tuple[Filter, ...] = ()
    should: tuple[Filter, ...] = ()
    must_not: tuple[Filter, ...] = ()
    minimum_should: int = 0


Filter = Terms | Range | Exists | Prefix | Bool


def parse_filter(clause: object, *, where: str = "filter") -> Filter:
    """Returns the filter for its JSON form. Raises InvalidFilter; its `field` is the path of the invalid clause."""
    return _Parser().parse(clause, where)


def too_many_clauses(where: str) -> InvalidFilter:
    """Returns the error for a filter with more than MAX_CLAUSES clauses. *where* is the path of one of them."""
    return InvalidFilter(f"{where}: a filter must have at most {MAX_CLAUSES} clauses. Merge or drop some", field=where)


class _Parser:
    def __init__(self) -> None:
        self._clauses = 0
        self._values = 0
        self._depth = 0

    def parse(self, clause: object, where: str) -> Filter:
        self._clauses += 1
        if self._clauses > MAX_CLAUSES:
            raise too_many_clauses(where)
        name, body = _single(clause, where, "a filter must be an object with one clause")
        path = f"{where}.{name}"
        match name:
            case "term":
                return self._term(body, path)
            case "terms":
                return self._terms(body, path)
            case "range":
                return self._range(body, path)
            case "exists":
                return self._exists(body, path)
            case "prefix":
                return self._prefix(body, path)
            case "bool":
                return self._nested(body, path)
        raise InvalidFilter(
            f'{where}: unknown filter clause "{name}". Use term, terms, range, exists, prefix or bool',
            field=path,
        )

    def _term(self, body: object, where: str) -> Terms:
        name, value = _single(body, where, 'a term clause must be {"metadata.FIELD": value}')
        if isinstance(value, Mapping):
            value = _only(value, "value", where)
        return Terms(_field(name, where), (_scalar(value, where),))

    def _terms(self, body: object, where: str) -> Terms:
        name, values = _single(body, where, 'a terms clause must be {"metadata.FIELD": [values]}')
        if not isinstance(values, list):
            raise InvalidFilter(f"{where}: the values must be a list", field=where)
        self._values += len(values)
        if self._values > MAX_VALUES:
            raise InvalidFilter(
                f"{where}: the terms clauses of a filter must have at most {MAX_VALUES:,} values in total", field=where
            )
        return Terms(_field(name, where), tuple(_scalar(value, where) for value in values))

    def _range(self, body: object, where: str) -> Range:
        name, bounds = _single(body, where, 'a range clause must be {"metadata.FIELD": {"gte": …}}')
        if not isinstance(bounds, Mapping) or not bounds:
            raise InvalidFilter(f"{where}: the bounds must be an object with gt, gte, lt or lte", field=where)
        parsed: list[tuple[str, str | int | float]] = []
        for bound, value in bounds.items():
            if bound not in _BOUNDS:
                raise InvalidFilter(f'{where}: unknown bound "{bound}". Use gt, gte, lt or lte', field=where)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise InvalidFilter(f'{where}: the bound "{bound}" must be a number or a string', field=where)
            parsed.append((bound, _valid(value, where)))
        return Range(_field(name, where), tuple(parsed))

    def _exists(self, body: object, where: str) -> Exists:
        if not isinstance(body, Mapping):
            raise InvalidFilter(f'{where}: an exists clause must be {{"field": "metadata.FIELD"}}', field=where)
        name = _only(body, "field", where)
        if not isinstance(name, str):
            raise InvalidFilter(f'{where}: "field" must be a string', field=where)
        return Exists(_field(name, where))

    def _prefix(self, body: object, where: str) -> Prefix:
        name, value = _single(body, where, 'a prefix clause must be {"metadata.FIELD": "start"}')
        if isinstance(value, Mapping):
            value = _only(value, "value", where)
        if not isinstance(value, str):
            raise InvalidFilter(f"{where}: the prefix must be a string", field=where)
        return Prefix(_field(name, where), _valid(value, where))

    def _nested(self, body: object, where: str) -> Bool:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidFilter(f"bool clauses of a filter must be nested at most {MAX_DEPTH} deep", field="filter")
        parsed = self._bool(body, where)
        self._depth -= 1
        return parsed

    def _bool(self, body: object, where: str) -> Bool:
        if not isinstance(body, Mapping):
            raise InvalidFilter(f"{where}: a bool clause must be an object", field=where)
        parts: dict[str, tuple[Filter, ...]] = {}
        for key, value in body.items():
            if key == "minimum_should_match":
                continue
            if key not in ("must", "should", "must_not", "filter"):
                raise InvalidFilter(
                    f'{where}: unknown key "{key}". Use must, should, must_not, filter or minimum_should_match',
                    field=f"{where}.{key}",
                )
            clauses = value if isinstance(value, list) else [value]
            parts[key] = tuple(self.parse(clause, f"{where}.{key}") for clause in clauses)
        must = parts.get("must", ()) + parts.get("filter", ())
        should = parts.get("should", ())
        default = 1 if should and not must else 0
        return Bool(must, should, parts.get("must_not", ()), _minimum(body, default, where))


def _minimum(body: Mapping[str, object], default: int, where: str) -> int:
    minimum = body.get("minimum_should_match", default)
    if isinstance(minimum, bool) or not isinstance(minimum, int) or minimum < 0:
        raise InvalidFilter(
            f"{where}: minimum_should_match must be an integer, 0 or more", field=f"{where}.minimum_should_match"
        )
    return minimum


def _single(body: object, where: str, rule: str) -> tuple[str, object]:
    if not isinstance(body, Mapping) or len(body) != 1:
        raise InvalidFilter(f"{where}: {rule}", field=where)
    return next(iter(body.items()))


def _only(body: Mapping[str, object], key: str, where: str) -> object:
    if set(body) != {key}:
        raise InvalidFilter(f'{where}: the object must have only the key "{key}"', field=where)
    return body[key]


def _field(name: str, where: str) -> str:
    """Returns the name of the metadata field without the prefix `metadata.`."""
    if not name.startswith(_PREFIX) or name == _PREFIX:
        raise InvalidFilter(f'{where}: "{name}" is not a metadata field. Use "metadata.FIELD"', field=where)
    return _valid(name, where).removeprefix(_PREFIX)


def _scalar(value: object, where: str) -> Scalar:
    if not isinstance(value, str | int | float | bool):
        raise InvalidFilter(f"{where}: a value must be a string, a number or a boolean", field=where)
    return _valid(value, where)


def _valid(value: T, where: str) -> T:
    """Returns *value*.

    Raises InvalidFilter for a number that is not finite, and for text with NUL or a lone surrogate, which no document
    contains.
    """
    if isinstance(value, float) and not isfinite(value):
        raise InvalidFilter(f"{where}: a number must be finite", field=where)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as exc:
            raise InvalidFilter(f"{where}: a value is not valid Unicode (lone surrogate)", field=where) from exc
        if "\0" in value:
            raise InvalidFilter(f"{where}: a value must not contain a NUL character. Remove it", field=where)
    return value
