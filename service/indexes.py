"""GET /indexes."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from rerank.core.protocols import IndexInfo
from rerank.service.components import Components


def routes(components: Components) -> Blueprint:
    """What can be searched."""
    blueprint = Blueprint("indexes", __name__)

    @blueprint.get("/indexes")
    def indexes() -> Response:
        return jsonify({"indexes": [_shown(info) for info in components.store.get().indexes()]})

    return blueprint


def _shown(info: IndexInfo) -> dict[str, object]:
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
    }
