"""POST and DELETE /documents: small updates of an existing index."""

from __future__ import annotations

from flask import Response, jsonify, request

from rerank.core.document import Document
from rerank.core.indexing import Indexer
from rerank.core.protocols import Index
from rerank.service.api_blueprint import BODY_ERRORS, STORE_ERRORS, ApiBlueprint, Operation
from rerank.service.components import Components
from rerank.service.request_body import read_json_object
from rerank.service.request_models import AddBody, DeleteBody, DocumentBody
from rerank.service.response_models import AddResponse, DeleteResponse
from rerank.service.validation import check_unicode, validate_body

ADD = Operation(
    "POST",
    "/documents",
    "Add or replace documents",
    body=AddBody,
    response=AddResponse,
    errors=(404, 409, 507, *BODY_ERRORS, *STORE_ERRORS),
)
DELETE = Operation(
    "DELETE",
    "/documents",
    "Delete documents",
    body=DeleteBody,
    response=DeleteResponse,
    errors=(404, *BODY_ERRORS, *STORE_ERRORS),
)


def routes(components: Components) -> ApiBlueprint:
    """Returns the routes that add and delete documents. The next search sees each change."""
    blueprint = ApiBlueprint("documents")

    @blueprint.operation(ADD)
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

    @blueprint.operation(DELETE)
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
    return components.store.get().open(name)


def _document(body: DocumentBody) -> Document:
    return Document(doc_id=body.doc_id, text=body.text, title=body.title, metadata=body.metadata)
