"""Texts without content rank last in every dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.service.dialects.fixed_reranker import fixed_components
from tests.service.dialects.test_dialects import DOCUMENTS, EVERY_DIALECT, _scores
from tests.service.fake_service import client

HIGHEST_FIRST = [9.0, 1.0, 0.0]
"""Logits that put the first text first."""


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
@pytest.mark.parametrize("blank", ["", " \t\n", "\u3000"])
def test_blank_text_ranks_last_in_every_dialect(path: str, body: dict[str, Any], blank: str) -> None:
    """The model's own score of a blank text is the highest here."""
    sent = json.loads(json.dumps(body).replace('"coffee"', json.dumps(blank)))
    response = client(fixed_components(HIGHEST_FIRST)).post(path, json=sent)
    assert response.status_code == 200
    results = response.get_json()
    scores = _scores(path, results)
    in_request_order = path == "/score" or path.endswith("text_similarity/other") or "property" in body
    assert scores.index(min(scores)) == (0 if in_request_order else 2)
    assert len(set(scores)) == 3


def test_cohere_names_blank_documents() -> None:
    """All blank documents have the same score: below every other score, or 0 if all documents are blank."""
    service = client(fixed_components([9.0, 1.0, 0.0, 5.0]))
    response = service.post("/v2/rerank", json={**DOCUMENTS, "documents": ["", "green tea", "tea", " "]}).get_json()
    assert [result["index"] for result in response["results"]] == [1, 2, 0, 3]
    scores = [result["relevance_score"] for result in response["results"]]
    assert scores[0] > scores[1] > scores[2] == scores[3]
    assert response["meta"]["warnings"] == [
        "document 0 has no text and ranks last",
        "document 3 has no text and ranks last",
    ]
    alone = client().post("/v2/rerank", json={**DOCUMENTS, "documents": ["", " "]}).get_json()
    assert alone["results"] == [{"index": 0, "relevance_score": 0.0}, {"index": 1, "relevance_score": 0.0}]


def test_blank_text_ranks_below_unscored_texts() -> None:
    """After a timeout, unscored texts keep their request order before blank ones."""
    service = client(fixed_components([0.0, 3.0, 2.0, 1.0], scored=2))
    body = {**DOCUMENTS, "documents": ["", "green tea", "tea", "coffee"], "timeout_ms": 5}
    results = service.post("/v2/rerank", json=body).get_json()["results"]
    assert [result["index"] for result in results] == [1, 2, 3, 0]


def test_raw_scores_of_blank_texts_are_below_all_logits() -> None:
    """Clients that sort by logits get the same order."""
    body = {"query": "green tea", "texts": ["", "green tea", "coffee"], "raw_scores": True}
    results = client(fixed_components([9.0, 1.0, -2.0])).post("/rerank", json=body).get_json()
    assert [(result["index"], result["score"]) for result in results] == [(1, 1.0), (2, -2.0), (0, -3.0)]
