"""Bound filters: parsed filters whose values have the types of their fields.

All stores compile the bound form, so that comparisons of `"5"` with a number, of a number with a string and of a day
with an instant have the same result on each. The rules are OpenSearch's: a day is the range of its instants, so `lte`
includes the whole day and `gt` starts after it.

The bound form is also reduced, so that stores cannot differ in special cases: a range has at most one lower and one
upper bound, and `minimum_should` is at least 1 and less than the number of `should` clauses, or there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any, assert_never

from rerank.core.document import Scalar
from rerank.core.errors import InvalidFilter
from rerank.core.filters import MAX_CLAUSES, Bool, Exists, Filter, Prefix, Range, Terms, too_many_clauses
from rerank.core.metadata import FieldType, MetadataSchema, parse_date

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MILLIS = 86_400_000


@dataclass(frozen=True, slots=True)
class MatchNone:
    """Filter that matches no document, for a field that no document has."""


@dataclass(frozen=True, slots=True)
class BoundTerms:
    """Filter for documents whose field has one of the values. Dates are epoch milliseconds."""

    field: str
    type: FieldType
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class BoundRange:
    """Filter for documents whose field has a value within the bounds: numbers, strings, or epoch milliseconds.

    bounds: pairs of gt, gte, lt or lte and a value; at most one lower and one upper bound, the lower one first.
    """

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
    """Bound form of `core.filters.Bool`. minimum_should: 0 without should clauses, else 1 to len(should) - 1."""

    must: tuple[BoundFilter, ...] = ()
    should: tuple[BoundFilter, ...] = ()
    must_not: tuple[BoundFilter, ...] = ()
    minimum_should: int = 0


BoundFilter = MatchNone | BoundTerms | BoundRange | BoundExists | BoundPrefix | BoundBool


def bind(clause: Filter, schema: MetadataSchema) -> BoundFilter:
    """Returns *clause* with its values converted to the field types of *schema*.

    Raises InvalidFilter for a value that the field cannot have, and if the ranges of days in terms clauses make more
    than MAX_CLAUSES clauses.
    """
    bound = _bind(clause, schema)
    if clause_count(bound) > MAX_CLAUSES:
        raise too_many_clauses("filter")
    return bound


def clause_count(bound: BoundFilter) -> int:
    """Returns the number of clauses of *bound*, including nested ones."""
    if isinstance(bound, BoundBool):
        return 1 + sum(map(clause_count, (*bound.must, *bound.should, *bound.must_not)))
    return 1


def _bind(clause: Filter, schema: MetadataSchema) -> BoundFilter:
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
            return _bool(clause, schema)
    assert_never(clause)


def _bool(clause: Bool, schema: MetadataSchema) -> BoundFilter:
    must, should, must_not = (
        tuple(_bind(part, schema) for part in parts) for parts in (clause.must, clause.should, clause.must_not)
    )
    minimum = clause.minimum_should
    if minimum > len(should):
        return MatchNone()
    if minimum == 0:
        return BoundBool(must, (), must_not)
    if minimum == len(should):
        return BoundBool(must + should, (), must_not)
    return BoundBool(must, should, must_not, minimum)


def _bind_field(name: str, schema: MetadataSchema, build: Callable[[FieldType], BoundFilter]) -> BoundFilter:
    field_type = schema.types.get(name)
    return MatchNone() if field_type is None else build(field_type)


def _terms(clause: Terms, field_type: FieldType) -> BoundFilter:
    if field_type is FieldType.DATE:
        return _date_terms(clause)
    values = dict.fromkeys(_value(value, field_type, clause.field) for value in clause.values)
    return BoundTerms(clause.field, field_type, tuple(values))


def _date_terms(clause: Terms) -> BoundFilter:
    """Returns one terms filter for all instants and one range for each group of consecutive days."""
    instants: dict[Scalar, None] = {}
    days: set[int] = set()
    for value in clause.values:
        millis, is_day = _millis(value, clause.field)
        if is_day:
            days.add(millis)
        else:
            instants[millis] = None
    parts: list[BoundFilter] = [
        BoundRange(clause.field, FieldType.DATE, (("gte", start), ("lt", end))) for start, end in _day_ranges(days)
    ]
    if instants or not parts:
        parts.append(BoundTerms(clause.field, FieldType.DATE, tuple(instants)))
    return parts[0] if len(parts) == 1 else BoundBool(should=tuple(parts), minimum_should=1)


def _day_ranges(days: Iterable[int]) -> list[tuple[int, int]]:
    """Returns the first millisecond and the end of each group of consecutive *days*, in order."""
    ranges: list[tuple[int, int]] = []
    for day in sorted(days):
        if ranges and ranges[-1][1] == day:
            ranges[-1] = (ranges[-1][0], day + _DAY_MILLIS)
        else:
            ranges.append((day, day + _DAY_MILLIS))
    return ranges


def _range(clause: Range, field_type: FieldType) -> BoundFilter:
    bounds: list[tuple[str, str | float]] = []
    for bound, value in clause.bounds:
        if field_type is FieldType.DATE:
            bounds.append(_date_bound(bound, value, clause.field))
        elif field_type is FieldType.BOOLEAN:
            raise InvalidFilter(
                f'"metadata.{clause.field}" has boolean values. Use term instead of range', field="filter"
            )
        else:
            bounds.append((bound, _value(value, field_type, clause.field)))
    return BoundRange(clause.field, field_type, _narrowest(bounds))


def _narrowest(bounds: Sequence[tuple[str, Any]]) -> tuple[tuple[str, str | float], ...]:
    """Returns the highest lower bound and the lowest upper one. With equal values, gt and lt are the narrower ones."""
    lower = [entry for entry in bounds if entry[0] in ("gt", "gte")]
    upper = [entry for entry in bounds if entry[0] in ("lt", "lte")]
    narrowest = []
    if lower:
        narrowest.append(max(lower, key=lambda entry: (entry[1], entry[0] == "gt")))
    if upper:
        narrowest.append(min(upper, key=lambda entry: (entry[1], entry[0] == "lte")))
    return tuple(narrowest)


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
    # Zero is added because the stores order -0.0 before 0.0.
    return number + 0.0 if isfinite(number) and "_" not in str(value) else None


def _date_bound(bound: str, value: Scalar, name: str) -> tuple[str, float]:
    millis, is_day = _millis(value, name)
    if is_day and bound in ("lte", "gt"):
        return "lt" if bound == "lte" else "gte", millis + _DAY_MILLIS
    return bound, millis


def _millis(value: Scalar, name: str) -> tuple[int, bool]:
    """Returns the epoch milliseconds of a date, and whether it is a day without a time."""
    instant = parse_date(value) if isinstance(value, str) else None
    if instant is None or not isinstance(value, str):
        raise InvalidFilter(f'"metadata.{name}" must be compared with an ISO 8601 date, got {value!r}', field="filter")
    return epoch_millis_of(instant), len(value) == len("2000-01-01")


def millis_of_date(text: str) -> int:
    """Returns the epoch milliseconds of a date in metadata. Raises ValueError if *text* is not an ISO 8601 date."""
    instant = parse_date(text)
    if instant is None:
        raise ValueError(f"a date must be ISO 8601, got {text!r}")
    return epoch_millis_of(instant)


def epoch_millis_of(instant: datetime) -> int:
    """Returns the milliseconds since 1970, rounded down: the precision of all stores.

    Integer arithmetic, because with floats one instant in two hundred is a millisecond early.
    """
    return (instant - _EPOCH) // timedelta(milliseconds=1)
