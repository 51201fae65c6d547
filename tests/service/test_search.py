from __future__ import annotations

from collections.abc import Callable

import pytest

from rerank.core.errors import ModelInvalid, ModelOutputInvalid, ModelOverloaded, StoreTimeout, StoreUnavailable
from rerank.core.protocols import Index
from rerank.core.ranking import RankingModel
from rerank.core.settings import Settings
from rerank.service.response_models import SearchResponse
from tests.fakes import FakeEncoder, FakeModels, FakeReranker
from tests.memory_store import InMemoryStore
from tests.service.fake_service import INDEX, client, components, error, late, store_with

QUERY = {"index": INDEX, "query": "green tea"}


def _raise(problem: Exception) -> Callable[[str], None]:
    def before_each(_: str) -> None:
        raise problem

    return before_each


def test_a_search_answers_with_every_key_of_the_contract() -> None:
    """The body of POST /search is the contract's, whole."""
    answer = client().post("/search", json={**QUERY, "k": 1, "explain": True, "mode": "vector"}).get_json()

    took = answer.pop("took_ms")
    assert set(took) == {"encode", "retrieve", "rerank", "total"}
    assert all(isinstance(value, float) for value in took.values())
    (hit,) = answer.pop("hits")
    assert answer == {
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


def test_answers_are_as_the_interface_describes_them() -> None:
    """What /openapi.json says of an answer holds for every search: no key more, none less, none of another type."""
    asked = client()
    for changes in ({}, {"explain": True}, {"rerank": False}, {"from": 100}, {"mode": "text", "query": "zzz"}):
        SearchResponse.model_validate(asked.post("/search", json={**QUERY, **changes}).get_json())


def test_an_address_asks_as_a_body_does() -> None:
    """GET /search?q=…&index=…&k=… is POST /search with those keys."""
    asked = client()
    by_body = asked.post("/search", json={**QUERY, "k": 2, "rerank": False, "min_score": 0.01, "from": 1}).get_json()
    by_address = asked.get("/search?q=green+tea&index=docs&k=2&rerank=false&min_score=0.01&from=1").get_json()
    del by_body["took_ms"], by_address["took_ms"]
    assert by_address == by_body


@pytest.mark.parametrize(
    ("address", "message", "field"),
    [
        ("index=docs", '"query" is missing', "query"),
        ("q=tea&index=docs&k=many", '"k" is a whole number, not "many"', "k"),
        ("q=tea&index=docs&explain=1", '"explain" is true or false, not "1"', "explain"),
        ("q=tea&index=docs&min_score=nan", '"min_score" is a finite number, not NaN', "min_score"),
        ("q=tea&q=milk&index=docs", 'the parameter "q" is there 2 times', "q"),
        ("q=tea&query=milk&index=docs", '"q" and "query" are the same parameter; send one', "query"),
        ("q=tea&index=docs&filter=x", '"filter" goes into the body of POST /search, not into the address', "filter"),
    ],
)
def test_a_wrong_address_is_refused_by_name(address: str, message: str, field: str) -> None:
    """A parameter that cannot be read is named, and so is the way out."""
    answer = client().get(f"/search?{address}")
    assert (answer.status_code, answer.get_json()) == (400, error(message, field=field))


@pytest.mark.parametrize(
    ("changes", "message", "field"),
    [
        ({"query": " \n"}, '"query" is blank; send the text to search for', "query"),
        ({"query": "a\ud800"}, '"query" is not valid Unicode: a lone surrogate at 1', "query"),
        ({"query": 7}, '"query" is a string, not 7', "query"),
        ({"query": None}, '"query" is a string, not null', "query"),
        ({"k": 0}, '"k" is a whole number from 1 to 10,000, not 0', "k"),
        ({"k": 10_001, "depth": 10_000}, '"k" is a whole number from 1 to 10,000, not 10001', "k"),
        ({"k": True}, '"k" is a whole number, not true', "k"),
        ({"k": 2.0}, '"k" is a whole number, not 2.0', "k"),
        ({"depth": 0}, '"depth" is a whole number from 1 to 10,000, not 0', "depth"),
        ({"depth": 10_001}, '"depth" is a whole number from 1 to 10,000, not 10001', "depth"),
        (
            {"k": 6, "depth": 5},
            '"k" (6) is above "depth" (5): no more hits are returned than are re-ranked',
            "k",
        ),
        ({"from": -1}, '"from" is a whole number from 0, not -1', "from"),
        ({"mode": "both"}, "\"mode\" is one of 'vector', 'text' or 'hybrid', not \"both\"", "mode"),
        ({"timeout_ms": 0}, '"timeout_ms" is at least 1, not 0', "timeout_ms"),
        ({"timeout_ms": 10**12}, '"timeout_ms" is at most 3,600,000, not 1000000000000', "timeout_ms"),
        ({"min_score": "0.5"}, '"min_score" is a number, not "0.5"', "min_score"),
        ({"rerank": "no"}, '"rerank" is true or false, not "no"', "rerank"),
        ({"filter": []}, '"filter" is an object, not a list', "filter"),
        (
            {"filter": {"match": {}}},
            'filter: unknown filter clause "match"; known are term, terms, range, exists, prefix and bool',
            "filter.match",
        ),
        (
            {"filter": {"term": {"metadata.lang": "\ud800"}}},
            '"filter.term.metadata.lang" is not valid Unicode: a lone surrogate',
            "filter.term.metadata.lang",
        ),
    ],
)
def test_a_wrong_body_is_refused_by_name(changes: dict[str, object], message: str, field: str) -> None:
    """Every value out of its type or range is a 400 that names the key."""
    answer = client().post("/search", json={**QUERY, **changes})
    assert (answer.status_code, answer.get_json()) == (400, error(message, field=field))


def test_a_k_above_the_default_depth_needs_a_depth_of_its_own() -> None:
    """What a search costs is never raised unasked."""
    answer = client().post("/search", json={**QUERY, "k": 150})
    message = '"k" (150) is above "depth" (100): no more hits are returned than are re-ranked'
    assert (answer.status_code, answer.get_json()) == (400, error(message, field="k"))


def test_a_depth_below_the_default_k_lowers_k_with_it() -> None:
    """A k that nobody asked for never makes a good depth an error."""
    answer = client().post("/search", json={**QUERY, "depth": 2})
    assert (answer.status_code, len(answer.get_json()["hits"])) == (200, 2)


def test_null_is_as_good_as_leaving_a_key_out() -> None:
    """Clients that write every key, null where it is not set, are understood."""
    asked = client()
    nulls = dict.fromkeys(
        ("k", "depth", "mode", "filter", "min_score", "rerank", "model", "explain", "timeout_ms", "from")
    )
    with_nulls = asked.post("/search", json={**QUERY, **nulls}).get_json()
    without = asked.post("/search", json=QUERY).get_json()
    del with_nulls["took_ms"], without["took_ms"]
    assert with_nulls == without


def test_settings_stand_in_for_keys_that_are_left_out() -> None:
    """k, depth, mode and the time budget come from the settings."""
    asked = client(components(settings=Settings(k=1, depth=2, mode="text")))
    answer = asked.post("/search", json={**QUERY, "explain": True}).get_json()
    assert [hit["doc_id"] for hit in answer["hits"]] == ["tea"]
    assert answer["rerank"]["candidates"] == 2
    assert answer["hits"][0]["explain"]["vector_rank"] is None


def test_a_filter_holds() -> None:
    """Only what the filter lets through is found."""
    answer = client().post("/search", json={**QUERY, "filter": {"term": {"metadata.lang": "it"}}}).get_json()
    assert [hit["doc_id"] for hit in answer["hits"]] == ["coffee"]


def test_from_past_the_end_is_an_answer_without_hits() -> None:
    """Paging past the end is no error."""
    answer = client().post("/search", json={**QUERY, "from": 10**30})
    assert (answer.status_code, answer.get_json()["hits"]) == (200, [])


def test_headers_say_what_became_of_re_ranking() -> None:
    """The four headers are on every search, in the values of the body."""
    asked = client()
    applied = asked.post("/search", json=QUERY)
    assert float(applied.headers["x-rerank-took"]) > 0
    names = ("x-rerank-applied", "x-rerank-reason", "x-rerank-model")
    assert [applied.headers[name] for name in names] == ["true", "", "fake-reranker"]
    disabled = asked.post("/search", json={**QUERY, "rerank": False})
    assert [disabled.headers[name] for name in names] == ["false", "disabled", ""]


def test_a_models_name_that_no_header_can_hold_is_percent_encoded() -> None:
    """A model's folder may have any name; a header may not."""
    models = FakeModels(RankingModel(FakeReranker(name="città\n/x")))
    assert client(components(models=models)).post("/search", json=QUERY).headers["x-rerank-model"] == "citt%C3%A0%0A/x"


def test_another_model_ranks_when_it_is_named() -> None:
    """A request may name any configured reranker, and no other."""
    asked = client()
    assert asked.post("/search", json={**QUERY, "model": "other"}).get_json()["rerank"]["model"] == "other"
    assert asked.post("/search", json={**QUERY, "model": "default"}).get_json()["rerank"]["model"] == "fake-reranker"
    unknown = asked.post("/search", json={**QUERY, "model": "nope"})
    message = 'no reranker "nope" is configured; there are: fake-reranker, other'
    assert (unknown.status_code, unknown.get_json()) == (404, error(message, "NotFound"))


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (ModelOverloaded("too much"), "overloaded"),
        (ModelOutputInvalid("not finite"), "error"),
    ],
)
def test_a_search_answers_when_the_reranker_fails(problem: Exception, reason: str) -> None:
    """First-stage order comes back, marked so, with the reason."""
    models = FakeModels(RankingModel(FakeReranker(before_each=_raise(problem))))
    answer = client(components(models=models)).post("/search", json=QUERY)
    assert answer.status_code == 200
    assert answer.headers["x-rerank-reason"] == reason
    assert [hit["rank"] == hit["retrieval_rank"] for hit in answer.get_json()["hits"]] == [True, True, True]


def test_a_search_answers_while_the_reranker_is_missing() -> None:
    """A reranker that loads, or that could not be loaded, leaves searches in first-stage order."""

    def broken() -> FakeModels:
        raise ModelInvalid("models/x: no weights")

    parts = late(store_with, FakeEncoder, broken)
    parts.store.load()
    parts.encoder.load()
    asked = client(parts)
    loading = asked.post("/search", json=QUERY)
    parts.rerankers.load()
    failed = asked.post("/search", json=QUERY)
    for answer in (loading, failed):
        assert answer.status_code == 200
        assert answer.get_json()["rerank"] == {
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


def test_a_search_without_an_encoder_says_what_is_missing() -> None:
    """Nothing can be retrieved before the encoder is there: 503, and why."""
    asked = client(late(store_with, FakeEncoder, FakeModels))
    answer = asked.post("/search", json=QUERY)
    assert (answer.status_code, answer.get_json()) == (503, error("the store is still loading", "Unhealthy"))
    assert answer.headers["Retry-After"] == "1"


def test_an_unknown_index_is_named_with_those_there_are() -> None:
    """404 says which indexes there are."""
    answer = client().post("/search", json={**QUERY, "index": "nope"})
    message = 'there is no index "nope"; indexes there are: docs'
    assert (answer.status_code, answer.get_json()) == (404, error(message, "NotFound"))


def test_an_index_of_another_encoder_is_a_conflict() -> None:
    """Vectors of two encoders are never compared."""
    answer = client(components(encoder=FakeEncoder(name="other", dim=32))).post("/search", json=QUERY)
    assert (answer.status_code, answer.get_json()["error_type"]) == (409, "EncoderMismatch")


@pytest.mark.parametrize(
    ("problem", "status", "error_type"),
    [
        (StoreUnavailable("cannot reach http://search:9200"), 503, "Unhealthy"),
        (StoreTimeout("http://search:9200 did not answer in 10 s"), 504, "StoreTimeout"),
    ],
)
def test_a_store_that_fails_during_a_search_is_named(problem: Exception, status: int, error_type: str) -> None:
    """A store that goes down is a status that says retry, with the store's own sentence; it comes back by itself."""

    class Failing(InMemoryStore):
        down = True

        def open(self, name: str) -> Index:
            if self.down:
                raise problem
            return store.open(name)

    store, failing = store_with(), Failing()
    asked = client(components(store=failing))
    answer = asked.post("/search", json=QUERY)
    assert (answer.status_code, answer.get_json()) == (status, error(str(problem), error_type))
    failing.down = False
    assert asked.post("/search", json=QUERY).status_code == 200


def test_a_query_of_ten_thousand_words_is_cut_and_said_so() -> None:
    """A query longer than the model reads is answered."""
    answer = client().post("/search", json={**QUERY, "query": "green tea " * 5000})
    assert (answer.status_code, answer.get_json()["rerank"]["query_truncated"]) == (200, True)
