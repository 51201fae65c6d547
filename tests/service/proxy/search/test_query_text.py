from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank.service.proxy.search.query_syntax import strip_query_syntax
from rerank.service.proxy.search.query_text import query_text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"match": {"text": "green tea"}}, "green tea"),
        ({"match_phrase": {"text": {"query": "green tea", "slop": 2}}}, "green tea"),
        ({"multi_match": {"query": "green tea", "fields": ["a", "b"]}}, "green tea"),
        ({"combined_fields": {"query": "green tea", "fields": ["a"]}}, "green tea"),
        ({"query_string": {"query": 'title:"green tea" AND -milk^2'}}, "green tea"),
        ({"simple_query_string": {"query": "green +tea -milk"}}, "green tea"),
        ({"neural": {"v": {"query_text": "green tea", "k": 5}}}, "green tea"),
        ({"knn": {"v": {"query_text": "green tea"}}}, "green tea"),
        ({"knn": {"v": {"vector": [1.0], "k": 5}}}, None),
        ({"hybrid": {"queries": [{"match": {"t": "tea"}}, {"neural": {"v": {"query_text": "tea"}}}]}}, "tea"),
        ({"bool": {"must": [{"match": {"a": "green"}}], "should": [{"match": {"b": "tea"}}]}}, "green tea"),
        ({"bool": {"should": {"match": {"b": "tea"}}, "filter": [{"match": {"b": "x"}}]}}, "tea"),
        ({"bool": {"must_not": [{"match": {"b": "tea"}}]}}, None),
        ({"function_score": {"query": {"dis_max": {"queries": [{"match": {"a": "tea"}}]}}}}, "tea"),
        ({"boosting": {"positive": {"match": {"a": "tea"}}, "negative": {"match": {"a": "milk"}}}}, "tea"),
        ({"nested": {"path": "p", "query": {"match": {"p.a": "tea"}}}}, "tea"),
        ({"match": {"year": 2020}}, None),
        ({"match": {"year": {"query": 2020}}}, None),
        ({"term": {"lang": "it"}}, None),
        ({"match_all": {}}, None),
        ({"match": "tea"}, None),
        ({"bool": "tea"}, None),
        ([1], None),
        (None, None),
    ],
)
def test_query_text_comes_from_scoring_clauses(query: Any, expected: str | None) -> None:
    """Filters and negations are ignored. Equal texts are used once, and different texts are joined."""
    assert query_text(query) == expected


@pytest.mark.parametrize(
    ("syntax", "words"),
    [
        ("green tea", "green tea"),
        ("(green OR black) AND tea~2", "green black tea"),
        ("title.en:green text:(tea leaves)", "green tea leaves"),
        ("tea NOT milk !sugar -lemon", "tea"),
        ('tea -"with milk" -title:sugar', "tea"),
        ("year:[2000 TO 2010] tea", "tea"),
        ("te?a le*ves", "te a le ves"),
        (r"c\+\+ tea", r"c tea"),
        ("*", ""),
        ("*:*", ""),
        ("state-of-the-art tè", "state-of-the-art tè"),
    ],
)
def test_query_syntax_is_removed(syntax: str, words: str) -> None:
    """Operators, fields and boosts are not part of the query text."""
    assert strip_query_syntax(syntax) == words


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["bool", "must", "match", "query", "query_string", "queries", "hybrid", "a"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_any_query_clause_yields_a_text_or_none(query: Any) -> None:
    """The function accepts every JSON value."""
    text = query_text(query)
    assert text is None or text.strip()


@given(st.text(max_size=40))
def test_any_query_string_is_accepted(syntax: str) -> None:
    """The function accepts every string."""
    assert strip_query_syntax(syntax) == strip_query_syntax(syntax).strip()
