"""Inner retrievers as the proxy sends them to Elasticsearch."""

from __future__ import annotations

from typing import Any

import pytest

from rerank.service.proxy.search.inner_retriever import with_filters, with_min_window

FILTER = {"term": {"lang": "it"}}
OTHER = {"term": {"year": 2001}}


@pytest.mark.parametrize(
    ("part", "filters", "expected"),
    [
        ({}, None, {}),
        ({}, FILTER, {"filter": [FILTER]}),
        ({"filter": OTHER}, [FILTER], {"filter": [OTHER, FILTER]}),
        ({"filter": [OTHER]}, FILTER, {"filter": [OTHER, FILTER]}),
    ],
)
def test_filters_are_added_to_those_of_the_retriever(
    part: dict[str, Any], filters: object, expected: dict[str, Any]
) -> None:
    """The reranker's filter also applies to retrievers of unknown kinds."""
    assert with_filters({"future_kind": part}, filters) == {"future_kind": expected}


@pytest.mark.parametrize(
    ("retriever", "expected"),
    [
        ({"standard": {"query": {}}}, {"standard": {"query": {}}}),
        ({"rrf": {"retrievers": []}}, {"rrf": {"retrievers": [], "rank_window_size": 50}}),
        ({"rrf": {"rank_window_size": 80}}, {"rrf": {"rank_window_size": 80}}),
        (
            {
                "linear": {
                    "retrievers": [{"retriever": {"rrf": {"rank_window_size": 5}}, "weight": 2}, {"standard": {}}]
                }
            },
            {
                "linear": {
                    "retrievers": [{"retriever": {"rrf": {"rank_window_size": 50}}, "weight": 2}, {"standard": {}}],
                    "rank_window_size": 50,
                }
            },
        ),
        (
            {"rule": {"retriever": {"rrf": {}}}},
            {"rule": {"retriever": {"rrf": {"rank_window_size": 50}}, "rank_window_size": 50}},
        ),
        ({"rrf": 5}, {"rrf": 5}),
        ({"rrf": {"retrievers": [5]}}, {"rrf": {"retrievers": [5], "rank_window_size": 50}}),
    ],
)
def test_windows_are_at_least_as_wide_as_the_page(retriever: dict[str, Any], expected: dict[str, Any]) -> None:
    """Elasticsearch refuses a page larger than an inner window. It reports malformed retrievers itself."""
    assert with_min_window(retriever, 50) == expected
