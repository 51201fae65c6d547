"""POST and DELETE /documents: small updates of an existing index."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Response, jsonify, request

from rerank.core.document import Document
from rerank.core.errors import IndexNotFound
from rerank.core.indexing import AddOutcome, Indexer
from rerank.core.protocols import Index
from rerank.core.retry import RetryPolicy, retry
from rerank.service.api_blueprint import BODY_ERRORS, STORE_ERRORS, ApiBlueprint, Operation
from rerank.service.components import Components
from rerank.service.request_body import read_json_object
from rerank.service.request_models import AddBody, DeleteBody, DocumentBody
from rerank.service.response_models import AddResponse, DeleteResponse
from rerank.service.validation import check_unicode, validate_body

REBUILD_RETRIES = RetryPolicy(first=0.5, longest=1.0, retries=3)
"""Retries of a write to a generation that a rebuild has just replaced."""

T = TypeVar("T")

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
        documents = [_document(document) for document in body.documents]

        def write(index: Index) -> AddOutcome:
            outcome = Indexer(index, components.encoder.get()).add(documents)
            if outcome.indexed:
                index.refresh()
            return outcome

        outcome = _written(components, body.index, write)
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

        def write(index: Index) -> int:
            deleted = index.delete(list(dict.fromkeys(body.doc_ids))) if body.doc_ids else 0
            if deleted:
                index.refresh()
            return deleted

        deleted = _written(components, body.index, write)
        return jsonify({"index": body.index, "deleted": deleted})

    return blueprint


def _written(components: Components, name: str, write: Callable[[Index], T]) -> T:
    """Returns the result of *write*, repeated if a rebuild of the index was published meanwhile.

    Raises IndexNotFound if the index does not exist.
    """
    index = components.store.get().open(name)
    try:
        return write(index)
    except IndexNotFound:
        pass
    # A store can return the replaced generation for a second.
    return retry(lambda: write(components.store.get().open(name)), REBUILD_RETRIES, errors=(IndexNotFound,))


def _document(body: DocumentBody) -> Document:
    return Document(doc_id=body.doc_id, text=body.text, title=body.title, metadata=body.metadata)
