"""GET /models."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from service.components import CatalogEntry, Components


def routes(components: Components) -> Blueprint:
    """What can rank."""
    blueprint = Blueprint("models", __name__)

    @blueprint.get("/models")
    def models() -> Response:
        entries = [dict(entry) for entry in components.catalog()]
        return jsonify({"models": entries, "object": "list", "data": [_of_infinity(entry) for entry in entries]})

    return blueprint


def _of_infinity(entry: CatalogEntry) -> dict[str, object]:
    """As infinity's clients read it."""
    can = ["embed"] if entry.get("kind") == "encoder" else ["rerank"]
    return {"id": entry.get("name"), "object": "model", "capabilities": can}
