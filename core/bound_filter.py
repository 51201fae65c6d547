"""Bound filters: parsed filters whose values have the types of their fields.

Both stores compile the bound form, so that comparisons of `"5"` with a number, of a number with a string and of a day
with an instant have the same result on each. The rules are OpenSearch's: a day is the range of its instants, so `lte`
includes the whole day and `gt` starts after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import assert_never

from rerank.core.document import Scalar
from rerank.core.errors import InvalidFilter
from rerank.core.filters import Bool, Exists, Filter, Prefix, Range, Terms
from rerank.core.metadata import FieldType, MetadataSchema, parse_date

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MILLIS = 86_400_000


@dataclass(frozen=True, slots=True)
class MatchNone:
    """Filter that matches no document, for a field that no document has."""


@dataclass(frozen=True, slots=True)
class BoundTerms:
    """Filter for documents whose field has one of the values."""

    field: str
    type: FieldType
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class BoundRange:
    """Filter for documents whose field has a value within the bounds: numbers, strings, or epoch milliseconds."""

    field: str
    type: FieldType
    bounds: tuple[tuple[str, str | float], ...]


@dataclass(frozen=True, slots=True)
class BoundExists:
    """Filter for documents whose field has a value."""

    field: str
    type: FieldType


@dataclass(frozen=True, slots=True)
class BoundPrefix:
    """Filter for documents whose string field has a value with this prefix."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class BoundBool:
    """Bound form of `core.filters.Bool`."""

    must: tuple[BoundFilter, ...] = ()
    should: tuple[BoundFilter, ...] = ()
    must_not: tuple[BoundFilter, ...] = ()
    minimum_should: int = 0


BoundFilter = MatchNone | BoundTerms | BoundRange | BoundExists | BoundPrefix | BoundBool


def bind(clause: Filter, schema: MetadataSchema) -> BoundFilter:
    """Returns *clause* with its values converted to the field types of *schema*.

    Raises InvalidFilter for a value that the field cannot have.
    """
    match clause:
        case Terms():
            return _bind_field(clause.field, schema, lambda field_type: _terms(clause, field_type))
        case Range():
            return _bind_field(clause.field, schema, lambda field_type: _range(clause, field_type))
        case Exists():
            return _bind_field(clause.field, schema, lambda field_type: BoundExists(clause.field, field_type))
        case Prefix():
            return _bind_field(clause.field, schema, lambda field_type: _prefix(clause, field_type))
        case Bool():
            return BoundBool(
                tuple(bind(part, schema) for part in clause.must),
                tuple(bind(part, schema) for part in clause.should),
                tuple(bind(part, schema) for part in clause.must_not),
                clause.minimum_should,
            )
    assert_never(clause)


def _bind_field(name: str, schema: MetadataSchema, build: Callable[[FieldType], BoundFilter]) -> BoundFilter:
    field_type = schema.types.get(name)
    return MatchNone() if field_type is None else build(field_type)


def _terms(clause: Terms, field_type: FieldType) -> BoundFilter:
    if field_type is not FieldType.DATE:
        return BoundTerms(
            clause.field, field_type, tuple(_value(value, field_type, clause.field) for value in clause.values)
        )
    days = tuple(
        BoundRange(
            clause.field, field_type, _date_bound("gte", value, clause.field) + _date_bound("lte", value, clause.field)
        )
        for value in clause.values
    )
    return days[0] if len(days) == 1 else BoundBool(should=days, minimum_should=1)


def _range(clause: Range, field_type: FieldType) -> BoundFilter:
    bounds: list[tuple[str, str | float]] = []
    for bound, value in clause.bounds:
        if field_type is FieldType.DATE:
            bounds.extend(_date_bound(bound, value, clause.field))
        elif field_type is FieldType.BOOLEAN:
            raise InvalidFilter(
                f'"metadata.{clause.field}" has boolean values. Use term instead of range', field="filter"
            )
        else:
            bounds.append((bound, _value(value, field_type, clause.field)))
    return BoundRange(clause.field, field_type, tuple(bounds))


def _prefix(clause: Prefix, field_type: FieldType) -> BoundFilter:
    if field_type is not FieldType.STRING:
        raise InvalidFilter(
            f'"metadata.{clause.field}" must have string values for prefix, got {field_type} values', field="filter"
        )
    return BoundPrefix(clause.field, clause.value)


def _value(value: Scalar, field_type: FieldType, name: str) -> Scalar:
    if field_type is FieldType.STRING:
        return str(value).lower() if isinstance(value, bool) else str(value)
    if field_type is FieldType.BOOLEAN:
        if isinstance(value, bool):
            return value
        if value in ("true", "false"):
            return value == "true"
    elif not isinstance(value, bool) and (number := _number(value)) is not None:
        return number
    raise InvalidFilter(f'"metadata.{name}" must be compared with a {field_type}, got {value!r}', field="filter")


def _number(value: str | float) -> float | None:
    """Returns *value* as a finite number, or None; "1_000" is refused, because only Python accepts underscores."""
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) and "_" not in str(value) else None


def _date_bound(bound: str, value: Scalar, name: str) -> tuple[tuple[str, float], ...]:
    instant = parse_date(value) if isinstance(value, str) else None
    if instant is None or not isinstance(value, str):
        raise InvalidFilter(f'"metadata.{name}" must be compared with an ISO 8601 date, got {value!r}', field="filter")
    millis = epoch_millis_of(instant)
    is_day = len(value) == len("2000-01-01")
    if is_day and bound in ("lte", "gt"):
        millis += _DAY_MILLIS
        bound = "lt" if bound == "lte" else "gte"
    return ((bound, millis),)


def millis_of_date(text: str) -> int:
    """Returns the epoch milliseconds of a date in metadata. Raises ValueError if *text* is not an ISO 8601 date."""
    instant = parse_date(text)
    if instant is None:
        raise ValueError(f"a date must be ISO 8601, got {text!r}")
    return epoch_millis_of(instant)


def epoch_millis_of(instant: datetime) -> int:
    """Returns the milliseconds since 1970, rounded down: the precision of both stores.

    Integer arithmetic, because with floats one instant in two hundred is a millisecond early.
    """
    return (instant - _EPOCH) // timedelta(milliseconds=1)
