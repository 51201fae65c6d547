"""Sample index that the service did not create, and searches of it."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes import FakeEncoder
from tests.service.proxy.proxied_service import ProxiedService, Reply, send

INDEX = "library"
QUERY = "green tea leaves"
ENCODER = FakeEncoder(dim=8)

DOCUMENTS: dict[str, dict[str, Any]] = {
    "1": {"title": "Tea", "text": "tea tea tea tea", "year": 2001, "lang": "en"},
    "2": {"title": "Leaves", "text": "the leaves of green tea", "year": 2002, "lang": "en"},
    "3": {"title": "Green", "text": "green green green", "year": 2003, "lang": "it"},
    "4": {"title": ["Two", "titles"], "text": ["green leaves", "and tea"], "year": 2004, "lang": "en"},
    "5": {"title": "No text about tea", "year": 2005, "lang": "en"},
    "6": {"title": "Nested tea", "parts": [{"body": "green tea"}, {"body": "leaves"}], "year": 2006, "lang": "it"},
    "7": {"title": "Deep tea", "deep": {"er": "green leaves"}, "year": 2007, "lang": "it"},
    "8": {"title": "Coffee", "text": "il caffè è amaro", "year": 2008, "lang": "it"},
}
MAPPING = {
    "settings": {"index": {"knn": True, "number_of_shards": 1, "number_of_replicas": 0}},
    "mappings": {
        "properties": {
            "title": {"type": "text", "copy_to": "everything", "fields": {"raw": {"type": "keyword"}}},
            "text": {"type": "text", "copy_to": "everything"},
            "everything": {"type": "text"},
            "year": {"type": "integer"},
            "lang": {"type": "keyword"},
            "parts": {"type": "nested", "properties": {"body": {"type": "text"}}},
            "deep": {"properties": {"er": {"type": "text"}}},
            "vector": {
                "type": "knn_vector",
                "dimension": 8,
                "method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"},
            },
        }
    },
}
MATCH = {"match": {"everything": QUERY}}


def fill(url: str, index: str = INDEX, documents: dict[str, dict[str, Any]] | None = None) -> None:
    """Creates the index, in place of an existing one, with its documents."""
    send(url, "DELETE", f"/{index}")
    assert send(url, "PUT", f"/{index}", MAPPING).status == 200
    lines: list[str] = []
    for doc_id, document in (documents or DOCUMENTS).items():
        text = " ".join(str(value) for value in document.values())
        vector = ENCODER.encode_documents([text])[0].tolist()
        lines += [json.dumps({"index": {"_id": doc_id}}), json.dumps({**document, "vector": vector})]
    reply = send(
        url,
        "POST",
        f"/{index}/_bulk?refresh=true",
        ("\n".join(lines) + "\n").encode(),
        {"Content-Type": "application/x-ndjson"},
    )
    assert reply.json()["errors"] is False


def search(service: ProxiedService, body: object, target: str = f"/{INDEX}/_search") -> Reply:
    """Sends a search to the service."""
    return service.send("POST", target, body)


def ids(reply: Reply) -> list[str]:
    """Returns the ids of the hits, in order."""
    return [hit["_id"] for hit in reply.json()["hits"]["hits"]]


def rerank_ext(**options: object) -> dict[str, object]:
    """Returns an `ext` object that requests reranking with *options*."""
    return {"rerank": {"fields": ["title", "text"], **options}}


def rerank_result(reply: Reply) -> tuple[str, str]:
    """Returns the headers x-rerank-applied and x-rerank-reason, or "absent" for a missing one."""
    return reply.headers.get("x-rerank-applied", "absent"), reply.headers.get("x-rerank-reason", "absent")
