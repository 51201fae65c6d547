"""Translation of filters to SQL, by which LanceDB selects rows before a search.

LanceDB's parser and planner are recursive: SQL that is nested too deeply is refused, or overflows the stack of a thread
and ends the process. The nesting of the SQL here grows with neither the number of clauses nor the number of values in
the data: conditions are grouped (`joined_conditions.py`), and each clause is one list expression of constant size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import assert_never

from rerank.core.bound_filter import BoundBool, BoundExists, BoundFilter, BoundPrefix, BoundRange, BoundTerms, MatchNone
from rerank.core.document import Scalar
from rerank.core.metadata import FieldType
from rerank.index.embedded.joined_conditions import Condition, all_of, any_of, at_least

_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_SEPARATOR = "\0"
"""Character that no value of a document and of a bound filter contains."""
_LITERALS = 8
"""Number of values up to which a list is written as literals."""
_LIST_TYPES = {FieldType.NUMBER: "List(Float64)", FieldType.DATE: "List(Int64)"}


def column_of(name: str) -> str:
    """Returns the column name of the metadata field *name*, which can be any text."""
    return "f" + hashlib.blake2b(name.encode(), digest_size=10).hexdigest()


def sql_condition(bound: BoundFilter, max_values: Mapping[str, int]) -> str:
    """Returns *bound* as an SQL condition that is true or false, never null.

    max_values: the largest number of values in each field. The condition for a field with single values is faster.
    """
    return _compiled(bound, max_values, negated=False).sql


def quoted(text: str) -> str:
    """Returns *text* as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def one_of(column: str, values: Sequence[str]) -> str:
    """Returns the condition that the string *column* equals one of *values*."""
    return f"{column} IN ({', '.join(map(quoted, values))})"


def _compiled(bound: BoundFilter, max_values: Mapping[str, int], *, negated: bool) -> Condition:
    # Negations are applied to single clauses, because NOT (…) adds two levels of nesting.
    if isinstance(bound, BoundBool):
        return _bool(bound, max_values, negated=negated)
    test = _test(bound, single=max_values.get(bound.field, 1) == 1) if not isinstance(bound, MatchNone) else None
    if test is None:
        return Condition("true" if negated else "false")
    return Condition(f"({test}) IS {'NOT ' if negated else ''}TRUE")


def _bool(bound: BoundBool, max_values: Mapping[str, int], *, negated: bool) -> Condition:
    parts = [_compiled(part, max_values, negated=negated) for part in bound.must]
    parts += [_compiled(part, max_values, negated=not negated) for part in bound.must_not]
    if bound.should:
        should = [_compiled(part, max_values, negated=negated) for part in bound.should]
        # Fewer than m of n conditions are true if more than n - m of their negations are.
        needed = len(should) + 1 - bound.minimum_should if negated else bound.minimum_should
        parts.append(at_least(needed, should))
    return any_of(parts) if negated else all_of(parts)


def _test(bound: BoundTerms | BoundRange | BoundExists | BoundPrefix, *, single: bool) -> str | None:
    """Returns the test of one clause, which is null or false for a row without a value. None: no row passes."""
    column = column_of(bound.field)
    match bound:
        case BoundTerms():
            return f"array_has_any({column}, {_list(bound)})" if bound.values else None
        case BoundRange():
            return _range(column, bound, single=single) if bound.bounds else f"array_length({column}) > 0"
        case BoundExists():
            return f"array_length({column}) > 0"
        case BoundPrefix():
            if single:
                return f"starts_with({column}[1], {quoted(bound.value)})"
            values = f"concat('{_SEPARATOR}', array_to_string({column}, '{_SEPARATOR}'))"
            # Without the length, a row without values would have the empty prefix.
            return f"array_length({column}) > 0 AND strpos({values}, {quoted(_SEPARATOR + bound.value)}) > 0"
    assert_never(bound)


def _list(bound: BoundTerms) -> str:
    if len(bound.values) <= _LITERALS or bound.type is FieldType.BOOLEAN:
        return f"[{', '.join(_literal(value, bound.type) for value in bound.values)}]"
    # One string is parsed thirty times faster than a list of literals.
    values = [repr(float(value)) if bound.type is FieldType.NUMBER else str(value) for value in bound.values]
    array = f"string_to_array({quoted(_SEPARATOR.join(values))}, '{_SEPARATOR}')"
    return array if bound.type is FieldType.STRING else f"arrow_cast({array}, '{_LIST_TYPES[bound.type]}')"


def _range(column: str, bound: BoundRange, *, single: bool) -> str:
    bounds = {name: _literal(value, bound.type) for name, value in bound.bounds}
    if single:
        return " AND ".join(f"{column}[1] {_OPERATORS[name]} {value}" for name, value in bounds.items())
    if len(bounds) == 1:
        ((name, value),) = bounds.items()
        extreme = "array_max" if name in ("gt", "gte") else "array_min"
        return f"{extreme}({column}) {_OPERATORS[name]} {value}"
    (lower, low), (upper, high) = bounds.items()
    # The successor of the lower bound in the sorted list is the only value that has to be compared with the upper one.
    others = f"array_remove_all({column}, {low})" if lower == "gt" else column
    ordered = f"array_sort(array_append({others}, {low}))"
    position = f"CAST(array_position({ordered}, {low}) AS BIGINT) + 1"
    return f"array_element({ordered}, {position}) {_OPERATORS[upper]} {high}"


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
