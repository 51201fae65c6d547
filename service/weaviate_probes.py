"""Routes that Weaviate's reranker module requires: liveness, readiness, and a description of the model."""

from __future__ import annotations

from flask import Response, jsonify

from rerank.service.api_blueprint import ApiBlueprint, Operation
from rerank.service.components import Components


def routes(components: Components) -> ApiBlueprint:
    """Returns the routes of the probes (204) and of the description (an object)."""
    blueprint = ApiBlueprint("weaviate_probes")

    @blueprint.operation(
        Operation("GET", "/.well-known/live", "Check that the process is alive (Weaviate)", status=204)
    )
    def live() -> Response:
        return Response(status=204)

    @blueprint.operation(
        Operation(
            "GET", "/.well-known/ready", "Check that the reranker is loaded (Weaviate)", status=204, errors=(503,)
        )
    )
    def ready() -> Response:
        components.rerankers.get()
        return Response(status=204)

    @blueprint.operation(Operation("GET", "/meta", "Describe the reranker (Weaviate)", errors=(503,)))
    def meta() -> Response:
        reranker = components.rerankers.get().get(None).reranker
        return jsonify({"model": reranker.name, "fingerprint": reranker.fingerprint, "max_tokens": reranker.max_tokens})

    return blueprint
