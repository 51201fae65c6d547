"""GET /models."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from service.components import Components


def routes(components: Components) -> Blueprint:
    """What can rank."""
    blueprint = Blueprint("models", __name__)

    @blueprint.get("/models")
    def models() -> Response:
        return jsonify({"models": [dict(entry) for entry in components.catalog()]})

    return blueprint
