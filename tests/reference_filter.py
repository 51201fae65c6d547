"""Reference implementation of filters in plain Python, for comparison with the stores."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, assert_never

from rerank.core.bound_filter import (
    BoundBool,
    BoundExists,
    BoundFilter,
    BoundPrefix,
    BoundRange,
    BoundTerms,
    MatchNone,
    epoch_millis_of,
)
from rerank.core.document import Metadata, Scalar
from rerank.core.metadata import MAX_KEYWORD_CHARS, FieldType, parse_date, values_of

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def passes(clause: BoundFilter, metadata: Metadata) -> bool:
    """Returns True if a document with *metadata* passes *clause*."""
    match clause:
        case MatchNone():
            return False
        case BoundTerms():
            return any(value in clause.values for value in _values(metadata, clause.field, clause.type))
        case BoundRange():
            return any(
                all(_COMPARE[bound](value, limit) for bound, limit in clause.bounds)
                for value in _values(metadata, clause.field, clause.type)
            )
        case BoundExists():
            return bool(_values(metadata, clause.field, clause.type))
        case BoundPrefix():
            return any(
                str(value).startswith(clause.value) for value in _values(metadata, clause.field, FieldType.STRING)
            )
        case BoundBool():
            return (
                all(passes(part, metadata) for part in clause.must)
                and sum(passes(part, metadata) for part in clause.should) >= clause.minimum_should
                and not any(passes(part, metadata) for part in clause.must_not)
            )
    assert_never(clause)


def _values(metadata: Metadata, name: str, field_type: FieldType) -> list[Scalar]:
    """Returns the values that filters compare: in the type of the field, without strings that are too long."""
    if name not in metadata:
        return []
    members = values_of(metadata[name])
    if field_type is FieldType.NUMBER:
        return [float(member) for member in members]
    if field_type is FieldType.DATE:
        instants = [parse_date(str(member)) for member in members]
        return [epoch_millis_of(instant) for instant in instants if instant is not None]
    if field_type is FieldType.STRING:
        return [member for member in members if len(str(member).encode("utf-16-le")) // 2 <= MAX_KEYWORD_CHARS]
    return members
