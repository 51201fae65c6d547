"""As much of an Elasticsearch as its client needs to see: its documented bodies, headers and media types.

Documents are kept in memory. It searches by counting the query's words in a field, knows the retrievers `standard` and
`rrf`, and answers 404 for what is not there as Elasticsearch does. A request whose media type is none of
Elasticsearch's own is refused, so that one whose headers were touched on the way does not pass.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.service.proxy.scripted import Asked

VERSION = "9.1.0"
_MEDIA = re.compile(r"application/vnd\.elasticsearch\+(json|x-ndjson); ?compatible-with=(8|9)")
_CONSTANT = 60

Hit = dict[str, Any]


class ElasticsearchStub:
    """Answers the requests of a ScriptedServer."""

    def __init__(self) -> None:
        self.indexes: dict[str, dict[str, dict[str, Any]]] = {}

    def answer(self, asked: Asked, _connection: socket.socket) -> bytes:
        """The whole answer."""
        method, target, _ = asked.line.split(" ")
        for header in ("accept", "content-type"):
            if not _MEDIA.fullmatch(asked.headers.get(header, "application/vnd.elasticsearch+json; compatible-with=9")):
                return _said(406, _error("media_type_header_exception", f"Invalid media-type value on [{header}]"))
        status, body = self._handle(method, [part for part in urlsplit(target).path.split("/") if part], asked.body)
        return _said(status, body, head=method == "HEAD")

    def _handle(self, method: str, path: list[str], body: bytes) -> tuple[int, object]:
        match method, path:
            case _, []:
                return 200, _INFO
            case "POST" | "PUT", ["_bulk"]:
                return 200, self._bulk(body)
            case "POST", ["_search", "scroll"]:
                return 404, _error("resource_not_found_exception", "No search context found for id [1]", status=404)
            case "PUT", [index]:
                if index in self.indexes:
                    return 400, _error("resource_already_exists_exception", f"index [{index}] already exists")
                self.indexes[index] = {}
                return 200, {"acknowledged": True, "shards_acknowledged": True, "index": index}
            case _, [index, *rest] if index in self.indexes:
                return self._handle_index(method, index, rest, body)
            case _, [index, *_]:
                return 404, _error("index_not_found_exception", f"no such index [{index}]", status=404)
        return _no_handler(method, path)

    def _handle_index(self, method: str, index: str, path: list[str], body: bytes) -> tuple[int, object]:
        match method, path:
            case "HEAD" | "GET", []:
                return 200, {index: {"aliases": {}, "mappings": {}, "settings": {}}}
            case "DELETE", []:
                del self.indexes[index]
                return 200, {"acknowledged": True}
            case "GET", ["_mapping"]:
                fields = {name for source in self.indexes[index].values() for name in source}
                properties = {name: {"type": "text"} for name in sorted(fields)}
                return 200, {index: {"mappings": {"properties": properties}}}
            case "GET", ["_doc", doc_id]:
                source = self.indexes[index].get(doc_id)
                found = {} if source is None else {"_version": 1, "_source": source}
                return (404 if source is None else 200), {
                    "_index": index,
                    "_id": doc_id,
                    "found": source is not None,
                    **found,
                }
            case "POST", ["_count"]:
                return 200, {"count": len(self.indexes[index]), "_shards": _SHARDS}
            case "POST", ["_search"]:
                return 200, self._search(index, json.loads(body or b"{}"))
        return _no_handler(method, path)

    def _bulk(self, body: bytes) -> object:
        lines = [json.loads(line) for line in body.splitlines()]
        items = []
        for action, source in zip(lines[::2], lines[1::2], strict=True):
            meta = action["index"]
            self.indexes.setdefault(meta["_index"], {})[meta["_id"]] = source
            items.append({"index": {**meta, "status": 201, "result": "created", "_version": 1, "_shards": _SHARDS}})
        return {"took": 1, "errors": False, "items": items}

    def _search(self, index: str, body: Mapping[str, Any]) -> object:
        retriever = body.get("retriever", {"standard": {"query": body.get("query", {"match_all": {}})}})
        found = self._found(index, retriever)
        start = body.get("from", 0)
        hits = [self._hit(index, one, body) for one in found[start : start + body.get("size", 10)]]
        total = {"value": len(found), "relation": "eq"}
        best = max((score for _, score in found), default=None)
        return {
            "took": 1,
            "timed_out": False,
            "_shards": _SHARDS,
            "hits": {"total": total, "max_score": best, "hits": hits},
        }

    def _found(self, index: str, retriever: Mapping[str, Any]) -> list[tuple[str, float]]:
        ((kind, part),) = retriever.items()
        if kind == "rrf":
            scores: dict[str, float] = {}
            for member in part["retrievers"]:
                for rank, (doc_id, _) in enumerate(self._found(index, member), start=1):
                    scores[doc_id] = scores.get(doc_id, 0.0) + 1 / (_CONSTANT + rank)
            return sorted(scores.items(), key=lambda one: -one[1])
        assert kind == "standard", f"{kind} is the service's own: it must not reach the server"
        ((field, words),) = part["query"].get("match", {"": ""}).items()
        asked = str(words).lower().split()
        counted = {
            doc_id: float(sum(str(source.get(field, "")).lower().split().count(word) for word in asked))
            for doc_id, source in self.indexes[index].items()
        }
        return sorted(((doc_id, score) for doc_id, score in counted.items() if score), key=lambda one: -one[1])

    def _hit(self, index: str, found: tuple[str, float], body: Mapping[str, Any]) -> Hit:
        doc_id, score = found
        source = self.indexes[index][doc_id]
        hit: Hit = {"_index": index, "_id": doc_id, "_score": score}
        if body.get("_source", True) is not False:
            hit["_source"] = source
        if names := [name for name in body.get("fields", ()) if name in source]:
            hit["fields"] = {name: [source[name]] for name in names}
        return hit


_SHARDS = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
_INFO = {
    "name": "stub",
    "cluster_name": "stub",
    "cluster_uuid": "stub",
    "version": {
        "number": VERSION,
        "build_flavor": "default",
        "build_type": "docker",
        "build_hash": "0" * 40,
        "build_date": "2025-07-21T00:00:00.000000000Z",
        "build_snapshot": False,
        "lucene_version": "10.2.2",
        "minimum_wire_compatibility_version": "8.19.0",
        "minimum_index_compatibility_version": "8.0.0",
    },
    "tagline": "You Know, for Search",
}


def _no_handler(method: str, path: list[str]) -> tuple[int, object]:
    return 400, _error("illegal_argument_exception", f"no handler found for {method} {path}")


def _error(kind: str, reason: str, *, status: int = 400) -> object:
    cause = {"type": kind, "reason": reason}
    return {"error": {"root_cause": [cause], **cause}, "status": status}


def _said(status: int, body: object, *, head: bool = False) -> bytes:
    data = json.dumps(body).encode()
    lines = (
        f"HTTP/1.1 {status} Said",
        "X-elastic-product: Elasticsearch",
        "content-type: application/vnd.elasticsearch+json;compatible-with=9",
        f"content-length: {len(data)}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if head else data)
