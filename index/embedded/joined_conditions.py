"""SQL conditions joined with AND, OR or a count, with as few nested parentheses as possible."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

_GROUP = 4
"""Number of conditions that are joined without parentheses. The planner nests them, so that few are better."""


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL condition that is never null. levels: nested parentheses. operator: the outermost AND or OR, if any."""

    sql: str
    levels: int = 0
    operator: Literal["AND", "OR", ""] = ""

    def grouped(self) -> Condition:
        """Returns the condition in parentheses."""
        return Condition(f"({self.sql})", self.levels + 1)


def all_of(conditions: Sequence[Condition]) -> Condition:
    """Returns the condition that all *conditions* are true; true if there are none."""
    if len(conditions) <= 1:
        return conditions[0] if conditions else Condition("true")
    # OR binds less tightly than AND.
    return _joined("AND", [part.grouped() if part.operator == "OR" else part for part in conditions])


def any_of(conditions: Sequence[Condition]) -> Condition:
    """Returns the condition that one of *conditions* is true; false if there are none."""
    if len(conditions) <= 1:
        return conditions[0] if conditions else Condition("false")
    return _joined("OR", conditions)


def at_least(minimum: int, conditions: Sequence[Condition]) -> Condition:
    """Returns the condition that *minimum*, at least 1, of *conditions* are true."""
    if minimum == 1:
        return any_of(conditions)
    if minimum == len(conditions):
        return all_of(conditions)
    numbers = [Condition(f"({part.sql})::INT", part.levels + 1) for part in conditions]
    total = _chained("+", numbers)
    return Condition(f"{total.sql} >= {minimum}", total.levels)


def _joined(operator: Literal["AND", "OR"], conditions: Sequence[Condition]) -> Condition:
    joined = _chained(operator, conditions)
    return Condition(joined.sql, joined.levels, operator)


def _chained(operator: str, conditions: Sequence[Condition]) -> Condition:
    """Returns *conditions* with *operator* between them, in groups of groups of at most _GROUP.

    The conditions with the fewest levels are grouped first (Huffman's method), which minimizes the levels. A chain
    starts with its deepest condition, because the parser does not nest the first operand.
    """
    order = count()
    heap = [(part.levels, next(order), part) for part in conditions]
    heapq.heapify(heap)
    while len(heap) > _GROUP:
        group = _chain(operator, [heapq.heappop(heap)[2] for _ in range(_GROUP)]).grouped()
        heapq.heappush(heap, (group.levels, next(order), group))
    return _chain(operator, [part for _, _, part in sorted(heap)])


def _chain(operator: str, shallowest_first: Sequence[Condition]) -> Condition:
    parts = shallowest_first[::-1]
    return Condition(f" {operator} ".join(part.sql for part in parts), parts[0].levels)
