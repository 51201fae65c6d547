"""GET /models, GET /v1/models and GET /v1/models/{id}: the models that requests may name."""

from __future__ import annotations

from flask import Response, jsonify

from rerank.core.errors import ModelNotFound
from rerank.service.api_blueprint import ApiBlueprint, Operation
from rerank.service.auth import Keys
from rerank.service.components import DEFAULT, CatalogEntry, Components
from rerank.service.response_models import ModelsResponse


def routes(components: Components, keys: Keys) -> ApiBlueprint:
    """Returns the routes that list the models and describe one model."""
    blueprint = ApiBlueprint("models")

    @blueprint.operation(
        Operation("GET", "/models", "List the models", response=ModelsResponse),
        Operation("GET", "/v1/models", "List the models", response=ModelsResponse),
    )
    def models() -> Response:
        entries = [dict(entry) for entry in components.catalog()]
        data = [_description(entry, components) for entry in entries]
        return jsonify({"models": entries, "object": "list", "data": data})

    @blueprint.operation(Operation("GET", "/v1/models/<path:model>", "Describe a model", errors=(404,)))
    def describe(model: str) -> Response:
        entries = {str(entry["name"]): entry for entry in components.catalog()}
        if model == DEFAULT:
            entries[model] = next(entry for entry in entries.values() if _is_default_reranker(entry))
        if model not in entries:
            raise ModelNotFound(f'model "{model}" is not configured. Configured: {", ".join(entries)}')
        return jsonify(_description({**entries[model], "name": model}, components))

    @blueprint.operation(Operation("GET", "/v1/cluster/auth", "Check whether requests need an API key (Xinference)"))
    def cluster_auth() -> Response:
        return jsonify({"auth": keys.required})

    return blueprint


def _description(entry: CatalogEntry, components: Components) -> dict[str, object]:
    """Returns a model with the keys that the clients of OpenAI, infinity, vLLM and Xinference read."""
    is_encoder = entry.get("kind") == "encoder"
    name, max_tokens = entry.get("name"), entry.get("max_tokens")
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "infinity",  # The only value that infinity's client accepts; others ignore the key.
        "stats": _stats(components),
        "backend": components.settings.runtime,
        "capabilities": ["embed"] if is_encoder else ["rerank"],
        "model_name": name,
        "model_type": "embedding" if is_encoder else "rerank",
        "model_ability": ["embed"] if is_encoder else ["rerank"],
        "max_model_len": max_tokens,
        "max_tokens": max_tokens,
        "context_length": max_tokens,
    }


def _is_default_reranker(entry: CatalogEntry) -> bool:
    return bool(entry.get("default")) and entry.get("kind") != "encoder"


def _stats(components: Components) -> dict[str, object]:
    """Returns the state of this worker's queue, which all models share. Counts requests."""
    waiting, limit = components.model_load().waiting, components.settings.max_waiting
    return {"queue_fraction": waiting / limit, "queue_absolute": waiting, "results_pending": waiting}
