"""Complete responses of the smaller dialects, detection of the dialect, and rules for all dialects."""

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
    INFINITY_PATH,
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
from tests.service.dialects.fixed_reranker import fixed_components, short_window_components
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
"""One request per dialect, for rules that hold in all of them."""


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
def test_dialect_is_detected_by_the_keys_of_the_body(body: dict[str, object], dialect: object) -> None:
    """Detection is the same on every path that accepts all dialects."""
    assert detect_dialect(body, "/rerank") is dialect
    assert detect_dialect(body, "/v1/rerank") is dialect


@pytest.mark.parametrize(
    ("rule", "dialect"),
    [
        (HUGGING_FACE_PATH, HUGGING_FACE),
        (INFERENCE_PATH, INFERENCE),
        (INFINITY_PATH, INFINITY),
        (NIM_PATH, NIM),
        (TEXT_SIMILARITY_PATH, TEXT_SIMILARITY),
    ],
)
def test_path_selects_the_dialect_of_an_ambiguous_body(rule: str, dialect: object) -> None:
    """A body without distinctive keys is validated in the path's own dialect."""
    assert detect_dialect({}, rule) is dialect


def test_hugging_face_list_requires_its_own_path() -> None:
    """On other paths the same body returns an object; with texts, it is TEI's dialect on every path."""
    assert detect_dialect({"documents": []}, HUGGING_FACE_PATH) is HUGGING_FACE
    assert detect_dialect({"texts": []}, HUGGING_FACE_PATH) is TEI
    assert detect_dialect({"input": [], "model": "m"}, INFERENCE_PATH) is INFERENCE


def test_infinity_returns_documents_as_strings() -> None:
    """The key raw_scores, which its client always sends, distinguishes infinity from Cohere."""
    body = {**DOCUMENTS, "raw_scores": True, "return_documents": True, "top_n": 2, "model": "default/not-specified"}
    response = client().post("/rerank", json=body).get_json()
    assert re.fullmatch(r"infinity-[0-9a-f-]{36}", response.pop("id"))
    assert isinstance(response.pop("created"), int)
    assert response == {
        "object": "rerank",
        "model": "fake-reranker",
        "results": [
            {"relevance_score": 4.0, "index": 1, "document": "green tea"},
            {"relevance_score": 0.0, "index": 2, "document": "tea"},
        ],
        "usage": {"prompt_tokens": 10, "total_tokens": 10},
    }


def test_nim_returns_logits() -> None:
    """Query and passages are objects; the raw score is called logit."""
    assert client().post("/v1/ranking", json=EVERY_DIALECT[3][1]).get_json() == {
        "rankings": [{"index": 1, "logit": 4.0}, {"index": 2, "logit": 0.0}, {"index": 0, "logit": -4.0}],
        "usage": {"prompt_tokens": 10, "total_tokens": 10},
    }


def test_nim_truncates_passages_unless_truncate_is_none() -> None:
    """END is the default; NONE rejects a long passage."""
    body = {"query": {"text": "green tea"}, "passages": [{"text": "rain " * 30 + "green tea"}, {"text": "tea"}]}
    service = client(short_window_components())

    def order(truncate: str | None) -> list[int]:
        response = service.post("/v1/ranking", json={**body, "truncate": truncate}).get_json()
        return [ranking["index"] for ranking in response["rankings"]]

    assert [order(None), order("END"), order("START")] == [[1, 0], [1, 0], [0, 1]]
    assert service.post("/v1/ranking", json={**body, "truncate": "NONE"}).status_code == 400


@pytest.mark.parametrize("name", ["", "text"])
def test_weaviate_returns_documents_in_request_order(name: str) -> None:
    """The key property, empty or not, selects this dialect; each document has its score beside it."""
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
    """An empty list is not an error."""
    response = client().post("/rerank", json={**DOCUMENTS, "documents": [], "property": ""})
    assert (response.status_code, response.get_json()) == (200, {"query": "green tea", "property": "", "scores": []})


def test_weaviates_probes_have_no_body() -> None:
    """The probes return 204; the description is an object."""
    service = client()
    probes = [service.get(f"/.well-known/{name}") for name in ("live", "ready")]
    assert [(probe.status_code, probe.data) for probe in probes] == [(204, b"")] * 2
    meta = service.get("/meta").get_json()
    assert (meta["model"], meta["max_tokens"]) == ("fake-reranker", 256)


def test_voyage_returns_data() -> None:
    """top_k limits the results; documents are strings."""
    body = {**DOCUMENTS, "top_k": 1, "return_documents": True, "truncation": True, "model": "default"}
    assert client().post("/v1/rerank", json=body).get_json() == {
        "object": "list",
        "data": [{"index": 1, "relevance_score": 0.98201379, "document": "green tea"}],
        "model": "fake-reranker",
        "usage": {"total_tokens": 10},
    }
    long = {"query": "green tea", "documents": ["rain " * 30], "truncation": False}
    assert client(short_window_components()).post("/v1/rerank", json=long).status_code == 400


def test_mixedbread_returns_data_and_inputs() -> None:
    """Inputs may be objects, and are returned unchanged."""
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
def test_elasticsearch_inference_api_is_supported(body: dict[str, object]) -> None:
    """The model is in the path, the timeout has a unit, and the clients require a header."""
    response = client().post("/_inference/rerank/other?timeout=30s", json={"query": "green tea", **body})
    assert response.get_json() == {
        "rerank": [
            {"index": 1, "relevance_score": 0.98201379, "text": "green tea"},
            {"index": 2, "relevance_score": 0.5, "text": "tea"},
        ]
    }
    assert response.headers["X-Elastic-Product"] == "Elasticsearch"
    assert response.headers["x-rerank-model"] == "other"


def test_elasticsearch_inference_api_accepts_one_text() -> None:
    """A string is a list of one."""
    response = client().post("/_inference/rerank/default", json={"query": "green tea", "input": "tea"})
    assert response.get_json() == {"rerank": [{"index": 0, "relevance_score": 0.5}]}


@pytest.mark.parametrize("timeout", ["", "30", "s", "-1s", "0s", "999999h", "1d", "1 s"])
def test_invalid_timeout_returns_400(timeout: str) -> None:
    """The response has the parameter in `field`."""
    response = client().post(f"/_inference/rerank/other?timeout={timeout}", json={"query": "a", "input": ["a"]})
    message = '"timeout" must be a duration from 1ms to 1h, such as 30s'
    assert (response.status_code, response.get_json()) == (400, error(message, field="timeout"))


def test_hugging_face_service_gets_a_list() -> None:
    """Results have only index, score, relevance_score and text, because its parser rejects other keys."""
    body = {**DOCUMENTS, "top_n": 1, "return_documents": True}
    assert client().post("/es/rerank", json=body).get_json() == [
        {"index": 1, "score": 0.98201379, "relevance_score": 0.98201379, "text": "green tea"}
    ]
    assert [set(result) for result in client().post("/es/rerank", json=DOCUMENTS).get_json()] == [
        {"index", "score", "relevance_score"}
    ] * 3


def test_opensearch_text_similarity_is_supported() -> None:
    """The response has one tensor per document, in request order."""
    response = client().post(SIMILARITY, json={"query_text": "green tea", "text_docs": ["tea", "green tea"]})

    def tensor(score: float) -> dict[str, object]:
        return {"name": "similarity", "data_type": "FLOAT32", "shape": [1], "data": [score]}

    assert response.get_json() == {
        "inference_results": [{"output": [tensor(0.5), tensor(0.98201379)], "status_code": 200}]
    }
    assert response.headers["x-rerank-model"] == "other"


@pytest.mark.parametrize(
    ("text_1", "text_2", "scores"),
    [
        ("green tea", "tea", [0.5]),
        ("green tea", ["tea", "rain", "green tea"], [0.5, 0.01798621, 0.98201379]),
        (["green tea"], ["tea", "rain"], [0.5, 0.01798621]),
        (["tea", "rain", "tea"], ["tea", "tea", "rain"], [0.98201379, 0.01798621, 0.01798621]),
    ],
)
def test_vllm_score_accepts_pairs(text_1: object, text_2: object, scores: list[float]) -> None:
    """One query with one or several texts, or lists of equal length; scores are in request order."""
    response = client().post("/score", json={"model": "default", "text_1": text_1, "text_2": text_2}).get_json()
    assert response.pop("id").startswith("score-")
    assert isinstance(response.pop("created"), int)
    assert response.pop("usage")["total_tokens"] > 0
    assert response == {
        "object": "list",
        "model": "fake-reranker",
        "data": [{"index": i, "object": "score", "score": score} for i, score in enumerate(scores)],
    }


@pytest.mark.parametrize(
    ("body", "message", "field"),
    [
        ({"text_1": ["a", "b"], "text_2": ["c"]}, None, "text_1"),
        ({"text_1": "", "text_2": ["c"]}, '"text_1" is blank. Send the text to search for', "text_1"),
        ({"text_1": "a", "text_2": []}, '"text_2" must not be empty', "text_2"),
        ({"text_1": "a"}, '"text_2" is required', "text_2"),
        ({"text_1": "a", "text_2": [1]}, '"text_2[0]" must be a string, got 1', "text_2[0]"),
    ],
)
def test_texts_that_form_no_pairs_return_400(body: dict[str, object], message: str | None, field: str) -> None:
    """The response has the key in `field`."""
    message = message or ('"text_1" must have one item or as many as "text_2" (1), got 2')
    response = client().post("/score", json=body)
    assert (response.status_code, response.get_json()) == (400, error(message, field=field))


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
def test_saturated_scores_stay_distinct(path: str, body: dict[str, Any]) -> None:
    """Where the sigmoid is 1.0 for two logits, the higher logit has the higher score."""
    response = client(fixed_components([30.0, 40.0, 20.0])).post(path, json=body)
    assert response.status_code == 200
    assert len(set(_scores(path, response.get_json()))) == 3


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
def test_identical_texts_have_one_score(path: str, body: dict[str, Any]) -> None:
    """The score of a text does not depend on the other texts."""
    with_duplicate = json.loads(json.dumps(body).replace('"coffee"', '"tea"'))
    response = client().post(path, json=with_duplicate)
    assert len(set(_scores(path, response.get_json()))) == 2


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
def test_errors_have_the_shared_body_in_every_dialect(path: str, body: dict[str, Any]) -> None:
    """error, message, detail and error_type are present, and an invalid value is named."""
    response = client().post(path, json={**body, "timeout_ms": "soon"})
    assert response.status_code in (400, 422)
    assert response.get_json() == error('"timeout_ms" must be an integer, got "soon"', field="timeout_ms")


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
def test_model_may_be_named_in_every_dialect(path: str, body: dict[str, Any]) -> None:
    """The name is the last part of a path with a model, or else in the body. An unknown name returns 404."""
    in_path = path.endswith("other")
    unknown_path = path.removesuffix("other") + "x/y" if in_path else path
    known = client().post(path, json=body if in_path else {**body, "model": "other"})
    unknown = client().post(unknown_path, json=body if in_path else {**body, "model": "x/y"})
    assert (known.status_code, known.headers["x-rerank-model"]) == (200, "other")
    message = 'no reranker "x/y" is configured. Configured: fake-reranker, other'
    assert (unknown.status_code, unknown.get_json()) == (404, error(message, "NotFound"))


@pytest.mark.parametrize("path", RERANK_PATHS)
def test_every_path_accepts_every_dialect(path: str) -> None:
    """Clients build URLs in different ways; the body decides."""
    url = path.replace("<path:model>", "default")
    service = client()
    statuses = [service.post(url, json=body).status_code for usual, body in EVERY_DIALECT if usual != "/score"]
    assert statuses == [200] * (len(EVERY_DIALECT) - 1)


@pytest.mark.parametrize("path", ["/rerank/", "/v1/rerank/", "/infinity/rerank/"])
def test_rerank_path_may_end_with_a_slash(path: str) -> None:
    """Users of Open WebUI enter the whole URL, often with a slash at its end."""
    assert client().post(path, json=DOCUMENTS).status_code == 200


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
def test_maximum_number_of_documents_is_accepted(path: str, body: dict[str, Any]) -> None:
    """Each document has a score; one more document is an error that states the limit."""
    assert len(_scores(path, client().post(path, json=_with_texts(body, 10_000)).get_json())) == 10_000
    refused = client().post(path, json=_with_texts(body, 10_001))
    assert refused.status_code in (400, 413, 422)
    assert "10000" in refused.get_json()["message"].replace(",", "")


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
@pytest.mark.parametrize("text", ["\0", "green\0tea", " \t", "🍵" * 300, "a" * 100_000])
def test_unusual_texts_have_scores(path: str, body: dict[str, Any], text: str) -> None:
    """NUL, whitespace, characters outside the Basic Multilingual Plane, and a text above the maximum length."""
    changed = json.loads(json.dumps(body).replace('"coffee"', json.dumps(text)))
    response = client().post(path, json=changed)
    assert response.status_code == 200
    assert len(_scores(path, response.get_json())) == 3


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
def test_lone_surrogate_returns_an_error_with_its_key(path: str, body: dict[str, Any]) -> None:
    """A lone surrogate is not valid Unicode and could not be returned."""
    sent = json.dumps(body).replace('"coffee"', '"\\ud800"')
    response = client().post(path, data=sent, content_type="application/json")
    assert response.status_code in (400, 422)
    assert response.get_json()["message"].endswith("is not valid Unicode: a lone surrogate")
    assert response.get_json()["field"]


@pytest.mark.parametrize(("path", "body"), EVERY_DIALECT)
def test_content_type_and_size_are_checked_in_every_dialect(path: str, body: dict[str, Any]) -> None:
    """Another content type is 415, and a body above max_search_body_mb is 413, in the shared body."""
    sent = json.dumps(body)
    typed = client().post(path, data=sent, content_type="text/plain")
    assert (typed.status_code, typed.get_json()["error_type"]) == (415, "UnsupportedMediaType")
    small = client(components(settings=Settings(max_search_body_mb=1)))
    large = small.post(path, json=_with_texts(body, 1000, text="x" * 1200))
    assert (large.status_code, large.get_json()["error_type"]) == (413, "PayloadTooLarge")


def test_open_webui_request_is_supported() -> None:
    """Open WebUI may send an empty model name, and sends the number of documents as top_n."""
    body = {"model": "", "query": "green tea", "documents": TEXTS, "top_n": len(TEXTS)}
    response = client().post("/v1/rerank", json=body, headers={"Authorization": "Bearer key"}).get_json()
    assert [(result["index"], result["relevance_score"]) for result in response["results"]] == [
        (1, 0.98201379),
        (2, 0.5),
        (0, 0.01798621),
    ]


def _with_texts(body: dict[str, Any], count: int, *, text: str = "tea") -> dict[str, Any]:
    """Returns *body* with *count* texts, in the form of its dialect."""
    key = next(name for name, value in body.items() if isinstance(value, list))
    texts = [f"{text} {i}" for i in range(count)]
    all_results = {"top_k": count} if "top_k" in body else {}
    return {**body, **all_results, key: [{"text": item} for item in texts] if key == "passages" else texts}


def _scores(path: str, response: Any) -> list[float]:
    """Returns one score per text. Some dialects return each score under two keys."""
    if path == SIMILARITY:
        return [tensor["data"][0] for tensor in response["inference_results"][0]["output"]]
    values = [value for result in _results(response) for value in _numbers(result)]
    return values[:: 2 if len(values) > len(_results(response)) else 1]


def _results(response: Any) -> list[Any]:
    if isinstance(response, list):
        return response
    return next(
        value for name, value in response.items() if name in ("results", "rankings", "scores", "data", "rerank")
    )
