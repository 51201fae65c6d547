"""A filter as the SQL that LanceDB filters rows with, before it searches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import assert_never

from rerank.core.bound_filter import BoundBool, BoundExists, BoundFilter, BoundPrefix, BoundRange, BoundTerms, MatchNone
from rerank.core.document import Scalar
from rerank.core.metadata import FieldType

_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def column_of(name: str) -> str:
    """The column of the metadata field *name*, which is free text."""
    return "f" + hashlib.blake2b(name.encode(), digest_size=10).hexdigest()


def predicate(bound: BoundFilter, widths: Mapping[str, int]) -> str:
    """*bound* as a condition that is true or false, never null.

    *widths*: the most values of each field; a range must hold for one of them, so each place is asked on its own.
    """
    match bound:
        case MatchNone():
            return "false"
        case BoundTerms():
            values = ", ".join(_literal(value, bound.type) for value in bound.values)
            return f"coalesce(array_has_any({column_of(bound.field)}, [{values}]), false)" if values else "false"
        case BoundRange():
            return _some_place(bound.field, widths, [(_SIGNS[sign], value) for sign, value in bound.bounds], bound.type)
        case BoundExists():
            return f"coalesce(array_length({column_of(bound.field)}) > 0, false)"
        case BoundPrefix():
            column, prefix = column_of(bound.field), quoted(bound.value)
            places = [f"starts_with({column}[{i}], {prefix})" for i in range(1, widths.get(bound.field, 1) + 1)]
            return f"coalesce({' OR '.join(f'coalesce({place}, false)' for place in places)}, false)"
        case BoundBool():
            return _bool(bound, widths)
    assert_never(bound)


def quoted(text: str) -> str:
    """*text* as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def one_of(column: str, values: Sequence[str]) -> str:
    """*column*, a plain string, is one of *values*."""
    return f"{column} IN ({', '.join(map(quoted, values))})"


def _some_place(
    name: str, widths: Mapping[str, int], bounds: Sequence[tuple[str, str | float]], kind: FieldType
) -> str:
    column = column_of(name)
    if not bounds:
        return f"coalesce(array_length({column}) > 0, false)"
    places = []
    for i in range(1, widths.get(name, 1) + 1):
        held = " AND ".join(f"{column}[{i}] {sign} {_literal(value, kind)}" for sign, value in bounds)
        places.append(f"coalesce({held}, false)")
    return f"({' OR '.join(places)})"


def _bool(bound: BoundBool, widths: Mapping[str, int]) -> str:
    parts = [predicate(part, widths) for part in bound.must]
    parts += [f"NOT {_grouped(predicate(part, widths))}" for part in bound.must_not]
    should = [_grouped(predicate(part, widths)) for part in bound.should]
    if bound.minimum_should == 1:
        parts.append(" OR ".join(should) if should else "false")
    elif bound.minimum_should > 1:
        counted = " + ".join(f"CAST({part} AS INT)" for part in should) or "0"
        parts.append(f"({counted}) >= {bound.minimum_should}")
    return " AND ".join(map(_grouped, parts)) if parts else "true"


def _grouped(condition: str) -> str:
    return f"({condition})"


def _literal(value: Scalar, kind: FieldType) -> str:
    match kind:
        case FieldType.STRING:
            return quoted(str(value))
        case FieldType.BOOLEAN:
            return "true" if value else "false"
        case FieldType.NUMBER:
            return f"CAST({quoted(repr(float(value)))} AS DOUBLE)"
        case FieldType.DATE:
            return f"CAST({int(value)} AS BIGINT)"
    assert_never(kind)
