"""GET /info, in the format of text-embeddings-inference, whose clients request it before anything else."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from flask import Response, jsonify

from rerank.service.api_blueprint import ApiBlueprint, Operation
from rerank.service.components import Components
from rerank.service.request_models import MAX_TEXTS

DISTRIBUTION = "rerank-service"


def routes(components: Components) -> ApiBlueprint:
    """Returns the route that describes this server."""
    blueprint = ApiBlueprint("info")

    @blueprint.operation(
        Operation("GET", "/info", "Describe the server (text-embeddings-inference format)", errors=(503,))
    )
    def info() -> Response:
        reranker = components.rerankers.get().get(None).reranker
        return jsonify(
            {
                "model_id": reranker.name,
                "model_sha": reranker.fingerprint,
                "model_dtype": "float32",
                "served_model_name": reranker.name,
                "model_type": {"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}},
                "max_concurrent_requests": components.settings.threads,
                "max_input_length": reranker.max_tokens,
                "max_batch_tokens": reranker.max_tokens * MAX_TEXTS,
                "max_batch_requests": None,
                "max_client_batch_size": MAX_TEXTS,
                "auto_truncate": True,
                "tokenization_workers": components.settings.threads,
                "version": service_version(),
                "sha": None,
                "docker_label": None,
            }
        )

    return blueprint


def service_version() -> str:
    """Returns the installed version, or `0` if the package is not installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0"
