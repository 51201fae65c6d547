"""Translation of filters to SQL, by which LanceDB selects rows before a search."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import assert_never

from rerank.core.bound_filter import BoundBool, BoundExists, BoundFilter, BoundPrefix, BoundRange, BoundTerms, MatchNone
from rerank.core.document import Scalar
from rerank.core.metadata import FieldType

_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def column_of(name: str) -> str:
    """Returns the column name of the metadata field *name*, which can be any text."""
    return "f" + hashlib.blake2b(name.encode(), digest_size=10).hexdigest()


def sql_condition(bound: BoundFilter, max_values: Mapping[str, int]) -> str:
    """Returns *bound* as an SQL condition that is true or false, never null.

    max_values: the largest number of values in each field. A range or prefix is tested on each list element, because
    a single value must satisfy it.
    """
    match bound:
        case MatchNone():
            return "false"
        case BoundTerms():
            values = ", ".join(_literal(value, bound.type) for value in bound.values)
            return f"coalesce(array_has_any({column_of(bound.field)}, [{values}]), false)" if values else "false"
        case BoundRange():
            bounds = [(_OPERATORS[name], value) for name, value in bound.bounds]
            return _any_element(bound.field, max_values, bounds, bound.type)
        case BoundExists():
            return f"coalesce(array_length({column_of(bound.field)}) > 0, false)"
        case BoundPrefix():
            column, prefix = column_of(bound.field), quoted(bound.value)
            count = max_values.get(bound.field, 1)
            tests = [f"coalesce(starts_with({column}[{i}], {prefix}), false)" for i in range(1, count + 1)]
            return f"({' OR '.join(tests)})"
        case BoundBool():
            return _bool(bound, max_values)
    assert_never(bound)


def quoted(text: str) -> str:
    """Returns *text* as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def one_of(column: str, values: Sequence[str]) -> str:
    """Returns the condition that the string *column* equals one of *values*."""
    return f"{column} IN ({', '.join(map(quoted, values))})"


def _any_element(
    name: str, max_values: Mapping[str, int], bounds: Sequence[tuple[str, str | float]], kind: FieldType
) -> str:
    column = column_of(name)
    if not bounds:
        return f"coalesce(array_length({column}) > 0, false)"
    tests = []
    for i in range(1, max_values.get(name, 1) + 1):
        test = " AND ".join(f"{column}[{i}] {operator} {_literal(value, kind)}" for operator, value in bounds)
        tests.append(f"coalesce({test}, false)")
    return f"({' OR '.join(tests)})"


def _bool(bound: BoundBool, max_values: Mapping[str, int]) -> str:
    parts = [sql_condition(part, max_values) for part in bound.must]
    parts += [f"NOT {_grouped(sql_condition(part, max_values))}" for part in bound.must_not]
    should = [_grouped(sql_condition(part, max_values)) for part in bound.should]
    if bound.minimum_should == 1:
        parts.append(" OR ".join(should) if should else "false")
    elif bound.minimum_should > 1:
        count = " + ".join(f"CAST({part} AS INT)" for part in should) or "0"
        parts.append(f"({count}) >= {bound.minimum_should}")
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
