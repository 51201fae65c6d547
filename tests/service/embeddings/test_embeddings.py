"""Rules for embeddings in the APIs of OpenAI, Cohere and text-embeddings-inference."""

from __future__ import annotations

import base64
import time
from typing import Any

import numpy as np
import pytest

from rerank.core.errors import ModelOverloaded
from rerank.models.scheduler import Scheduler
from tests.fakes import FakeEncoder
from tests.service.fake_service import client, components, error

TEXTS = ["green tea", "coffee"]
VECTORS = FakeEncoder().encode_documents(TEXTS)

EVERY_API: list[tuple[str, dict[str, Any]]] = [
    ("/v1/embeddings", {"input": TEXTS}),
    ("/embeddings", {"input": TEXTS}),
    ("/v2/embed", {"texts": TEXTS, "input_type": "search_document", "embedding_types": ["float"]}),
    ("/v1/embed", {"texts": TEXTS}),
    ("/embed", {"inputs": TEXTS}),
    ("/similarity", {"inputs": {"source_sentence": TEXTS[0], "sentences": TEXTS}}),
    ("/tokenize", {"inputs": TEXTS}),
]
"""One request per API, for rules that hold in all of them."""


class RoleEncoder(FakeEncoder):
    """An encoder with a prompt for queries and another one for documents."""

    def encode_queries(self, texts: Any, *, deadline: float | None = None) -> Any:
        return super().encode_queries([f"query {text}" for text in texts], deadline=deadline)

    def encode_documents(self, texts: Any) -> Any:
        return super().encode_documents([f"passage {text}" for text in texts])


def test_openai_response_has_one_vector_per_text() -> None:
    """Vectors are in request order, and tokens are counted."""
    response = client().post("/v1/embeddings", json={"model": "default", "input": TEXTS}).get_json()
    vectors = [item.pop("embedding") for item in response["data"]]
    np.testing.assert_allclose(vectors, VECTORS, atol=1e-7)
    assert response == {
        "object": "list",
        "data": [{"object": "embedding", "index": i} for i in range(2)],
        "model": "fake-encoder",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }


def test_openai_vectors_in_base64_are_little_endian_float32() -> None:
    """OpenAI's Python client requests this format by default. A single text is a list of one."""
    body = {"input": TEXTS[0], "encoding_format": "base64"}
    (item,) = client().post("/v1/embeddings", json=body).get_json()["data"]
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(item["embedding"]), dtype="<f4"), VECTORS[0])


@pytest.mark.parametrize("path", ["/v2/embed", "/v1/v2/embed", "/v1/embed"])
def test_cohere_response_has_vectors_by_type(path: str) -> None:
    """Each requested type has its vectors."""
    body = {"texts": TEXTS, "model": "default", "embedding_types": ["float", "base64"]}
    response = client().post(path, json=body).get_json()
    np.testing.assert_allclose(response["embeddings"]["float"], VECTORS, atol=1e-7)
    decoded = [np.frombuffer(base64.b64decode(text), dtype="<f4") for text in response["embeddings"]["base64"]]
    np.testing.assert_array_equal(decoded, VECTORS)
    assert (response["response_type"], response["texts"]) == ("embeddings_by_type", TEXTS)
    assert response["meta"] == {
        "api_version": {"version": "1" if path == "/v1/embed" else "2", "is_experimental": False},
        "billed_units": {"input_tokens": 3},
    }


def test_cohere_version_1_without_types_returns_a_list() -> None:
    """Version 2 always returns an object by type."""
    response = client().post("/v1/embed", json={"texts": TEXTS}).get_json()
    np.testing.assert_allclose(response["embeddings"], VECTORS, atol=1e-7)
    assert response["response_type"] == "embeddings_floats"


def test_tei_returns_a_list_of_vectors() -> None:
    """A single text also returns a list of vectors."""
    response = client().post("/embed", json={"inputs": TEXTS[0], "normalize": True, "truncate": True})
    np.testing.assert_allclose(response.get_json(), VECTORS[:1], atol=1e-7)
    assert response.headers["x-compute-tokens"] == "2"


def test_tei_similarity_returns_cosines() -> None:
    """The cosine with the same sentence is 1."""
    body = {"inputs": {"source_sentence": "green tea", "sentences": ["green tea", "coffee"]}}
    cosines = client().post("/similarity", json=body).get_json()
    np.testing.assert_allclose(cosines, [1.0, float(VECTORS[0] @ VECTORS[1])], atol=1e-6)


def test_tei_tokenize_returns_tokens_with_character_ranges() -> None:
    """Special tokens have no range, and can be left out."""
    first = {"id": 1, "text": "green", "special": False, "start": 0, "stop": 5}
    second = {"id": 2, "text": "tea", "special": False, "start": 6, "stop": 9}
    end = {"id": 0, "text": "[end]", "special": True, "start": None, "stop": None}
    tokens = client().post("/tokenize", json={"inputs": "green tea"}).get_json()
    assert tokens == [[first, second, end]]
    plain = client().post("/tokenize", json={"inputs": ["green tea"], "add_special_tokens": False}).get_json()
    assert plain == [[first, second]]


@pytest.mark.parametrize(
    ("path", "body", "role"),
    [
        ("/v1/embeddings", {"input": TEXTS}, "passage"),
        ("/v1/embeddings", {"input": TEXTS, "input_type": "query"}, "query"),
        ("/v1/embeddings", {"input": TEXTS, "input_type": "passage"}, "passage"),
        ("/v1/embeddings", {"input": TEXTS, "task": "retrieval.query"}, "query"),
        ("/embed", {"inputs": TEXTS, "prompt_name": "query"}, "query"),
    ],
)
def test_input_type_selects_the_prompt_of_the_encoder(path: str, body: dict[str, Any], role: str) -> None:
    """Texts are documents unless the request says that they are queries."""
    response = client(components(encoder=RoleEncoder())).post(path, json=body).get_json()
    vectors = response if isinstance(response, list) else [item["embedding"] for item in response["data"]]
    expected = FakeEncoder().encode_documents([f"{role} {text}" for text in TEXTS])
    np.testing.assert_allclose(vectors, expected, atol=1e-7)


def test_cohere_input_type_selects_the_prompt_of_the_encoder() -> None:
    """search_query selects the prompt of queries."""
    body = {"texts": TEXTS, "input_type": "search_query"}
    response = client(components(encoder=RoleEncoder())).post("/v2/embed", json=body).get_json()
    expected = FakeEncoder().encode_documents([f"query {text}" for text in TEXTS])
    np.testing.assert_allclose(response["embeddings"]["float"], expected, atol=1e-7)


@pytest.mark.parametrize(("path", "body"), EVERY_API)
def test_unknown_key_is_ignored_and_named_in_a_header(path: str, body: dict[str, Any]) -> None:
    """As in the rerank dialects."""
    response = client().post(path, json={**body, "bogus": 1})
    assert (response.status_code, response.headers["x-rerank-ignored"]) == (200, "bogus")


@pytest.mark.parametrize(("path", "body"), EVERY_API)
def test_model_must_be_the_encoder(path: str, body: dict[str, Any]) -> None:
    """Its name, `default` and an empty name select it; another name is 404."""
    statuses = [
        client().post(path, json={**body, "model": name}).status_code for name in ("fake-encoder", "default", "")
    ]
    assert statuses == [200] * 3
    unknown = client().post(path, json={**body, "model": "text-embedding-3-small"})
    message = 'encoder "text-embedding-3-small" is not configured. Configured: fake-encoder'
    assert (unknown.status_code, unknown.get_json()) == (404, error(message, "NotFound"))


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/v1/embeddings", {"input": []}, 400, "input"),
        ("/v1/embeddings", {"input": [[1, 2], [3]]}, 400, "input"),
        ("/v1/embeddings", {"input": ["a"] * 2049}, 400, "input"),
        ("/v1/embeddings", {"input": {"image": "x"}}, 400, "input"),
        ("/v1/embeddings", {"input": "a", "dimensions": 7}, 400, "dimensions"),
        ("/v1/embeddings", {"input": "a", "output_dimension": "7"}, 400, "output_dimension"),
        ("/v1/embeddings", {"input": "a", "encoding_format": "hex"}, 400, "encoding_format"),
        ("/v1/embeddings", {"input": "a", "truncate": "MIDDLE"}, 400, "truncate"),
        ("/v2/embed", {"texts": []}, 400, "texts"),
        ("/v2/embed", {"texts": ["a"], "embedding_types": ["int8"]}, 400, "embedding_types[0]"),
        ("/v2/embed", {"texts": ["a"], "output_dimension": 7}, 400, "output_dimension"),
        ("/embed", {"inputs": []}, 400, "inputs"),
        ("/embed", {"inputs": [1]}, 422, "inputs[0]"),
        ("/embed", {"inputs": "a", "normalize": False}, 422, "normalize"),
        ("/similarity", {"inputs": {"source_sentence": "a", "sentences": []}}, 422, "inputs.sentences"),
        ("/tokenize", {}, 422, "inputs"),
    ],
)
def test_invalid_value_is_an_error_with_its_key(path: str, body: dict[str, Any], status: int, field: str) -> None:
    """The status is that of the API, and `field` has the key."""
    response = client().post(path, json=body)
    assert (response.status_code, response.get_json()["field"]) == (status, field)


def test_dimensions_of_the_encoder_are_accepted() -> None:
    """A client may repeat the number of dimensions."""
    assert client().post("/v1/embeddings", json={"input": "a", "dimensions": 64}).status_code == 200


def test_long_text_is_truncated_at_the_given_end_or_refused() -> None:
    """The header has the positions of truncated texts."""
    long = " ".join(f"w{i}" for i in range(100))
    service = client(components(encoder=FakeEncoder(max_tokens=12)))
    end = service.post("/embed", json={"inputs": [long, "w1"]})
    start = service.post("/embed", json={"inputs": [long, "w1"], "truncation_direction": "Left"})
    kept = FakeEncoder().encode_documents([" ".join(f"w{i}" for i in range(90, 100))])
    np.testing.assert_allclose(start.get_json()[0], kept[0], atol=1e-7)
    assert end.get_json()[0] != start.get_json()[0]
    assert [response.headers["x-rerank-truncated"] for response in (end, start)] == ["0", "0"]
    assert end.headers["x-compute-tokens"] == "11"
    refused = service.post("/embed", json={"inputs": [long], "truncate": False})
    message = "text 0 must have at most 10 tokens, got 100. Shorten the text or allow truncation"
    assert (refused.status_code, refused.get_json()) == (422, error(message))


@pytest.mark.parametrize(("path", "body"), EVERY_API[:-1])
def test_full_queue_returns_429(path: str, body: dict[str, Any]) -> None:
    """Embedding requests and rerank requests share one queue and one limit."""
    scheduler = Scheduler(max_waiting=1)
    with scheduler.waiting_slot(model="other"):
        response = client(components(scheduler=scheduler)).post(path, json=body)
    assert (response.status_code, response.get_json()["error_type"]) == (429, ModelOverloaded.error_type)
    assert response.headers["Retry-After"] == "1"


class SlowEncoder(FakeEncoder):
    """An encoder that takes longer than a millisecond."""

    def token_spans(self, texts: Any) -> Any:
        time.sleep(0.005)
        return super().token_spans(texts)


def test_time_budget_that_ends_returns_429() -> None:
    """Vectors of some texts are of no use, so the client retries."""
    response = client(components(encoder=SlowEncoder())).post("/v1/embeddings", json={"input": "a", "timeout_ms": 1})
    message = "the time budget ended before all texts were encoded. Send fewer texts, or retry"
    assert (response.status_code, response.get_json()) == (429, error(message, "Overloaded"))
