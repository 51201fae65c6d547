from __future__ import annotations

from typing import Any

import pytest

from rerank.service.proxy.search.neural import embedded, has_neural

VECTORS = {"tea": [1.0, 0.0], "milk": [0.0, 1.0]}
NEURAL: dict[str, Any] = {"neural": {"v": {"query_text": "tea", "model_id": "m", "k": 5, "boost": 2}}}
KNN = {"knn": {"v": {"vector": [1.0, 0.0], "k": 50, "boost": 2}}}


def by_vector(clause: Any, **more: Any) -> Any:
    return embedded(clause, VECTORS.__getitem__, window=50, **more)


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
def test_texts_become_vectors_wherever_they_stand(clause: Any, expected: Any) -> None:
    """What limits and weighs the clause stays; k is at least the window, unless a score or distance is the limit."""
    assert has_neural(clause)
    assert by_vector(clause) == expected


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
def test_everything_else_stays_as_it_is(clause: Any) -> None:
    """Fields of these names, vectors that are there, and what the server's own plugin must look at."""
    assert not has_neural(clause)
    assert by_vector(clause) == clause


def test_an_elasticsearch_has_its_own_form() -> None:
    """The field is a key of the clause there."""
    assert by_vector(NEURAL, elasticsearch=True) == {
        "knn": {"field": "v", "query_vector": [1.0, 0.0], "k": 50, "num_candidates": 100, "boost": 2}
    }
