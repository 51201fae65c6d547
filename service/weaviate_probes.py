"""What Weaviate asks a reranker before it uses it: whether it lives, whether it is ready, what it is."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from rerank.service.components import Components


def routes(components: Components) -> Blueprint:
    """Its probes answer 204, and its description is an object."""
    blueprint = Blueprint("weaviate", __name__)

    @blueprint.get("/.well-known/live")
    def live() -> Response:
        return Response(status=204)

    @blueprint.get("/.well-known/ready")
    def ready() -> Response:
        components.rerankers.get()
        return Response(status=204)

    @blueprint.get("/meta")
    def meta() -> Response:
        reranker = components.rerankers.get().get(None).reranker
        return jsonify({"model": reranker.name, "fingerprint": reranker.fingerprint, "max_tokens": reranker.max_tokens})

    return blueprint
