"""What an Elasticsearch gets of a retriever whose reranker is ours."""

from __future__ import annotations

from typing import Any

import pytest

from rerank.service.proxy.search.inner_retriever import filtered, widened

FILTER = {"term": {"lang": "it"}}
OTHER = {"term": {"year": 2001}}


@pytest.mark.parametrize(
    ("part", "filters", "kept"),
    [
        ({}, None, {}),
        ({}, FILTER, {"filter": [FILTER]}),
        ({"filter": OTHER}, [FILTER], {"filter": [OTHER, FILTER]}),
        ({"filter": [OTHER]}, FILTER, {"filter": [OTHER, FILTER]}),
    ],
)
def test_filters_of_both_hold(part: dict[str, Any], filters: object, kept: dict[str, Any]) -> None:
    """The reranker's own filter goes on beside the one of the retriever within, of whatever kind that is."""
    assert filtered({"of_tomorrow": part}, filters) == {"of_tomorrow": kept}


@pytest.mark.parametrize(
    ("retriever", "wide"),
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
def test_windows_hold_what_is_asked_for(retriever: dict[str, Any], wide: dict[str, Any]) -> None:
    """Elasticsearch refuses a page that is larger than a window within; what it cannot read is left to it."""
    assert widened(retriever, 50) == wide
