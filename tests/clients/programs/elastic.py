"""Elasticsearch's own client, at work as if it spoke to an Elasticsearch."""

from __future__ import annotations

from typing import Any

from elasticsearch import ApiError, BadRequestError, Elasticsearch, NotFoundError, helpers

from tests.clients.programs.reporting import report

INDEX = "books"
BOOKS = {
    "1": {"title": "coffee", "text": "milk milk milk in coffee"},
    "2": {"title": "tea", "text": "green tea with milk"},
    "3": {"title": "rain", "text": "rain and milk"},
}
QUERY = "green tea milk"
MILK: dict[str, Any] = {"standard": {"query": {"match": {"text": "milk"}}}}
TEA: dict[str, Any] = {"standard": {"query": {"match": {"title": "tea"}}}}


def _client(url: str) -> Elasticsearch:
    return Elasticsearch(url)


def _ids(answer: Any) -> list[str]:
    return [hit["_id"] for hit in answer["hits"]["hits"]]


def _reranked(inner: dict[str, Any]) -> dict[str, Any]:
    return {
        "text_similarity_reranker": {
            "retriever": inner,
            "field": "text",
            "inference_id": "any",
            "inference_text": QUERY,
            "rank_window_size": 50,
            "chunk_rescorer": {"size": 1},
        }
    }


def fill(url: str, _key: str) -> object:
    client = _client(url)
    client.options(ignore_status=404).indices.delete(index=INDEX)
    client.indices.create(index=INDEX)
    actions = [{"_index": INDEX, "_id": doc_id, "_source": book} for doc_id, book in BOOKS.items()]
    written, errors = helpers.bulk(client, actions)
    return [
        client.info()["version"]["number"],
        client.ping(),
        bool(client.indices.exists(index=INDEX)),
        bool(client.indices.exists(index="nowhere")),
        [written, errors],
        client.get(index=INDEX, id="2")["_source"]["title"],
        client.count(index=INDEX, query={"match_all": {}})["count"],
    ]


def search(url: str, _key: str) -> object:
    client = _client(url)
    plain = client.search(index=INDEX, query={"match": {"text": "milk"}})
    answer = client.search(index=INDEX, retriever=_reranked(MILK), size=2)
    fused = client.search(index=INDEX, retriever=_reranked({"rrf": {"retrievers": [MILK, TEA]}}))
    return [_ids(plain), _ids(answer), _ids(fused), answer.meta.headers["x-rerank-applied"], answer["hits"]["total"]]


def errors(url: str, _key: str) -> object:
    client = _client(url)
    found = []
    for ask in (
        lambda: client.search(index="nowhere", query={"match": {"text": "milk"}}),
        lambda: client.search(index="nowhere", retriever=_reranked(MILK)),
        lambda: client.get(index=INDEX, id="9"),
        lambda: client.indices.create(index=INDEX),
        lambda: client.search(
            index=INDEX, retriever={"text_similarity_reranker": {"retriever": MILK, "field": "text"}}
        ),
    ):
        try:
            ask()
        except (NotFoundError, BadRequestError) as exc:
            found.append([type(exc).__name__, exc.meta.status])
        except ApiError as exc:
            found.append(["another", exc.meta.status])
    return found


if __name__ == "__main__":
    report(["elasticsearch"], {"fill": fill, "search": search, "errors": errors})
