"""The smaller dialects, whole answers; and which of them a body is in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from rerank.core.settings import Settings
from rerank.service.dialects.cohere import COHERE
from rerank.service.dialects.detection import (
    HUGGING_FACE_PATH,
    INFERENCE_PATH,
    NIM_PATH,
    TEXT_SIMILARITY_PATH,
    detect_dialect,
)
from rerank.service.dialects.elasticsearch import HUGGING_FACE, INFERENCE
from rerank.service.dialects.infinity import INFINITY
from rerank.service.dialects.mixedbread import MIXEDBREAD
from rerank.service.dialects.nim import NIM
from rerank.service.dialects.opensearch import TEXT_SIMILARITY
from rerank.service.dialects.routes import RERANK_PATHS
from rerank.service.dialects.tei import TEI
from rerank.service.dialects.voyage import VOYAGE
from rerank.service.dialects.weaviate import WEAVIATE
from tests.service.dialects.fixed_reranker import fixed, short_sighted
from tests.service.fake_service import client, components, error

TEXTS = ["coffee", "green tea", "tea"]
DOCUMENTS = {"query": "green tea", "documents": TEXTS}
SIMILARITY = "/_plugins/_ml/_predict/text_similarity/other"

EVERY_DIALECT: list[tuple[str, dict[str, Any]]] = [
    ("/v2/rerank", DOCUMENTS),
    ("/rerank", {**DOCUMENTS, "raw_scores": False}),
    ("/rerank", {"query": "green tea", "texts": TEXTS}),
    ("/v1/ranking", {"query": {"text": "green tea"}, "passages": [{"text": text} for text in TEXTS]}),
    ("/rerank", {**DOCUMENTS, "property": ""}),
    ("/v1/rerank", {**DOCUMENTS, "top_k": 3}),
    ("/v1/reranking", {"query": "green tea", "input": TEXTS, "model": "default"}),
    ("/_inference/rerank/other", {"query": "green tea", "input": TEXTS}),
    ("/es/rerank", DOCUMENTS),
    (SIMILARITY, {"query_text": "green tea", "text_docs": TEXTS}),
    ("/score", {"text_1": "green tea", "text_2": TEXTS}),
]
"""One request in each, for what holds in all of them."""


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        ({}, COHERE),
        ({"documents": []}, COHERE),
        ({"documents": [], "top_n": 1, "return_documents": True}, COHERE),
        ({"documents": [], "raw_scores": False}, INFINITY),
        ({"documents": [], "property": ""}, WEAVIATE),
        ({"documents": [], "top_k": None}, VOYAGE),
        ({"documents": [], "truncation": True}, VOYAGE),
        ({"texts": []}, TEI),
        ({"texts": [], "documents": []}, TEI),
        ({"passages": []}, NIM),
        ({"input": []}, INFERENCE),
        ({"input": [], "task_settings": {}}, INFERENCE),
        ({"input": [], "model": "m"}, MIXEDBREAD),
        ({"input": [], "top_k": 1}, MIXEDBREAD),
        ({"query_text": "", "text_docs": []}, TEXT_SIMILARITY),
    ],
)
def test_the_body_says_which_dialect_it_is_in(body: dict[str, object], dialect: object) -> None:
    """By its keys, on every path that takes them all."""
    assert detect_dialect(body, "/rerank") is dialect
    assert detect_dialect(body, "/v1/rerank") is dialect


@pytest.mark.parametrize(
    ("rule", "dialect"),
    [
        (HUGGING_FACE_PATH, HUGGING_FACE),
        (INFERENCE_PATH, INFERENCE),
        (NIM_PATH, NIM),
        (TEXT_SIMILARITY_PATH, TEXT_SIMILARITY),
    ],
)
def test_the_path_decides_where_the_body_does_not(rule: str, dialect: object) -> None:
    """A body without a telling key is refused in the words of the path's own dialect."""
    assert detect_dialect({}, rule) is dialect


def test_elasticsearchs_array_needs_its_own_path() -> None:
    """The same body is an object elsewhere; with texts, as newer ones send, it is TEI's array everywhere."""
    assert detect_dialect({"documents": []}, HUGGING_FACE_PATH) is HUGGING_FACE
    assert detect_dialect({"texts": []}, HUGGING_FACE_PATH) is TEI
    assert detect_dialect({"input": [], "model": "m"}, INFERENCE_PATH) is INFERENCE


def test_infinity_has_bare_documents() -> None:
    """The key raw_scores, which its client always sends, tells it from Cohere."""
    body = {**DOCUMENTS, "raw_scores": True, "return_documents": True, "top_n": 2, "model": "default/not-specified"}
    answer = client().post("/rerank", json=body).get_json()
    assert re.fullmatch(r"infinity-[0-9a-f-]{36}", answer.pop("id"))
    assert isinstance(answer.pop("created"), int)
    assert answer == {
        "object": "rerank",
        "model": "fake-reranker",
        "results": [
            {"relevance_score": 4.0, "index": 1, "document": "green tea"},
            {"relevance_score": 0.0, "index": 2, "document": "tea"},
        ],
        "usage": {"prompt_tokens": 10, "total_tokens": 10},
    }


def test_nim_ranks_passages_by_logit() -> None:
    """Query and passages are objects; the raw score is called logit."""
    assert client().post("/v1/ranking", json=EVERY_DIALECT[3][1]).get_json() == {
        "rankings": [{"index": 1, "logit": 4.0}, {"index": 2, "logit": 0.0}, {"index": 0, "logit": -4.0}],
        "usage": {"prompt_tokens": 10, "total_tokens": 10},
    }


def test_nim_cuts_passages_unless_it_may_not() -> None:
    """truncate END is what happens when nothing is said; NONE makes a long passage an error."""
    body = {"query": {"text": "green tea"}, "passages": [{"text": "rain " * 30 + "green tea"}, {"text": "tea"}]}
    asked = client(short_sighted())

    def order(truncate: str | None) -> list[int]:
        answer = asked.post("/v1/ranking", json={**body, "truncate": truncate}).get_json()
        return [ranking["index"] for ranking in answer["rankings"]]

    assert [order(None), order("END"), order("START")] == [[1, 0], [1, 0], [0, 1]]
    assert asked.post("/v1/ranking", json={**body, "truncate": "NONE"}).status_code == 400


@pytest.mark.parametrize("name", ["", "text"])
def test_weaviate_gets_its_documents_back_in_its_own_order(name: str) -> None:
    """The key property, empty or not, tells it; the answer has each document beside its score."""
    assert client().post("/rerank", json={**DOCUMENTS, "property": name}).get_json() == {
        "query": "green tea",
        "property": name,
        "scores": [
            {"document": "coffee", "score": 0.01798621},
            {"document": "green tea", "score": 0.98201379},
            {"document": "tea", "score": 0.5},
        ],
    }


def test_weaviate_may_send_no_documents() -> None:
    """There is nothing to score, and nothing wrong."""
    answer = client().post("/rerank", json={**DOCUMENTS, "documents": [], "property": ""})
    assert (answer.status_code, answer.get_json()) == (200, {"query": "green tea", "property": "", "scores": []})


def test_weaviates_probes_have_no_body() -> None:
    """204, and a description that is an object."""
    asked = client()
    probes = [asked.get(f"/.well-known/{name}") for name in ("live", "ready")]
    assert [(probe.status_code, probe.data) for probe in probes] == [(204, b"")] * 2
    meta = asked.get("/meta").get_json()
    assert (meta["model"], meta["max_tokens"]) == ("fake-reranker", 256)


def test_voyage_has_data() -> None:
    """top_k cuts; documents are bare."""
    body = {**DOCUMENTS, "top_k": 1, "return_documents": True, "truncation": True, "model": "default"}
    assert client().post("/v1/rerank", json=body).get_json() == {
        "object": "list",
        "data": [{"index": 1, "relevance_score": 0.98201379, "document": "green tea"}],
        "model": "fake-reranker",
        "usage": {"total_tokens": 10},
    }
    long = {"query": "green tea", "documents": ["rain " * 30], "truncation": False}
    assert client(short_sighted()).post("/v1/rerank", json=long).status_code == 400


def test_mixedbread_has_data_and_its_inputs() -> None:
    """Inputs may be objects, and come back as they were."""
    inputs = [{"title": "green"}, {"title": "green", "text": "tea"}]
    body = {"query": "green tea", "input": inputs, "rank_fields": ["title", "text"], "top_k": 1, "return_input": True}
    assert client().post("/v1/reranking", json=body).get_json() == {
        "object": "list",
        "model": "fake-reranker",
        "data": [{"object": "rank_result", "index": 1, "score": 0.98201379, "input": inputs[1]}],
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
        "top_k": 1,
        "return_input": True,
    }


@pytest.mark.parametrize(
    "body",
    [
        {"input": TEXTS, "top_n": 2, "return_documents": True},
        {"input": TEXTS, "task_settings": {"top_n": 2, "return_documents": True}},
    ],
)
def test_elasticsearchs_inference_api_is_spoken(body: dict[str, object]) -> None:
    """The model is in the address, the time in its units; its clients know the answer by a header."""
    answer = client().post("/_inference/rerank/other?timeout=30s", json={"query": "green tea", **body})
    assert answer.get_json() == {
        "rerank": [
            {"index": 1, "relevance_score": 0.98201379, "text": "green tea"},
            {"index": 2, "relevance_score": 0.5, "text": "tea"},
        ]
    }
    assert answer.headers["X-Elastic-Product"] == "Elasticsearch"
    assert answer.headers["x-rerank-model"] == "other"


def test_elasticsearchs_inference_api_takes_one_text() -> None:
    """A bare string is a list of one."""
    answer = client().post("/_inference/rerank/default", json={"query": "green tea", "input": "tea"})
    assert answer.get_json() == {"rerank": [{"index": 0, "relevance_score": 0.5}]}


@pytest.mark.parametrize("timeout", ["", "30", "s", "-1s", "0s", "999999h", "1d", "1 s"])
def test_a_timeout_that_is_none_is_refused(timeout: str) -> None:
    """Named in field."""
    answer = client().post(f"/_inference/rerank/other?timeout={timeout}", json={"query": "a", "input": ["a"]})
    message = '"timeout" is a time from 1ms to 1h, such as 30s'
    assert (answer.status_code, answer.get_json()) == (400, error(message, field="timeout"))


def test_elasticsearchs_hugging_face_service_reads_the_array() -> None:
    """Only index, score, relevance_score and text: its parser throws at any other key."""
    body = {**DOCUMENTS, "top_n": 1, "return_documents": True}
    assert client().post("/es/rerank", json=body).get_json() == [
        {"index": 1, "score": 0.98201379, "relevance_score": 0.98201379, "text": "green tea"}
    ]
    assert [set(result) for result in client().post("/es/rerank", json=DOCUMENTS).get_json()] == [
        {"index", "score", "relevance_score"}
    ] * 3


def test_opensearchs_text_similarity_is_spoken() -> None:
    """One tensor a document, in the request's order."""
    answer = client().post(SIMILARITY, json={"query_text": "green tea", "text_docs": ["tea", "green tea"]})

    def tensor(score: float) -> dict[str, object]:
        return {"name": "similarity", "data_type": "FLOAT32", "shape": [1], "data": [score]}

    assert answer.get_json() == {
        "inference_results": [{"output": [tensor(0.5), tensor(0.98201379)], "status_code": 200}]
    }
    assert answer.headers["x-rerank-model"] == "other"


@pytest.mark.parametrize(
    ("text_1", "text_2", "scores"),
    [
        ("green tea", "tea", [0.5]),
        ("green tea", ["tea", "rain", "green tea"], [0.5, 0.01798621, 0.98201379]),
        (["green tea"], ["tea", "rain"], [0.5, 0.01798621]),
        (["tea", "rain", "tea"], ["tea", "tea", "rain"], [0.98201379, 0.01798621, 0.01798621]),
    ],
)
def test_vllms_score_takes_pairs(text_1: object, text_2: object, scores: list[float]) -> None:
    """One with one, one with several, as many with as many; in the request's order."""
    answer = client().post("/score", json={"model": "default", "text_1": text_1, "text_2": text_2}).get_json()
    assert answer.pop("id").startswith("score-")
    assert isinstance(answer.pop("created"), int)
    assert answer.pop("usage")["total_tokens"] > 0
    assert answer == {
        "object": "list",
        "model": "fake-reranker",
        "data": [{"index": i, "object": "score", "score": score} for i, score in enumerate(scores)],
    }


@pytest.mark.parametrize(
    ("body", "message", "field"),
    [
        ({"text_1": ["a", "b"], "text_2": ["c"]}, None, "text_1"),
        ({"text_1": "", "text_2": ["c"]}, '"text_1" is blank; send the text to search for', "text_1"),
        ({"text_1": "a", "text_2": []}, '"text_2" is empty', "text_2"),
        ({"text_1": "a"}, '"text_2" is missing', "text_2"),
        ({"text_1": "a", "text_2": [1]}, '"text_2[0]" is a string, not 1', "text_2[0]"),
    ],
)
def test_texts_that_make_no_pairs_are_refused(body: dict[str, object], message: str | None, field: str) -> None:
    """Named in field."""
    message = message or (
        '"text_1" has 2 texts and "text_2" 1: send one of the first for all of the second, or as many'
    )
    answer = client().post("/score", json=body)
    assert (answer.status_code, answer.get_json()) == (400, error(message, field=field))


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        for key, member in value.items():
            if key in ("score", "relevance_score", "logit"):
                assert isinstance(member, float)
                yield member
            else:
                yield from _numbers(member)
    elif isinstance(value, list):
        for member in value:
            yield from _numbers(member)


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
def test_saturated_scores_are_still_told_apart(path: str, body: dict[str, Any]) -> None:
    """Where a sigmoid says 1.0 of two answers, the one that the model likes better has the higher number."""
    answer = client(fixed([30.0, 40.0, 20.0])).post(path, json=body)
    assert answer.status_code == 200
    found = [*_numbers(answer.get_json())]
    if path == SIMILARITY:
        found = [tensor["data"][0] for tensor in answer.get_json()["inference_results"][0]["output"]]
    assert len(set(found)) == 3


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
def test_identical_texts_have_one_score(path: str, body: dict[str, Any]) -> None:
    """Whatever else is in the request."""
    twice = json.loads(json.dumps(body).replace('"coffee"', '"tea"'))
    answer = client().post(path, json=twice)
    found = [*_numbers(answer.get_json())]
    if path == SIMILARITY:
        found = [tensor["data"][0] for tensor in answer.get_json()["inference_results"][0]["output"]]
    assert len(set(found)) == 2


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
def test_errors_have_one_body_in_every_dialect(path: str, body: dict[str, Any]) -> None:
    """error, message, detail and error_type, whichever a client reads; an unknown key is named, with the nearest."""
    answer = client().post(path, json={**body, "bogus": 1})
    said = answer.get_json()
    assert answer.status_code in (400, 422)
    assert said == error(said["message"], field="bogus")
    assert said["message"].startswith('unknown key "bogus"; the nearest is "')


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
def test_a_model_may_be_named_in_every_dialect(path: str, body: dict[str, Any]) -> None:
    """In the body, or in the address where it has a place there; unknown ones are a 404."""
    address = path.removesuffix("other")
    named = path.endswith("other")
    known = client().post(path, json=body if named else {**body, "model": "other"})
    unknown = client().post(f"{address}x/y" if named else path, json=body if named else {**body, "model": "x/y"})
    assert (known.status_code, known.headers["x-rerank-model"]) == (200, "other")
    message = 'no reranker "x/y" is configured; there are: fake-reranker, other'
    assert (unknown.status_code, unknown.get_json()) == (404, error(message, "NotFound"))


@pytest.mark.parametrize("path", RERANK_PATHS)
def test_every_path_takes_every_dialect(path: str) -> None:
    """Clients build addresses in their own ways; the body decides."""
    address = path.replace("<path:model>", "default")
    statuses = [client().post(address, json=body).status_code for where, body in EVERY_DIALECT if where != "/score"]
    assert statuses == [200] * (len(EVERY_DIALECT) - 1)


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
def test_a_thousand_documents_are_one_call(path: str, body: dict[str, Any]) -> None:
    """Each of them has a score of its own; one more is refused by name, without asking the model."""
    assert len(_scores(path, client().post(path, json=_with_texts(body, 1000)).get_json())) == 1000
    refused = client().post(path, json=_with_texts(body, 1001))
    assert refused.status_code in (400, 413, 422)
    assert "1000" in refused.get_json()["message"].replace(",", "")


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
@pytest.mark.parametrize("text", ["\0", "green\0tea", " \t", "🍵" * 300, "a" * 100_000])
def test_odd_texts_have_a_score_like_any_other(path: str, body: dict[str, Any], text: str) -> None:
    """NUL, blanks, characters beyond the first plane, and a text far longer than the model reads."""
    asked = json.loads(json.dumps(body).replace('"coffee"', json.dumps(text)))
    answer = client().post(path, json=asked)
    assert answer.status_code == 200
    assert len(_scores(path, answer.get_json())) == 3


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
def test_a_lone_surrogate_is_refused_and_named(path: str, body: dict[str, Any]) -> None:
    """It is no Unicode, and could not be written back."""
    sent = json.dumps(body).replace('"coffee"', '"\\ud800"')
    answer = client().post(path, data=sent, content_type="application/json")
    assert answer.status_code in (400, 422)
    assert answer.get_json()["message"].endswith("is not valid Unicode: a lone surrogate")
    assert answer.get_json()["field"]


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
def test_other_types_and_large_bodies_are_refused_in_every_dialect(path: str, body: dict[str, Any]) -> None:
    """415 for what is no JSON by its header, 413 above max_body_mb, both with the one body of errors."""
    sent = json.dumps(body)
    typed = client().post(path, data=sent, content_type="text/plain")
    assert (typed.status_code, typed.get_json()["error_type"]) == (415, "UnsupportedMediaType")
    small = client(components(settings=Settings(max_body_mb=1)))
    large = small.post(path, json=_with_texts(body, 1000, text="x" * 1200))
    assert (large.status_code, large.get_json()["error_type"]) == (413, "PayloadTooLarge")


def test_open_webuis_request_is_answered() -> None:
    """It may name no model, sends `top_n` as the number of documents, and reads index and relevance_score of each."""
    asked = {"model": "", "query": "green tea", "documents": TEXTS, "top_n": len(TEXTS)}
    answer = client().post("/v1/rerank", json=asked, headers={"Authorization": "Bearer key"}).get_json()
    assert [(one["index"], one["relevance_score"]) for one in answer["results"]] == [
        (1, 0.98201379),
        (2, 0.5),
        (0, 0.01798621),
    ]


def _with_texts(body: dict[str, Any], count: int, *, text: str = "tea") -> dict[str, Any]:
    """*body* with so many texts in place of its own, in the form that its dialect has for them."""
    key = next(name for name, value in body.items() if isinstance(value, list))
    texts = [f"{text} {i}" for i in range(count)]
    whole = {"top_k": count} if "top_k" in body else {}
    return {**body, **whole, key: [{"text": one} for one in texts] if key == "passages" else texts}


def _scores(path: str, answer: Any) -> list[float]:
    if path == SIMILARITY:
        return [tensor["data"][0] for tensor in answer["inference_results"][0]["output"]]
    found = [value for one in _results(answer) for value in _numbers(one)]
    return found[:: 2 if len(found) > len(_results(answer)) else 1]


def _results(answer: Any) -> list[Any]:
    if isinstance(answer, list):
        return answer
    return next(value for name, value in answer.items() if name in ("results", "rankings", "scores", "data", "rerank"))
