from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from rerank.core.model_load import ModelLoad
from rerank.core.settings import Settings
from rerank.service.app import create_app
from rerank.service.openapi import ROUTES, describe
from tests.service.fake_service import CATALOG, INDEX, TEA, client, components


def _described() -> dict[str, Any]:
    answer: dict[str, Any] = client().get("/openapi.json").get_json()
    return answer


def test_every_route_is_described_and_nothing_else() -> None:
    """The description and the application name the same methods and paths."""
    app = create_app(components())
    served = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(route.method, route.path) for route in ROUTES} == served
    paths = _described()["paths"]
    assert {(method, path) for path, methods in paths.items() for method in methods} == served


def test_every_reference_leads_somewhere() -> None:
    """No schema is named that is not there."""

    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [found for member in value.values() for found in references(member)]
        if isinstance(value, list):
            return [found for member in value for found in references(member)]
        return []

    described = _described()
    named = {reference.removeprefix("#/components/schemas/") for reference in references(described)}
    assert named == set(described["components"]["schemas"])
    for schema in described["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def _schema(method: str, path: str, status: int) -> dict[str, Any]:
    described = describe()
    operation: Any = described["paths"]
    content = operation[path][method]["responses"][str(status)]["content"]["application/json"]["schema"]
    return {**content, "components": described["components"]}


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
def test_answers_are_as_described(method: str, path: str, body: object, status: int) -> None:
    """Every answer fits the schema that the description gives for its status."""
    answer = client().open(path, method=method.upper(), json=body)
    assert answer.status_code == status
    Draft202012Validator(_schema(method, path, status)).validate(answer.get_json())


def test_indexes_and_models_are_listed() -> None:
    """Counts and encoder of each index; each model as the command line prints it."""
    asked = client()
    (index,) = asked.get("/indexes").get_json()["indexes"]
    assert {key: index[key] for key in ("name", "documents", "passages")} == {
        "name": "docs",
        "documents": 3,
        "passages": 3,
    }
    assert set(index["encoder"]) == {"name", "fingerprint", "dim"}
    assert asked.get("/models").get_json() == {
        "models": [CATALOG],
        "object": "list",
        "data": [
            {
                "id": "fake-reranker",
                "object": "model",
                "stats": {"queue_fraction": 0.0, "queue_absolute": 0, "results_pending": 0},
                "backend": "auto",
                "capabilities": ["rerank"],
            }
        ],
    }


def test_infinitys_clients_read_how_busy_the_models_are() -> None:
    """Requests that hold a place, and their share of max_waiting."""
    busy = replace(components(settings=Settings(max_waiting=8)), model_load=lambda: ModelLoad(waiting=6))
    (model,) = client(busy).get("/models").get_json()["data"]
    assert model["stats"] == {"queue_fraction": 0.75, "queue_absolute": 6, "results_pending": 6}


def test_info_has_text_embeddings_inferences_shape() -> None:
    """Its clients read the model's kind, its window and the largest batch."""
    info = client().get("/info").get_json()
    assert {key: info[key] for key in ("model_id", "max_input_length", "max_client_batch_size", "auto_truncate")} == {
        "model_id": "fake-reranker",
        "max_input_length": 256,
        "max_client_batch_size": 1000,
        "auto_truncate": True,
    }
    assert info["model_type"] == {"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}}
