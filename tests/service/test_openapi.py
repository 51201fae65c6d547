from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from rerank.core.model_load import ModelLoad
from rerank.core.settings import Settings
from rerank.service.app import create_app
from rerank.service.openapi import openapi_path
from tests.service.fake_service import CATALOG, INDEX, TEA, client, components, error

MODEL = {
    "id": "fake-reranker",
    "object": "model",
    "created": 0,
    "owned_by": "infinity",
    "stats": {"queue_fraction": 0.0, "queue_absolute": 0, "results_pending": 0},
    "backend": "auto",
    "capabilities": ["rerank"],
    "model_name": "fake-reranker",
    "model_type": "rerank",
    "model_ability": ["rerank"],
    "max_model_len": 512,
    "max_tokens": 512,
    "context_length": 512,
}
"""The reranker, as the clients of OpenAI, infinity, vLLM and Xinference read it."""


def _document() -> dict[str, Any]:
    document: dict[str, Any] = client().get("/openapi.json").get_json()
    return document


def test_document_describes_exactly_the_routes_of_the_application() -> None:
    """The document and the application have the same methods and paths."""
    app = create_app(components())
    routes = {
        (method.lower(), openapi_path(rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    paths = _document()["paths"]
    assert {(method, path) for path, methods in paths.items() for method in methods} == routes


def test_every_schema_is_valid_and_referenced() -> None:
    """The document has no dangling reference and no unused schema."""

    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [reference for member in value.values() for reference in references(member)]
        if isinstance(value, list):
            return [reference for member in value for reference in references(member)]
        return []

    document = _document()
    names = {reference.removeprefix("#/components/schemas/") for reference in references(document)}
    assert names == set(document["components"]["schemas"])
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_query_string_of_a_search_is_described() -> None:
    """GET /search has the options of POST /search as parameters, except the filter; q and index are required."""
    operations = _document()["paths"]["/search"]
    parameters = operations["get"]["parameters"]
    assert "requestBody" not in operations["get"]
    assert {parameter["name"] for parameter in parameters if parameter["required"]} == {"q", "index"}
    names = {"q", "index", "k", "depth", "mode", "min_score", "rerank", "model", "explain", "timeout_ms", "from"}
    assert {parameter["name"] for parameter in parameters} == names


def test_content_of_each_success_is_described() -> None:
    """Text responses have their content type, and a 204 has no content."""
    paths = _document()["paths"]
    assert paths["/metrics"]["get"]["responses"]["200"]["content"] == {"text/plain": {}}
    assert paths["/docs"]["get"]["responses"]["200"]["content"] == {"text/html": {}}
    assert "content" not in paths["/.well-known/live"]["get"]["responses"]["204"]
    assert set(paths["/health"]["get"]["responses"]) == {"200", "401"}


def _schema(method: str, path: str, status: int) -> dict[str, Any]:
    document = _document()
    operation = document["paths"][path][method]
    content = operation["responses"][str(status)]["content"]["application/json"]["schema"]
    return {**content, "components": document["components"]}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("post", "/search", {"index": INDEX, "query": "tea", "explain": True}, 200),
        ("post", "/search", {"index": INDEX}, 400),
        ("post", "/search", {"index": "nope", "query": "tea"}, 404),
        ("post", "/documents", {"index": INDEX, "documents": [{"doc_id": "a", "text": " "}]}, 200),
        ("delete", "/documents", {"index": INDEX, "doc_ids": [TEA.doc_id]}, 200),
        ("post", "/v2/rerank", {"query": "tea", "documents": ["a", "b"], "return_documents": True}, 200),
        ("post", "/rerank", {"query": "tea", "documents": ["a"], "model": "nope"}, 404),
        ("post", "/rerank", {"query": "tea", "texts": ["a"], "return_text": True}, 200),
        ("post", "/rerank", {"query": "tea", "texts": []}, 400),
        ("post", "/v1/ranking", {"query": {"text": "tea"}, "passages": [{"text": "a"}]}, 200),
        ("post", "/score", {"text_1": "tea", "text_2": ["a"]}, 200),
        ("get", "/indexes", None, 200),
        ("get", "/models", None, 200),
        ("get", "/health", None, 200),
        ("get", "/ready", None, 200),
    ],
)
def test_response_matches_its_schema(method: str, path: str, body: object, status: int) -> None:
    """Every response is valid against the schema that the document gives for its status."""
    response = client().open(path, method=method.upper(), json=body)
    assert response.status_code == status
    Draft202012Validator(_schema(method, path, status)).validate(response.get_json())


def test_indexes_and_models_are_listed() -> None:
    """An index is listed with its counts and its encoder; a model by its public name."""
    service = client()
    (index,) = service.get("/indexes").get_json()["indexes"]
    assert {key: index[key] for key in ("name", "documents", "passages")} == {
        "name": "docs",
        "documents": 3,
        "passages": 3,
    }
    assert set(index["encoder"]) == {"name", "fingerprint", "dim"}
    models = service.get("/models").get_json()
    assert models == service.get("/v1/models").get_json()
    assert models == {"models": [CATALOG], "object": "list", "data": [MODEL]}


@pytest.mark.parametrize("name", ["fake-reranker", "default"])
def test_model_is_described_to_xinference_clients(name: str) -> None:
    """Dify requests the type of a model before it saves the model."""
    assert client().get(f"/v1/models/{name}").get_json() == {**MODEL, "id": name, "model_name": name}


def test_unknown_model_is_not_described() -> None:
    """The response is 404, with the names of the models."""
    response = client().get("/v1/models/org/unknown")
    message = 'model "org/unknown" is not configured. Configured: fake-reranker'
    assert (response.status_code, response.get_json()) == (404, error(message, "NotFound"))


def test_models_report_the_queue_to_infinity_clients() -> None:
    """The stats are the number of waiting requests and its fraction of max_waiting."""
    busy = replace(components(settings=Settings(max_waiting=8)), model_load=lambda: ModelLoad(waiting=6))
    (model,) = client(busy).get("/models").get_json()["data"]
    assert model["stats"] == {"queue_fraction": 0.75, "queue_absolute": 6, "results_pending": 6}


def test_info_has_the_format_of_text_embeddings_inference() -> None:
    """TEI's clients need the model type, its maximum length and the maximum batch size."""
    info = client().get("/info").get_json()
    assert {key: info[key] for key in ("model_id", "max_input_length", "max_client_batch_size", "auto_truncate")} == {
        "model_id": "fake-reranker",
        "max_input_length": 256,
        "max_client_batch_size": 10_000,
        "auto_truncate": True,
    }
    assert info["model_type"] == {"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}}
    assert info["version"] != "0"
