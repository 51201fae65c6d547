from __future__ import annotations

import json
import re
import uuid

import numpy as np
import pytest

from rerank.core.errors import ModelInvalid, ModelOutputInvalid, ModelOverloaded
from rerank.core.long_texts import BEST_WINDOW
from rerank.core.ranking import RankingModel
from rerank.service.dialects.cohere import CohereResponse
from rerank.service.dialects.ranking import rank_texts
from tests.fakes import FakeEncoder, FakeModels, FakeReranker
from tests.service.dialects.fixed_reranker import FixedReranker, fixed, short_sighted
from tests.service.fake_service import client, components, error, late, store_with

ASKED = {"query": "green tea", "documents": ["coffee", "green tea", "tea", "rain"]}


@pytest.mark.parametrize(
    ("path", "version"), [("/rerank", "2"), ("/v1/rerank", "1"), ("/v2/rerank", "2"), ("/api/v1/rerank", "2")]
)
def test_the_answer_is_what_every_client_reads(path: str, version: str) -> None:
    """Cohere's id and meta, Jina's model, usage and results, in one body."""
    answer = client().post(path, json=ASKED).get_json()
    CohereResponse.model_validate(answer)
    assert uuid.UUID(answer.pop("id")).version == 4
    assert isinstance(answer.pop("created"), int)
    assert answer == {
        "object": "list",
        "model": "fake-reranker",
        "results": [
            {"index": 1, "relevance_score": 0.98201379},
            {"index": 2, "relevance_score": 0.5},
            {"index": 0, "relevance_score": 0.01798621},
            {"index": 3, "relevance_score": 0.01798621},
        ],
        "usage": {"prompt_tokens": 13, "total_tokens": 13},
        "meta": {
            "api_version": {"version": version, "is_experimental": False},
            "billed_units": {"search_units": 1},
            "tokens": {"input_tokens": 13},
        },
    }


def test_top_n_cuts_and_texts_come_back_when_asked_for() -> None:
    """top_n results, each with its document's text as an object."""
    body = {**ASKED, "top_n": 1, "return_documents": True}
    results = client().post("/v1/rerank", json=body).get_json()["results"]
    assert results == [{"index": 1, "relevance_score": 0.98201379, "document": {"text": "green tea"}}]


def test_a_top_n_beyond_the_documents_returns_them_all() -> None:
    """ml-commons sends as many as there are; more is no error."""
    assert len(client().post("/rerank", json={**ASKED, "top_n": 99}).get_json()["results"]) == 4


def test_documents_may_be_objects() -> None:
    """The text of an object is its key text, or the keys of rank_fields, one a line."""
    documents = [{"text": "coffee", "n": 1}, {"text": "green tea"}]
    by_text = client().post("/v1/rerank", json={**ASKED, "documents": documents}).get_json()
    assert [result["index"] for result in by_text["results"]] == [1, 0]
    documents = [{"title": "green", "body": "tea"}, {"title": "black", "body": None, "text": "green tea"}]
    body = {**ASKED, "documents": documents, "rank_fields": ["title", "body"], "return_documents": True}
    by_fields = client().post("/v1/rerank", json=body).get_json()
    assert [result["document"]["text"] for result in by_fields["results"]] == ["green\ntea", "black"]


def test_keys_that_clients_always_send_are_taken() -> None:
    """Cohere's client sends limits that are the model's own matter here."""
    body = {**ASKED, "max_tokens_per_doc": 4096, "max_chunks_per_doc": 10, "priority": 0}
    assert client().post("/v2/rerank", json=body).status_code == 200


def test_scores_are_written_so_that_json_smart_reads_doubles() -> None:
    """At most 18 characters, always with a point or an exponent, never whole: ml-commons casts to Double."""
    logits = np.random.default_rng(0).normal(scale=12, size=500).tolist()
    answer = client(fixed(logits)).post("/rerank", json={"query": "q", "documents": ["d"] * 500}).get_data(as_text=True)
    literals = re.findall(r'"relevance_score":([^,}]+)', answer)
    assert len(literals) == 500
    assert [literal for literal in literals if len(literal) > 18 or not re.search(r"[.e]", literal)] == []


def test_the_order_is_made_from_whole_numbers_and_rounded_only_on_paper() -> None:
    """Two top scores that round to the same stay in the model's order; equal ones stay in the request's."""
    model = RankingModel(FixedReranker([30.0, 31.0, 30.0, 32.0]))
    ranking = rank_texts(model, "q", ["a", "b", "c", "d"], limits=BEST_WINDOW)
    assert [result.index for result in ranking.results] == [3, 1, 0, 2]


def test_what_the_time_left_out_follows_in_its_own_order() -> None:
    """Partly scored: the scored ones first, the rest below them and falling; the header says why."""
    answer = client(fixed([-1.0, 1.0, 0, 0], scored=2)).post("/rerank", json={**ASKED, "timeout_ms": 5})
    results = answer.get_json()["results"]
    assert [result["index"] for result in results] == [1, 0, 2, 3]
    scores = [result["relevance_score"] for result in results]
    assert scores == sorted(set(scores), reverse=True)
    headers = ("x-rerank-applied", "x-rerank-reason", "x-rerank-model")
    assert [answer.headers[name] for name in headers] == ["true", "timeout", "fake-reranker"]


def test_nothing_scored_in_time_is_the_order_of_the_request_and_says_so() -> None:
    """No score is made up: all are zero, and nothing was applied."""
    answer = client(fixed([0, 0, 0, 0], scored=0)).post("/rerank", json={**ASKED, "timeout_ms": 5})
    assert answer.get_json()["results"] == [{"index": i, "relevance_score": 0.0} for i in range(4)]
    assert [answer.headers[name] for name in ("x-rerank-applied", "x-rerank-reason")] == ["false", "timeout"]
    assert re.search(r'"relevance_score":0\.0[,}]', answer.get_data(as_text=True))


def test_only_configured_models_can_be_named() -> None:
    """Names are those of /models and default."""
    asked = client()
    assert asked.post("/rerank", json={**ASKED, "model": "other"}).get_json()["model"] == "other"
    assert asked.post("/rerank", json={**ASKED, "model": "default"}).get_json()["model"] == "fake-reranker"
    unknown = asked.post("/rerank", json={**ASKED, "model": "rerank-v3.5"})
    message = 'no reranker "rerank-v3.5" is configured; there are: fake-reranker, other'
    assert (unknown.status_code, unknown.get_json()) == (404, error(message, "NotFound"))


@pytest.mark.parametrize(
    ("changes", "message", "field"),
    [
        ({"documents": []}, '"documents" is empty', "documents"),
        ({"documents": ["x"] * 1001}, '"documents" has at most 1,000 members, not 1,001', "documents"),
        ({"documents": "x"}, '"documents" is a list, not "x"', "documents"),
        ({"documents": ["x", 1]}, '"documents[1]" is a string, or an object with the key "text"', "documents[1]"),
        ({"documents": [{"title": "x"}]}, '"documents[0]" has no text: expected the key text', "documents[0]"),
        ({"documents": [{"text": 1}]}, '"documents[0].text" is a string', "documents[0].text"),
        ({"documents": ["\udc00"]}, '"documents[0]" is not valid Unicode: a lone surrogate', "documents[0]"),
        ({"query": ""}, '"query" is blank; send the text to search for', "query"),
        ({"top_n": -1}, '"top_n" is at least 0, not -1', "top_n"),
        ({"top_n": True}, '"top_n" is a whole number, not true', "top_n"),
    ],
)
def test_a_wrong_body_is_refused_by_name(changes: dict[str, object], message: str, field: str) -> None:
    """Every value out of its type or range is a 400 that names the key."""
    answer = client().post("/rerank", json={**ASKED, **changes})
    assert (answer.status_code, answer.get_json()) == (400, error(message, field=field))


@pytest.mark.parametrize(
    ("problem", "status", "error_type", "retry_after"),
    [
        (ModelOverloaded("too many texts are waiting"), 429, "Overloaded", "1"),
        (ModelOutputInvalid("the model answered NaN"), 500, "Backend", None),
    ],
)
def test_a_model_that_fails_is_an_error(
    problem: Exception, status: int, error_type: str, retry_after: str | None
) -> None:
    """There is no first stage to fall back to, so nothing is pretended."""

    def before_each(_: str) -> None:
        raise problem

    models = FakeModels(RankingModel(FakeReranker(before_each=before_each)))
    answer = client(components(models=models)).post("/rerank", json=ASKED)
    assert (answer.status_code, answer.get_json()) == (status, error(str(problem), error_type))
    assert answer.headers.get("Retry-After") == retry_after


def test_a_model_that_is_missing_is_said_to_be() -> None:
    """503 while it loads, and with the reason when it could not be loaded."""

    def broken() -> FakeModels:
        raise ModelInvalid("models/x: no weights")

    parts = late(store_with, FakeEncoder, broken)
    asked = client(parts)
    loading = asked.post("/rerank", json=ASKED)
    assert (loading.status_code, loading.get_json()) == (503, error("the reranker is still loading", "Unhealthy"))
    parts.load()
    failed = asked.post("/rerank", json=ASKED)
    message = "the reranker could not be loaded: models/x: no weights"
    assert (failed.status_code, failed.get_json()) == (503, error(message, "Unhealthy"))


def test_results_carry_no_key_that_strict_clients_refuse() -> None:
    """Elasticsearch's parsers throw on any key that they do not know."""
    answer = json.loads(client().post("/v1/rerank", json={**ASKED, "return_documents": True}).data)
    assert {key for result in answer["results"] for key in result} == {"index", "relevance_score", "document"}


def test_vllms_own_keys_bring_the_documents_back_and_raw_scores() -> None:
    """top_n 0 means all, each result has its document, and use_activation false asks for logits."""
    body = {**ASKED, "top_n": 0, "use_activation": False, "priority": 0, "user": "u", "request_id": "r"}
    results = client().post("/v1/rerank", json=body).get_json()["results"]
    assert results == [
        {"index": 1, "relevance_score": 4.0, "document": {"text": "green tea"}},
        {"index": 2, "relevance_score": 0.0, "document": {"text": "tea"}},
        {"index": 0, "relevance_score": -4.0, "document": {"text": "coffee"}},
        {"index": 3, "relevance_score": -4.0, "document": {"text": "rain"}},
    ]


LONG = "rain falls on stone " * 10 + "green tea"


@pytest.mark.parametrize(
    ("limits", "best", "truncated"),
    [
        ({}, 1, None),
        ({"max_chunks_per_doc": 1}, 0, "1"),
        ({"max_tokens_per_doc": 10}, 0, "1"),
        ({"truncate_prompt_tokens": -1}, 0, "1"),
        ({"truncate_prompt_tokens": 10}, 0, "1"),
    ],
)
def test_a_long_document_counts_by_its_best_chunk(limits: dict[str, int], best: int, truncated: str | None) -> None:
    """What answers at a long document's end is found, unless the request limits what is read, which is then told."""
    body = {"query": "green tea", "documents": ["tea", LONG], **limits}
    answer = client(short_sighted()).post("/v2/rerank", json=body)
    assert answer.get_json()["results"][0]["index"] == best
    assert answer.headers.get("x-rerank-truncated") == truncated
    warnings = None if truncated is None else ["document 1 was not read to its end"]
    assert answer.get_json()["meta"].get("warnings") == warnings


def test_a_query_longer_than_the_model_reads_is_cut_and_said_to_be() -> None:
    """In the header, and as one of Cohere's warnings; documents still have a token left."""
    answer = client(short_sighted(4)).post("/v2/rerank", json={**ASKED, "query": "green tea " * 9})
    assert answer.headers["x-rerank-truncated"].split(",")[0] == "query"
    assert answer.get_json()["meta"]["warnings"][0] == "the query is longer than the model reads: its end was cut"
