"""Rules for joined SQL conditions."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.index.embedded.joined_conditions import Condition, all_of, any_of, at_least

Tree = str | tuple[str, int, list["Tree"]]
_trees: st.SearchStrategy[Tree] = st.recursive(
    st.sampled_from("abc"),
    lambda inner: st.tuples(
        st.sampled_from(["all", "any", "count"]), st.integers(1, 3), st.lists(inner, min_size=1, max_size=7)
    ),
    max_leaves=12,
)


def condition(tree: Tree) -> Condition:
    if isinstance(tree, str):
        return Condition(f"({tree}) IS TRUE")
    kind, minimum, parts = tree
    joined = [condition(part) for part in parts]
    if kind == "count":
        return at_least(min(minimum, len(parts)), joined)
    return all_of(joined) if kind == "all" else any_of(joined)


def value(tree: Tree, facts: dict[str, bool]) -> bool:
    if isinstance(tree, str):
        return facts[tree]
    kind, minimum, parts = tree
    values = [value(part, facts) for part in parts]
    if kind == "count":
        return sum(values) >= min(minimum, len(parts))
    return all(values) if kind == "all" else any(values)


def evaluated(sql: str, facts: dict[str, bool]) -> bool:
    """Returns the value of *sql*. AND, OR, + and >= have the same precedence in SQL and in Python."""
    python = sql.replace("::INT", "").replace("IS TRUE", "").replace("AND", "and").replace("OR", "or")
    return bool(eval(python, {}, dict(facts)))


@given(_trees)
def test_joined_conditions_have_the_value_of_their_parts(tree: Tree) -> None:
    """Left-out parentheses do not change the meaning."""
    sql = condition(tree).sql
    for values in product([False, True], repeat=3):
        facts = dict(zip("abc", values, strict=True))
        assert evaluated(sql, facts) == value(tree, facts)


@pytest.mark.parametrize("join", [all_of, any_of, lambda parts: at_least(2, parts)])
def test_nesting_does_not_grow_with_the_number_of_conditions(join: object) -> None:
    """A thousand conditions need six levels of parentheses, and no chain is longer than four conditions."""
    assert callable(join)
    joined = join([Condition("x")] * 1_000)
    assert joined.levels <= 6
    assert depth(joined.sql) == joined.levels
    assert not re.search(r"x(?: (?:AND|OR|\+) x){4}", joined.sql.replace("(x)::INT", "x"))


def test_deepest_condition_is_first_and_outermost() -> None:
    """Twenty levels of nesting stay twenty, however many clauses each level has."""
    nested = Condition("x")
    for _ in range(20):
        nested = all_of([*[Condition("y")] * 12, any_of([nested, *[Condition("z")] * 12])])
    assert nested.levels <= 23
    assert depth(nested.sql) == nested.levels


def depth(sql: str) -> int:
    deepest = level = 0
    for char in sql:
        level += {"(": 1, ")": -1}.get(char, 0)
        deepest = max(deepest, level)
    return deepest
