"""GET /models."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from rerank.service.components import CatalogEntry, Components


def routes(components: Components) -> Blueprint:
    """What can rank."""
    blueprint = Blueprint("models", __name__)

    @blueprint.get("/models")
    def models() -> Response:
        entries = [dict(entry) for entry in components.catalog()]
        stats = _stats(components)
        data = [_of_infinity(entry, stats, components.settings.runtime) for entry in entries]
        return jsonify({"models": entries, "object": "list", "data": data})

    return blueprint


def _of_infinity(entry: CatalogEntry, stats: dict[str, object], backend: str) -> dict[str, object]:
    """As infinity's clients read it."""
    can = ["embed"] if entry.get("kind") == "encoder" else ["rerank"]
    return {"id": entry.get("name"), "object": "model", "stats": stats, "backend": backend, "capabilities": can}


def _stats(components: Components) -> dict[str, object]:
    """How busy this worker is: all models share one queue, of requests."""
    waiting, most = components.model_load().waiting, components.settings.max_waiting
    return {"queue_fraction": waiting / most, "queue_absolute": waiting, "results_pending": waiting}
