"""Rules for parsing filters: supported clauses, and errors for all others."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.core.errors import InvalidFilter
from rerank.core.filters import (
    MAX_CLAUSES,
    MAX_DEPTH,
    MAX_VALUES,
    Bool,
    Exists,
    Filter,
    Prefix,
    Range,
    Terms,
    parse_filter,
)

EXISTS: dict[str, object] = {"exists": {"field": "metadata.a"}}


@pytest.mark.parametrize(
    ("clause", "parsed"),
    [
        ({"term": {"metadata.a": "x"}}, Terms("a", ("x",))),
        ({"term": {"metadata.a": {"value": 5}}}, Terms("a", (5,))),
        ({"term": {"metadata.a.b": True}}, Terms("a.b", (True,))),
        ({"terms": {"metadata.a": ["x", 1, False]}}, Terms("a", ("x", 1, False))),
        ({"terms": {"metadata.a": []}}, Terms("a", ())),
        ({"range": {"metadata.a": {"gte": 1, "lt": 2.5}}}, Range("a", (("gte", 1), ("lt", 2.5)))),
        ({"range": {"metadata.a": {"gt": "2020-01-01", "lte": None}}}, Range("a", (("gt", "2020-01-01"),))),
        (EXISTS, Exists("a")),
        ({"prefix": {"metadata.a": "x"}}, Prefix("a", "x")),
        ({"prefix": {"metadata.a": {"value": "x"}}}, Prefix("a", "x")),
        ({"bool": {}}, Bool()),
        ({"bool": {"must": EXISTS, "filter": [EXISTS]}}, Bool(must=(Exists("a"), Exists("a")))),
        ({"bool": {"should": [EXISTS]}}, Bool(should=(Exists("a"),), minimum_should=1)),
        ({"bool": {"should": [EXISTS], "must": [EXISTS]}}, Bool((Exists("a"),), (Exists("a"),))),
        (
            {"bool": {"should": [EXISTS], "minimum_should_match": 2, "must_not": EXISTS}},
            Bool((), (Exists("a"),), (Exists("a"),), 2),
        ),
        ({"bool": {"must": {"bool": {"must_not": [EXISTS]}}}}, Bool(must=(Bool(must_not=(Exists("a"),)),))),
    ],
)
def test_clauses_are_parsed_as_in_opensearch(clause: object, parsed: Filter) -> None:
    """Clauses can have a short or a long form, and a single clause can replace a list."""
    assert parse_filter(clause) == parsed


@pytest.mark.parametrize(
    ("clause", "field", "message"),
    [
        (None, "filter", "a filter must be an object with one clause"),
        ([], "filter", "a filter must be an object with one clause"),
        ({}, "filter", "a filter must be an object with one clause"),
        ({**EXISTS, "term": {}}, "filter", "a filter must be an object with one clause"),
        ({"match": {}}, "filter.match", 'unknown filter clause "match"'),
        ({"term": {}}, "filter.term", "a term clause must be"),
        ({"term": {"metadata.a": 1, "metadata.b": 1}}, "filter.term", "a term clause must be"),
        ({"term": {"metadata.a": None}}, "filter.term", "a value must be a string, a number or a boolean"),
        ({"term": {"metadata.a": [1]}}, "filter.term", "a value must be a string, a number or a boolean"),
        ({"term": {"metadata.a": {"value": 1, "boost": 2}}}, "filter.term", 'must have only the key "value"'),
        ({"term": {"metadata.a": float("nan")}}, "filter.term", "a number must be finite"),
        ({"term": {"metadata.a": "\ud800"}}, "filter.term", "not valid Unicode"),
        ({"term": {"metadata.\ud800": "a"}}, "filter.term", "not valid Unicode"),
        ({"term": {"a": 1}}, "filter.term", '"a" is not a metadata field'),
        ({"term": {"metadata.": 1}}, "filter.term", '"metadata." is not a metadata field'),
        ({"terms": {"metadata.a": "x"}}, "filter.terms", "the values must be a list"),
        ({"terms": {"metadata.a": [None]}}, "filter.terms", "a value must be a string, a number or a boolean"),
        ({"terms": {"metadata.a": ["x"] * 65537}}, "filter.terms", "must have at most 65,536 values in total"),
        ({"term": {"metadata.a": "a\0"}}, "filter.term", "must not contain a NUL character"),
        ({"range": {"metadata.a": {}}}, "filter.range", "the bounds must be an object"),
        ({"range": {"metadata.a": 5}}, "filter.range", "the bounds must be an object"),
        ({"range": {"metadata.a": {"from": 5}}}, "filter.range", 'unknown bound "from"'),
        ({"range": {"metadata.a": {"gt": True}}}, "filter.range", 'the bound "gt" must be a number or a string'),
        ({"range": {"metadata.a": {"gt": float("inf")}}}, "filter.range", "a number must be finite"),
        ({"exists": "metadata.a"}, "filter.exists", "an exists clause must be"),
        ({"exists": {"field": 5}}, "filter.exists", '"field" must be a string'),
        ({"exists": {"field": "text"}}, "filter.exists", '"text" is not a metadata field'),
        ({"prefix": {"metadata.a": 5}}, "filter.prefix", "the prefix must be a string"),
        ({"prefix": {"metadata.a": "\udfff"}}, "filter.prefix", "not valid Unicode"),
        ({"bool": []}, "filter.bool", "a bool clause must be an object"),
        ({"bool": {"boost": 1}}, "filter.bool.boost", 'unknown key "boost"'),
        ({"bool": {"must": [5]}}, "filter.bool.must", "a filter must be an object with one clause"),
        ({"bool": {"minimum_should_match": "75%"}}, "filter.bool.minimum_should_match", "an integer, 0 or more"),
        ({"bool": {"minimum_should_match": -1}}, "filter.bool.minimum_should_match", "an integer, 0 or more"),
    ],
)
def test_unsupported_clause_is_refused_with_its_path(clause: object, field: str, message: str) -> None:
    """Ignoring a clause would return wrong hits."""
    with pytest.raises(InvalidFilter) as caught:
        parse_filter(clause)
    assert caught.value.field == field
    assert message in caught.value.message


def nested(depth: int) -> dict[str, object]:
    clause = EXISTS
    for _ in range(depth):
        clause = {"bool": {"must": clause}}
    return clause


def test_nesting_depth_is_limited() -> None:
    """Thousands of nested clauses must not exhaust the stack; sibling clauses do not add depth."""
    parse_filter(nested(MAX_DEPTH))
    parse_filter({"bool": {"must": [nested(MAX_DEPTH - 1)] * 3}})
    for depth in (MAX_DEPTH + 1, 5000):
        with pytest.raises(InvalidFilter, match=f"nested at most {MAX_DEPTH} deep"):
            parse_filter(nested(depth))


def test_number_of_clauses_is_limited() -> None:
    """The limit is the same on all stores, and is checked before the remaining clauses are parsed."""
    parse_filter({"bool": {"must": [EXISTS] * (MAX_CLAUSES - 1)}})
    with pytest.raises(InvalidFilter, match="at most 512 clauses"):
        parse_filter({"bool": {"must": [EXISTS] * MAX_CLAUSES}})


def test_number_of_values_of_a_filter_is_limited() -> None:
    """The values of all terms clauses are counted together."""
    half = {"terms": {"metadata.a": [1] * (MAX_VALUES // 2)}}
    parse_filter({"bool": {"must": [half, half]}})
    with pytest.raises(InvalidFilter, match="at most 65,536 values in total"):
        parse_filter({"bool": {"must": [half, half, {"terms": {"metadata.a": [1]}}]}})


KEYS = [
    *("term", "terms", "range", "exists", "prefix", "bool", "must", "should", "must_not", "filter"),
    *("metadata.a", "field", "value", "gte", "lt"),
]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.sampled_from(["metadata.a", "x", "\ud800"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=2),
        max_leaves=8,
    )
)
def test_any_json_is_parsed_or_refused_with_its_path(clause: object) -> None:
    """Parsing raises no other exception."""
    path = "filter"
    try:
        parse_filter(json.loads(json.dumps(clause)))
    except InvalidFilter as exc:
        path = exc.field or ""
    assert path.startswith("filter")
