"""Indexes of the stub and their documents."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.elasticsearch.api_error import ApiError, no_such_index

SHARDS = {"total": 1, "successful": 1, "failed": 0}


@dataclass
class Index:
    """An index: the properties of its mapping, and its documents in insertion order."""

    name: str
    properties: dict[str, Any]
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    writes: int = 0


class Indexes:
    """All indexes of a server."""

    def __init__(self) -> None:
        self.by_name: dict[str, Index] = {}

    def named(self, name: str) -> Index:
        """Returns the index *name*. Raises ApiError (404)."""
        if name not in self.by_name:
            raise no_such_index(name)
        return self.by_name[name]

    def create(self, name: str, body: dict[str, Any]) -> dict[str, object]:
        """Handles PUT /name. Raises ApiError (400) if the index exists."""
        if name in self.by_name:
            raise ApiError(400, "resource_already_exists_exception", f"index [{name}/x] already exists", index=name)
        self.by_name[name] = Index(name, body.get("mappings", {}).get("properties", {}))
        return {"acknowledged": True, "shards_acknowledged": True, "index": name}

    def delete(self, name: str) -> dict[str, object]:
        """Handles DELETE /name."""
        self.named(name)
        del self.by_name[name]
        return {"acknowledged": True}

    def put(self, name: str, doc_id: str, document: dict[str, Any]) -> tuple[int, dict[str, object]]:
        """Writes a document and creates its index if it is missing."""
        index = self.by_name.setdefault(name, Index(name, {}))
        result = "updated" if doc_id in index.documents else "created"
        index.documents[doc_id] = document
        return (201 if result == "created" else 200), _write_result(index, name, doc_id, result)

    def get(self, name: str, doc_id: str) -> tuple[int, dict[str, object]]:
        """Returns a document. A missing one is status 404 without an error object."""
        document = self.named(name).documents.get(doc_id)
        if document is None:
            return 404, {"_index": name, "_id": doc_id, "found": False}
        metadata = {"_version": 1, "_seq_no": 0, "_primary_term": 1, "found": True}
        return 200, {"_index": name, "_id": doc_id, **metadata, "_source": document}

    def remove(self, name: str, doc_id: str) -> tuple[int, dict[str, object]]:
        """Deletes a document. A missing one is status 404."""
        index = self.named(name)
        found = index.documents.pop(doc_id, None) is not None
        result = _write_result(index, name, doc_id, "deleted" if found else "not_found")
        return (200 if found else 404), result

    def bulk(self, name: str, body: bytes) -> dict[str, object]:
        """Executes the index, create and delete actions of an NDJSON body. Raises ApiError without a final newline."""
        if not body.endswith(b"\n"):
            reason = "The bulk request must be terminated by a newline [\\n]"
            raise ApiError(400, "illegal_argument_exception", reason)
        lines = iter([json.loads(line) for line in body.splitlines()])
        items: list[dict[str, object]] = []
        for line in lines:
            ((action, metadata),) = line.items()
            target, doc_id = metadata.get("_index", name), metadata["_id"]
            is_delete = action == "delete"
            status, result = self.remove(target, doc_id) if is_delete else self.put(target, doc_id, next(lines))
            items.append({action: {**result, "status": status}})
        return {"errors": False, "took": 1, "items": items}


def _write_result(index: Index, name: str, doc_id: str, result: str) -> dict[str, object]:
    index.writes += 1
    metadata = {"_version": 1, "result": result, "_shards": SHARDS, "_seq_no": index.writes, "_primary_term": 1}
    return {"_index": name, "_id": doc_id, **metadata}
