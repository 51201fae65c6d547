"""GET /models: the models that requests may name."""

from __future__ import annotations

from flask import Response, jsonify

from rerank.service.api_blueprint import ApiBlueprint, Operation
from rerank.service.components import CatalogEntry, Components
from rerank.service.response_models import ModelsResponse


def routes(components: Components) -> ApiBlueprint:
    """Returns the route that lists the models."""
    blueprint = ApiBlueprint("models")

    @blueprint.operation(Operation("GET", "/models", "List the models", response=ModelsResponse))
    def models() -> Response:
        entries = [dict(entry) for entry in components.catalog()]
        stats = _stats(components)
        data = [_infinity_entry(entry, stats, components.settings.runtime) for entry in entries]
        return jsonify({"models": entries, "object": "list", "data": data})

    return blueprint


def _infinity_entry(entry: CatalogEntry, stats: dict[str, object], backend: str) -> dict[str, object]:
    capabilities = ["embed"] if entry.get("kind") == "encoder" else ["rerank"]
    return {
        "id": entry.get("name"),
        "object": "model",
        "stats": stats,
        "backend": backend,
        "capabilities": capabilities,
    }


def _stats(components: Components) -> dict[str, object]:
    """Returns the state of this worker's queue, which all models share. Counts requests."""
    waiting, limit = components.model_load().waiting, components.settings.max_waiting
    return {"queue_fraction": waiting / limit, "queue_absolute": waiting, "results_pending": waiting}
