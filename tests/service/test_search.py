from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from rerank.core.document import Vectors
from rerank.core.errors import (
    ModelInvalid,
    ModelOutputInvalid,
    ModelOverloaded,
    ModelTimeout,
    StoreTimeout,
    StoreUnavailable,
)
from rerank.core.protocols import Index
from rerank.core.ranking import RankingModel
from rerank.core.settings import Settings
from rerank.service.response_models import SearchResponse
from tests.fakes import FakeEncoder, FakeModels, FakeReranker
from tests.memory_store import InMemoryStore
from tests.service.fake_service import INDEX, client, components, error, loading_components, store_with

QUERY = {"index": INDEX, "query": "green tea"}


def _raise(problem: Exception) -> Callable[[str], None]:
    def before_each(_: str) -> None:
        raise problem

    return before_each


def test_response_has_exactly_the_documented_keys() -> None:
    """The whole body of POST /search is as documented."""
    response = client().post("/search", json={**QUERY, "k": 1, "explain": True, "mode": "vector"}).get_json()

    took = response.pop("took_ms")
    assert set(took) == {"encode", "retrieve", "rerank", "total"}
    assert all(isinstance(value, float) for value in took.values())
    (hit,) = response.pop("hits")
    assert response == {
        "query": "green tea",
        "index": "docs",
        "rerank": {
            "applied": True,
            "reason": None,
            "model": "fake-reranker",
            "candidates": 3,
            "scored": 3,
            "estimated": 0,
            "dropped": 0,
            "cached": 0,
            "query_truncated": False,
            "warning": None,
        },
    }
    explanation = hit.pop("explain")
    assert (explanation["logit"], explanation["vector_rank"], explanation["text_rank"]) == (4.0, 1, None)
    assert {key: hit[key] for key in hit if not key.endswith("score")} == {
        "doc_id": "tea",
        "rank": 1,
        "retrieval_rank": 1,
        "title": "Tea",
        "text": "green tea is brewed from leaves",
        "metadata": {"lang": "en", "year": 2020},
        "passage": {"text": "green tea is brewed from leaves", "start": 0, "end": 31},
    }
    assert 0 < hit["retrieval_score"] < hit["score"] < 1


def test_responses_match_their_schema() -> None:
    """Every search has exactly the keys and types of /openapi.json."""
    service = client()
    for changes in ({}, {"explain": True}, {"rerank": False}, {"from": 100}, {"mode": "text", "query": "zzz"}):
        SearchResponse.model_validate(service.post("/search", json={**QUERY, **changes}).get_json())


def test_query_string_is_equivalent_to_a_body() -> None:
    """GET /search?q=…&index=…&k=… is POST /search with these keys."""
    service = client()
    by_body = service.post("/search", json={**QUERY, "k": 2, "rerank": False, "min_score": 0.01, "from": 1}).get_json()
    by_query_string = service.get("/search?q=green+tea&index=docs&k=2&rerank=false&min_score=0.01&from=1").get_json()
    del by_body["took_ms"], by_query_string["took_ms"]
    assert by_query_string == by_body


@pytest.mark.parametrize(
    ("query_string", "message", "field"),
    [
        ("index=docs", '"query" is required', "query"),
        ("q=tea&index=docs&k=many", '"k" must be an integer, got "many"', "k"),
        ("q=tea&index=docs&explain=1", '"explain" must be true or false, got "1"', "explain"),
        ("q=tea&index=docs&min_score=nan", '"min_score" must be a finite number, got NaN', "min_score"),
        ("q=tea&q=milk&index=docs", 'parameter "q" must occur once, got 2 times', "q"),
        ("q=tea&query=milk&index=docs", '"q" and "query" are the same parameter. Send one of them', "query"),
        ("q=tea&index=docs&filter=x", '"filter" is not supported in a query string. Use POST /search', "filter"),
    ],
)
def test_invalid_parameter_returns_400_with_its_name(query_string: str, message: str, field: str) -> None:
    """The message names the parameter and the fix."""
    response = client().get(f"/search?{query_string}")
    assert (response.status_code, response.get_json()) == (400, error(message, field=field))


@pytest.mark.parametrize(
    ("changes", "message", "field"),
    [
        ({"query": " \n"}, '"query" is blank. Send the text to search for', "query"),
        ({"query": "a\ud800"}, '"query" is not valid Unicode: a lone surrogate at character 1', "query"),
        ({"query": 7}, '"query" must be a string, got 7', "query"),
        ({"query": None}, '"query" must be a string, got null', "query"),
        ({"k": 0}, '"k" must be an integer from 1 to 10,000, got 0', "k"),
        ({"k": 10_001, "depth": 10_000}, '"k" must be an integer from 1 to 10,000, got 10001', "k"),
        ({"k": True}, '"k" must be an integer, got true', "k"),
        ({"k": 2.0}, '"k" must be an integer, got 2.0', "k"),
        ({"depth": 0}, '"depth" must be an integer from 1 to 10,000, got 0', "depth"),
        ({"depth": 10_001}, '"depth" must be an integer from 1 to 10,000, got 10001', "depth"),
        (
            {"k": 6, "depth": 5},
            '"k" (6) must not exceed "depth" (5). Lower "k" or raise "depth"',
            "k",
        ),
        ({"from": -1}, '"from" must be an integer, 0 or more, got -1', "from"),
        ({"mode": "both"}, "\"mode\" must be one of 'vector', 'text' or 'hybrid', got \"both\"", "mode"),
        ({"timeout_ms": 0}, '"timeout_ms" must be at least 1, got 0', "timeout_ms"),
        ({"timeout_ms": 10**12}, '"timeout_ms" must be at most 3,600,000, got 1000000000000', "timeout_ms"),
        ({"min_score": "0.5"}, '"min_score" must be a number, got "0.5"', "min_score"),
        ({"rerank": "no"}, '"rerank" must be true or false, got "no"', "rerank"),
        (
            {"boosts": {"recency": {"field": "date"}}},
            '"boosts.recency.half_life" is required',
            "boosts.recency.half_life",
        ),
        (
            {"boosts": {"recency": {"field": "metadata.date", "half_life": "a month"}}},
            '"boosts.recency.half_life" must be a number and a unit of s, m, h, d or w, such as 30d',
            "boosts.recency.half_life",
        ),
        (
            {"boosts": {"log": {"field": "views"}}},
            '"boosts.log.field" must start with metadata., got "views"',
            "boosts.log.field",
        ),
        (
            {"boosts": {"log": {"field": "metadata.views", "weight": -1}}},
            '"boosts.log.weight" must be at least 0.0, got -1',
            "boosts.log.weight",
        ),
        (
            {"boosts": {"pinned": [str(i) for i in range(101)]}},
            '"boosts.pinned" must have at most 100 items, got 101',
            "boosts.pinned",
        ),
        (
            {"boosts": {"pinned": ["a"], "excluded": ["a"]}},
            '"boosts.excluded" must not have pinned ids, got "a"',
            "boosts.excluded",
        ),
        ({"boosts": {"pin": []}}, 'unknown key "boosts.pin". Did you mean "pinned"?', "boosts.pin"),
        ({"filter": []}, '"filter" must be an object, got a list', "filter"),
        (
            {"filter": {"match": {}}},
            'filter: unknown filter clause "match". Use term, terms, range, exists, prefix or bool',
            "filter.match",
        ),
        (
            {"filter": {"term": {"metadata.lang": "\ud800"}}},
            '"filter.term.metadata.lang" is not valid Unicode: a lone surrogate',
            "filter.term.metadata.lang",
        ),
    ],
)
def test_invalid_value_returns_400_with_its_key(changes: dict[str, object], message: str, field: str) -> None:
    """Every value with a wrong type or out of range is an error that names its key."""
    response = client().post("/search", json={**QUERY, **changes})
    assert (response.status_code, response.get_json()) == (400, error(message, field=field))


def test_k_above_the_default_depth_requires_a_depth() -> None:
    """A request never costs more than its client requested."""
    response = client().post("/search", json={**QUERY, "k": 150})
    message = '"k" (150) must not exceed "depth" (100). Lower "k" or raise "depth"'
    assert (response.status_code, response.get_json()) == (400, error(message, field="k"))


def test_depth_below_the_default_k_lowers_k() -> None:
    """The default k never makes a valid depth an error."""
    response = client().post("/search", json={**QUERY, "depth": 2})
    assert (response.status_code, len(response.get_json()["hits"])) == (200, 2)


def test_null_is_equivalent_to_a_missing_key() -> None:
    """Clients may send every key, with null for keys that are not set."""
    service = client()
    nulls = dict.fromkeys(
        ("k", "depth", "mode", "filter", "min_score", "rerank", "model", "explain", "timeout_ms", "from")
    )
    with_nulls = service.post("/search", json={**QUERY, **nulls}).get_json()
    without = service.post("/search", json=QUERY).get_json()
    del with_nulls["took_ms"], without["took_ms"]
    assert with_nulls == without


def test_missing_keys_have_the_values_of_the_settings() -> None:
    """k, depth, mode and timeout_ms default to the settings."""
    service = client(components(settings=Settings(k=1, depth=2, mode="text")))
    response = service.post("/search", json={**QUERY, "explain": True}).get_json()
    assert [hit["doc_id"] for hit in response["hits"]] == ["tea"]
    assert response["rerank"]["candidates"] == 2
    assert response["hits"][0]["explain"]["vector_rank"] is None


def test_filter_restricts_the_hits() -> None:
    """Only documents that match the filter are returned."""
    response = client().post("/search", json={**QUERY, "filter": {"term": {"metadata.lang": "it"}}}).get_json()
    assert [hit["doc_id"] for hit in response["hits"]] == ["coffee"]


def test_boosts_change_the_order_and_are_explained() -> None:
    """Excluded documents are absent, pinned ones come first, and terms add to the log-odds of the score."""
    plain = client().post("/search", json={**QUERY, "explain": True}).get_json()
    boosts = {
        "log": {"field": "metadata.lang"},
        "pinned": ["milk"],
        "excluded": ["coffee"],
    }
    response = client().post("/search", json={**QUERY, "boosts": boosts, "explain": True}).get_json()
    SearchResponse.model_validate(response)
    assert {hit["doc_id"] for hit in plain["hits"]} == {"tea", "coffee", "milk"}
    assert [hit["doc_id"] for hit in response["hits"]] == ["milk", "tea"]
    tea = response["hits"][1]["explain"]
    assert tea["boosts"] == {
        "log_odds": tea["fusion"]["log_odds"],
        "terms": [
            {
                "boost": "log",
                "field": "metadata.lang",
                "value": None,
                "weight": 1.0,
                "contribution": 0.0,
                "reason": "not a number of 0 or more",
            }
        ],
        "pinned": None,
    }
    assert (response["hits"][0]["explain"]["boosts"]["pinned"], response["hits"][0]["score"]) == (1, 1.0)
    unranked = client().post("/search", json={**QUERY, "boosts": boosts, "rerank": False}).get_json()
    assert [hit["doc_id"] for hit in unranked["hits"]] == ["milk", "tea"]


def test_from_past_the_end_returns_no_hits() -> None:
    """Paging past the end is not an error."""
    response = client().post("/search", json={**QUERY, "from": 10**30})
    assert (response.status_code, response.get_json()["hits"]) == (200, [])


def test_headers_report_the_outcome_of_reranking() -> None:
    """Every search has the four headers, with the values of the body."""
    service = client()
    applied = service.post("/search", json=QUERY)
    assert float(applied.headers["x-rerank-took"]) > 0
    names = ("x-rerank-applied", "x-rerank-reason", "x-rerank-model")
    assert [applied.headers[name] for name in names] == ["true", "", "fake-reranker"]
    disabled = service.post("/search", json={**QUERY, "rerank": False})
    assert [disabled.headers[name] for name in names] == ["false", "disabled", ""]


def test_model_name_is_percent_encoded_in_the_header() -> None:
    """The name of a model folder may have characters that a header cannot hold."""
    models = FakeModels(RankingModel(FakeReranker(name="città\n/x")))
    assert client(components(models=models)).post("/search", json=QUERY).headers["x-rerank-model"] == "citt%C3%A0%0A/x"


def test_request_may_name_a_configured_reranker() -> None:
    """Other names are a 404."""
    service = client()
    assert service.post("/search", json={**QUERY, "model": "other"}).get_json()["rerank"]["model"] == "other"
    assert service.post("/search", json={**QUERY, "model": "default"}).get_json()["rerank"]["model"] == "fake-reranker"
    unknown = service.post("/search", json={**QUERY, "model": "nope"})
    message = 'no reranker "nope" is configured. Configured: fake-reranker, other'
    assert (unknown.status_code, unknown.get_json()) == (404, error(message, "NotFound"))


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (ModelOverloaded("too much"), "overloaded"),
        (ModelOutputInvalid("not finite"), "error"),
    ],
)
def test_failed_reranker_returns_first_stage_order(problem: Exception, reason: str) -> None:
    """The response reports the reason."""
    models = FakeModels(RankingModel(FakeReranker(before_each=_raise(problem))))
    response = client(components(models=models)).post("/search", json=QUERY)
    assert response.status_code == 200
    assert response.headers["x-rerank-reason"] == reason
    assert [hit["rank"] == hit["retrieval_rank"] for hit in response.get_json()["hits"]] == [True, True, True]


def test_missing_reranker_returns_first_stage_order() -> None:
    """A reranker that is loading, or that could not be loaded, does not fail a search."""

    def broken() -> FakeModels:
        raise ModelInvalid("models/x: no weights")

    partly_loaded = loading_components(store_with, FakeEncoder, broken)
    partly_loaded.store.load()
    partly_loaded.encoder.load()
    service = client(partly_loaded)
    loading = service.post("/search", json=QUERY)
    partly_loaded.rerankers.load()
    failed = service.post("/search", json=QUERY)
    for response in (loading, failed):
        assert response.status_code == 200
        assert response.get_json()["rerank"] == {
            "applied": False,
            "reason": "model_unavailable",
            "model": None,
            "candidates": 3,
            "scored": 0,
            "estimated": 0,
            "dropped": 0,
            "cached": 0,
            "query_truncated": False,
            "warning": None,
        }


def test_search_before_loading_returns_503() -> None:
    """Retrieval needs the store and the encoder; the message names the missing component."""
    service = client(loading_components(store_with, FakeEncoder, FakeModels))
    response = service.post("/search", json=QUERY)
    assert (response.status_code, response.get_json()) == (503, error("store is still loading", "Unhealthy"))
    assert response.headers["Retry-After"] == "1"


def test_unknown_index_returns_404_with_the_existing_ones() -> None:
    """The message lists the existing indexes."""
    response = client().post("/search", json={**QUERY, "index": "nope"})
    message = 'No index "nope" in memory (existing: docs). Create it with rerank-cli ingest CORPUS --index nope.'
    assert (response.status_code, response.get_json()) == (404, error(message, "NotFound"))


def test_index_of_another_encoder_returns_409() -> None:
    """Vectors of different encoders are never compared."""
    response = client(components(encoder=FakeEncoder(name="other", dim=32))).post("/search", json=QUERY)
    assert (response.status_code, response.get_json()["error_type"]) == (409, "EncoderMismatch")


@pytest.mark.parametrize(
    ("problem", "status", "error_type"),
    [
        (StoreUnavailable("cannot reach http://search:9200"), 503, "Unhealthy"),
        (StoreTimeout("http://search:9200 did not respond in 10 s"), 504, "StoreTimeout"),
    ],
)
def test_store_failure_returns_its_status_and_message(problem: Exception, status: int, error_type: str) -> None:
    """A search succeeds again as soon as the store recovers."""

    class FailingStore(InMemoryStore):
        down = True

        def open(self, name: str) -> Index:
            if self.down:
                raise problem
            return store.open(name)

    store, failing = store_with(), FailingStore()
    service = client(components(store=failing))
    response = service.post("/search", json=QUERY)
    assert (response.status_code, response.get_json()) == (status, error(str(problem), error_type))
    failing.down = False
    assert service.post("/search", json=QUERY).status_code == 200


def test_long_query_is_truncated_and_reported() -> None:
    """A query that exceeds the maximum length of the model is not an error."""
    response = client().post("/search", json={**QUERY, "query": "green tea " * 5000})
    assert (response.status_code, response.get_json()["rerank"]["query_truncated"]) == (200, True)


@pytest.mark.parametrize("mode", ["hybrid", "vector"])
def test_deadline_during_encoding_returns_text_search(mode: str) -> None:
    """The time budget covers encoding. Without a vector, the search uses text alone and reports the reason."""

    class LateEncoder(FakeEncoder):
        def encode_queries(self, texts: Sequence[str], *, deadline: float | None = None) -> Vectors:
            assert deadline is not None
            raise ModelTimeout("late")

    service = client(components(encoder=LateEncoder()))
    response = service.post("/search", json={**QUERY, "mode": mode, "rerank": True}).get_json()
    by_text = client().post("/search", json={**QUERY, "mode": "text", "rerank": False}).get_json()
    assert response["hits"] == by_text["hits"]
    assert (response["rerank"]["applied"], response["rerank"]["reason"]) == (False, "timeout")
