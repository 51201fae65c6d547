from __future__ import annotations

from typing import Any

import pytest

from rerank.service.proxy.search.neural import has_neural, with_vectors

VECTORS = {"tea": [1.0, 0.0], "milk": [0.0, 1.0]}
NEURAL: dict[str, Any] = {"neural": {"v": {"query_text": "tea", "model_id": "m", "k": 5, "boost": 2}}}
KNN = {"knn": {"v": {"vector": [1.0, 0.0], "k": 50, "boost": 2}}}


def converted(clause: Any, **more: Any) -> Any:
    """Returns *clause* with vectors for a window of 50 hits."""
    return with_vectors(clause, VECTORS.__getitem__, window=50, **more)


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        (NEURAL, KNN),
        ({"bool": {"must": [{"nested": {"query": NEURAL}}]}}, {"bool": {"must": [{"nested": {"query": KNN}}]}}),
        (
            {"hybrid": {"queries": [{"match": {"t": "tea"}}, NEURAL]}},
            {"hybrid": {"queries": [{"match": {"t": "tea"}}, KNN]}},
        ),
        ({"knn": {"v": {"query_text": "milk", "k": 70}}}, {"knn": {"v": {"vector": [0.0, 1.0], "k": 70}}}),
        ({"neural": {"v": {"query_text": "tea"}}}, {"knn": {"v": {"vector": [1.0, 0.0], "k": 50}}}),
        (
            {"neural": {"v": {"query_text": "tea", "min_score": 0.5, "filter": {"term": {"a": 1}}}}},
            {"knn": {"v": {"vector": [1.0, 0.0], "min_score": 0.5, "filter": {"term": {"a": 1}}}}},
        ),
    ],
)
def test_vectors_replace_texts_at_any_depth(clause: Any, expected: Any) -> None:
    """Limits and boosts of a clause stay. k is at least the window, unless a score or distance limits the hits."""
    assert has_neural(clause)
    assert converted(clause) == expected


@pytest.mark.parametrize(
    "clause",
    [
        {"match": {"neural": "tea"}},
        {"match": {"neural": {"query": "tea"}}},
        {"term": {"knn": "tea"}},
        {"knn": {"v": {"vector": [1.0], "k": 3}}},
        {"neural": {"v": {"query_image": "…", "query_text": "tea"}}},
        {"neural": {"v": {"query_text": 5}}},
        {"neural": "tea"},
        {"neural": {"v": {"query_text": "tea"}, "w": {"query_text": "tea"}}},
        [1, None],
    ],
)
def test_other_clauses_stay_unchanged(clause: Any) -> None:
    """Other clauses have a field named neural, a vector, or a form that only the server's plugin supports."""
    assert not has_neural(clause)
    assert converted(clause) == clause


def test_elasticsearch_knn_clause_has_its_own_form() -> None:
    """The name of the vector field is a value in the clause, not a key."""
    assert converted(NEURAL, elasticsearch=True) == {
        "knn": {"field": "v", "query_vector": [1.0, 0.0], "k": 50, "num_candidates": 100, "boost": 2}
    }
