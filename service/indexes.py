"""GET /indexes: the indexes of the store."""

from __future__ import annotations

from flask import Response, jsonify

from rerank.core.protocols import IndexInfo
from rerank.service.api_blueprint import STORE_ERRORS, ApiBlueprint, Operation
from rerank.service.components import Components
from rerank.service.response_models import IndexesResponse


def routes(components: Components) -> ApiBlueprint:
    """Returns the route that lists the indexes."""
    blueprint = ApiBlueprint("indexes")

    @blueprint.operation(
        Operation("GET", "/indexes", "List the indexes", response=IndexesResponse, errors=STORE_ERRORS)
    )
    def indexes() -> Response:
        return jsonify({"indexes": [_to_json(info) for info in components.store.get().indexes()]})

    return blueprint


def _to_json(info: IndexInfo) -> dict[str, object]:
    return {
        "name": info.name,
        "documents": info.documents,
        "passages": info.passages,
        "encoder": {
            "name": info.encoder.name,
            "fingerprint": info.encoder.fingerprint,
            "dim": info.encoder.dim,
        },
        "analyzer": info.analyzer,
        "created": info.created,
        "fields": dict(sorted(info.fields.items())),
    }
