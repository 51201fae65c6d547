from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rerank.core.errors import ModelInvalid, ModelOutputInvalid, ModelOverloaded
from rerank.core.protocols import RerankScores
from rerank.core.ranking import RankingModel
from tests.fakes import FakeEncoder, FakeModels, FakeReranker
from tests.service.dialects.fixed_reranker import short_sighted
from tests.service.fake_service import client, components, error, late, store_with

ASKED = {"query": "green tea", "texts": ["coffee", "green tea", "tea"]}
COMPUTE_HEADERS = [
    "x-compute-type",
    "x-compute-time",
    "x-compute-characters",
    "x-compute-tokens",
    "x-total-time",
    "x-tokenization-time",
    "x-queue-time",
    "x-inference-time",
]


@pytest.mark.parametrize("path", ["/rerank", "/", "/invocations", "/v1/rerank"])
def test_texts_are_answered_by_an_array_at_the_root(path: str) -> None:
    """Best first, with TEI's score and the name that OpenSearch's default.rerank has for it."""
    assert client().post(path, json=ASKED).get_json() == [
        {"index": 1, "score": 0.98201379, "relevance_score": 0.98201379},
        {"index": 2, "score": 0.5, "relevance_score": 0.5},
        {"index": 0, "score": 0.01798621, "relevance_score": 0.01798621},
    ]


def test_raw_scores_and_texts_come_when_asked_for() -> None:
    """raw_scores: the logits; return_text: each text."""
    results = client().post("/rerank", json={**ASKED, "raw_scores": True, "return_text": True}).get_json()
    assert results == [
        {"index": 1, "score": 4.0, "relevance_score": 4.0, "text": "green tea"},
        {"index": 2, "score": 0.0, "relevance_score": 0.0, "text": "tea"},
        {"index": 0, "score": -4.0, "relevance_score": -4.0, "text": "coffee"},
    ]


def test_costs_are_told_in_headers() -> None:
    """TEI's eight headers: whole numbers but for the type."""
    headers = client().post("/rerank", json=ASKED).headers
    told = {name: headers[name] for name in COMPUTE_HEADERS}
    assert told.pop("x-compute-type") == "cpu"
    assert all(value.isdigit() for value in told.values())
    assert told["x-compute-characters"] == str(len("green tea") + len("coffee") + len("green tea") + len("tea"))
    assert told["x-compute-tokens"] == "10"


class Queued(FakeReranker):
    """One that began after a while."""

    def score(self, *args: Any, **limits: Any) -> RerankScores:
        return replace(super().score(*args, **limits), waited_ms=41.6)


def test_the_wait_behind_others_is_told() -> None:
    """In whole milliseconds, as text-embeddings-inference tells it."""
    queued = components(models=FakeModels(RankingModel(Queued())))
    assert client(queued).post("/rerank", json=ASKED).headers["x-queue-time"] == "42"


@pytest.mark.parametrize(
    ("keys", "order", "truncated"),
    [
        ({}, [1, 0], "0"),
        ({"truncate": True, "truncation_direction": "right"}, [1, 0], "0"),
        ({"truncate": True, "truncation_direction": "Left"}, [0, 1], "0"),
        ({"truncation_direction": "left"}, [0, 1], "0"),
    ],
)
def test_a_long_text_is_cut_at_the_end_that_is_named(keys: dict[str, Any], order: list[int], truncated: str) -> None:
    """One window, as in TEI: from the left or from the right; and it is said to be cut."""
    body = {"query": "green tea", "texts": ["rain " * 30 + "green tea", "tea"], **keys}
    answer = client(short_sighted()).post("/rerank", json=body)
    assert [result["index"] for result in answer.get_json()] == order
    assert answer.headers["x-rerank-truncated"] == truncated


def test_a_long_text_that_may_not_be_cut_is_a_422() -> None:
    """truncate false: TEI's own refusal."""
    body = {"query": "green tea", "texts": ["tea", "rain " * 30], "truncate": False}
    answer = client(short_sighted()).post("/rerank", json=body)
    message = "text 1 has 30 tokens, and 22 are read beside this query; send less of it, or let it be truncated"
    assert (answer.status_code, answer.get_json()) == (422, error(message))


@pytest.mark.parametrize(
    ("changes", "status", "body"),
    [
        ({"texts": []}, 400, error('"texts" is empty; send the texts to be ordered', "Empty", field="texts")),
        ({"texts": "x"}, 422, error('"texts" is a list, not "x"', field="texts")),
        ({"texts": ["x"] * 1001}, 422, error('"texts" has at most 1,000 members, not 1,001', field="texts")),
        ({"texts": [1]}, 422, error('"texts[0]" is a string, not 1', field="texts[0]")),
        ({"texts": ["\udc00"]}, 422, error('"texts[0]" is not valid Unicode: a lone surrogate', field="texts[0]")),
        ({"query": None}, 422, error('"query" is a string, not null', field="query")),
        ({"query": " "}, 422, error('"query" is blank; send the text to search for', field="query")),
        ({"model": "x"}, 404, error('no reranker "x" is configured; there are: fake-reranker, other', "NotFound")),
    ],
)
def test_wrong_bodies_have_teis_status(changes: dict[str, object], status: int, body: dict[str, object]) -> None:
    """Validation is 422 and no texts are 400, in the body that every error has."""
    answer = client().post("/rerank", json={**ASKED, **changes})
    assert (answer.status_code, answer.get_json()) == (status, body)


@pytest.mark.parametrize(
    ("problem", "status", "error_type", "retry_after"),
    [
        (ModelOverloaded("too many texts are waiting"), 429, "Overloaded", "1"),
        (ModelOutputInvalid("the model answered NaN"), 424, "Backend", None),
        (ModelInvalid("no weights"), 424, "Backend", None),
    ],
)
def test_a_failing_model_has_teis_status(
    problem: Exception, status: int, error_type: str, retry_after: str | None
) -> None:
    """Backend is 424, overloaded 429 with Retry-After."""

    def before_each(_: str) -> None:
        raise problem

    models = FakeModels(RankingModel(FakeReranker(before_each=before_each)))
    answer = client(components(models=models)).post("/rerank", json=ASKED)
    assert (answer.status_code, answer.get_json()) == (status, error(str(problem), error_type))
    assert answer.headers.get("Retry-After") == retry_after


def test_a_model_that_is_loading_is_unhealthy() -> None:
    """503, as TEI has it."""
    parts = late(store_with, FakeEncoder, lambda: FakeModels(RankingModel(FakeReranker())))
    answer = client(parts).post("/rerank", json=ASKED)
    assert (answer.status_code, answer.get_json()) == (503, error("the reranker is still loading", "Unhealthy"))
