"""POST and DELETE /documents: small updates of an index that is there."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from rerank.core.document import Document
from rerank.core.errors import IndexNotFound
from rerank.core.indexing import Indexer
from rerank.core.protocols import Index
from rerank.service.components import Components
from rerank.service.request_body import check_unicode, read_json_object, validate_body
from rerank.service.request_models import AddBody, DeleteBody, DocumentBody


def routes(components: Components) -> Blueprint:
    """Adding and deleting. What was written is found by the next search."""
    blueprint = Blueprint("documents", __name__)

    @blueprint.post("/documents")
    def add() -> Response:
        body = validate_body(AddBody, read_json_object(request))
        index = _open(components, body.index)
        outcome = Indexer(index, components.encoder.get()).add([_document(document) for document in body.documents])
        if outcome.indexed:
            index.refresh()
        return jsonify(
            {
                "index": body.index,
                "indexed": outcome.indexed,
                "passages": outcome.passages,
                "skipped": outcome.skipped,
                "duplicates": outcome.duplicates,
                "rejected": [{"doc_id": entry.doc_id, "reason": entry.reason} for entry in outcome.rejected],
            }
        )

    @blueprint.delete("/documents")
    def delete() -> Response:
        body = validate_body(DeleteBody, read_json_object(request))
        check_unicode(body.doc_ids, "doc_ids")
        index = _open(components, body.index)
        deleted = index.delete(list(dict.fromkeys(body.doc_ids))) if body.doc_ids else 0
        if deleted:
            index.refresh()
        return jsonify({"index": body.index, "deleted": deleted})

    return blueprint


def _open(components: Components, name: str) -> Index:
    try:
        return components.store.get().open(name)
    except IndexNotFound as exc:
        raise IndexNotFound(f"{exc.message}; an index is made with rerank-cli ingest CORPUS --index NAME") from exc


def _document(body: DocumentBody) -> Document:
    return Document(doc_id=body.doc_id, text=body.text, title=body.title, metadata=body.metadata)
