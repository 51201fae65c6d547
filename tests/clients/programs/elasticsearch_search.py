"""Elasticsearch's client, with the service as its server."""

from __future__ import annotations

from typing import Any

from elasticsearch import ApiError, Elasticsearch, helpers

from tests.clients.programs.reporting import DOCUMENTS, QUERY, report

INDEX = "things"
TEXTS = {"1": "tea tea tea tea", "2": "coffee", "3": "green tea", "4": "tea and milk"}
MATCH: dict[str, Any] = {"match": {"text": QUERY}}
TEA: dict[str, Any] = {"standard": {"query": {"match": {"text": "tea"}}}}
GREEN: dict[str, Any] = {"standard": {"query": {"match": {"text": "green"}}}}


def _client(url: str, key: str) -> Elasticsearch:
    # Compression applies to requests and responses.
    return Elasticsearch(url, basic_auth=("elastic", key), http_compress=key == "compressed")


def _reranker(inner: dict[str, Any], **more: object) -> dict[str, Any]:
    part = {"retriever": inner, "field": "text", "inference_id": "any", "inference_text": QUERY, **more}
    return {"text_similarity_reranker": part}


def _summary(response: Any) -> list[object]:
    headers = response.meta.headers
    ids = [hit["_id"] for hit in response["hits"]["hits"]]
    return [ids, headers.get("x-rerank-applied"), headers.get("x-elastic-product"), response["hits"]["total"]["value"]]


def info(url: str, key: str) -> object:
    client = _client(url, key)
    return [client.ping(), client.info()["tagline"], client.info().meta.headers["content-type"].rpartition(";")[0]]


def documents(url: str, key: str) -> object:
    client = _client(url, key)
    client.indices.create(index=INDEX, mappings={"properties": {"text": {"type": "text"}}})
    existing = [bool(client.indices.exists(index=name)) for name in (INDEX, "nothing")]
    written = client.index(index=INDEX, id="a/b", document={"text": "rain"})["result"]
    actions = [{"_index": INDEX, "_id": doc_id, "text": text} for doc_id, text in TEXTS.items()]
    written_in_bulk = helpers.bulk(client, actions)
    text = client.get(index=INDEX, id="a/b")["_source"]["text"]
    count = client.count(index=INDEX, query=MATCH)["count"]
    deleted = client.delete(index=INDEX, id="a/b")["result"]
    return [existing, written, list(written_in_bulk), text, count, deleted]


def plain(url: str, key: str) -> object:
    return _summary(_client(url, key).search(index=INDEX, query=MATCH))


def by_ext(url: str, key: str) -> object:
    return _summary(_client(url, key).search(index=INDEX, query=MATCH, ext={"rerank": {}}, size=2))


def by_retriever(url: str, key: str) -> object:
    return _summary(_client(url, key).search(index=INDEX, retriever=_reranker(TEA, rank_window_size=50)))


def by_rrf(url: str, key: str) -> object:
    rrf = {"rrf": {"retrievers": [TEA, GREEN], "rank_window_size": 10}}
    return _summary(_client(url, key).search(index=INDEX, retriever=_reranker(rrf, rank_window_size=50), size=2))


def by_linear(url: str, key: str) -> object:
    linear = {"linear": {"retrievers": [{"retriever": TEA, "weight": 2.0}, {"retriever": GREEN}]}}
    return _summary(_client(url, key).search(index=INDEX, retriever=_reranker(linear, rank_window_size=20)))


def filtered(url: str, key: str) -> object:
    green_or_milk = {"bool": {"should": [{"term": {"text": "green"}}, {"term": {"text": "milk"}}]}}
    return _summary(_client(url, key).search(index=INDEX, retriever=_reranker(TEA, filter=green_or_milk)))


def by_chunk(url: str, key: str) -> object:
    chunks = {"size": 2, "chunking_settings": {"strategy": "sentence", "max_chunk_size": 50, "sentence_overlap": 0}}
    return _summary(_client(url, key).search(index=INDEX, retriever=_reranker(TEA, chunk_rescorer=chunks)))


def pages(url: str, key: str) -> object:
    client = _client(url, key)
    replies = [client.search(index=INDEX, retriever=_reranker(TEA), size=1, from_=start) for start in (0, 1, 2)]
    return [hit["_id"] for reply in replies for hit in reply["hits"]["hits"]]


def point_in_time(url: str, key: str) -> object:
    client = _client(url, key)
    point = client.open_point_in_time(index=INDEX, keep_alive="1m")["id"]
    response = client.search(pit={"id": point}, retriever=_reranker(TEA))
    closed = client.close_point_in_time(id=point)["succeeded"]
    return [*_summary(response), response["pit_id"] == point, closed]


def multi_search(url: str, key: str) -> object:
    searches: list[dict[str, Any]] = [
        {},
        {"query": MATCH},
        {"index": INDEX},
        {"query": MATCH, "ext": {"rerank": {}}, "size": 2},
        {"index": INDEX},
        {"retriever": _reranker(TEA)},
        {"index": "nothing"},
        {"query": MATCH},
    ]
    response = _client(url, key).msearch(index=INDEX, searches=searches)
    return [
        [result["status"], [hit["_id"] for hit in result.get("hits", {}).get("hits", [])]]
        for result in response["responses"]
    ]


def by_url_parameters(url: str, key: str) -> object:
    return _summary(_client(url, key).search(index=INDEX, retriever=_reranker(TEA), source=False, from_=1))


def inference(url: str, key: str) -> object:
    response = _client(url, key).inference.rerank(inference_id="default", query=QUERY, input=DOCUMENTS)
    return [result["index"] for result in response["rerank"]]


def scroll(url: str, key: str) -> object:
    return sorted(hit["_id"] for hit in helpers.scan(_client(url, key), index=INDEX))


def errors(url: str, key: str) -> object:
    client = _client(url, key)
    calls = (
        lambda: client.search(index="nothing", query=MATCH),
        lambda: client.search(index="nothing", retriever=_reranker(TEA)),
        lambda: client.get(index=INDEX, id="nothing"),
        lambda: client.search(index=INDEX, query={"no_such_clause": {}}),
        lambda: client.search(index=INDEX, query=MATCH, ext={"rerank": {"window": 0}}),
        lambda: client.search(index=INDEX, query=MATCH, ext={"rerank": {"model": "unknown"}}),
        lambda: client.search(index=INDEX, retriever=_reranker({"no_such_retriever": {}})),
        lambda: client.search(index=INDEX, retriever={"text_similarity_reranker": {"retriever": TEA, "field": "text"}}),
        lambda: client.indices.create(index=INDEX),
    )
    return [_error(call) for call in calls]


def _error(call: Any) -> object:
    try:
        return call().body
    except ApiError as exc:
        return [type(exc).__name__, exc.status_code, exc.error]


if __name__ == "__main__":
    report(
        ["elasticsearch"],
        {
            "info": info,
            "documents": documents,
            "plain": plain,
            "ext": by_ext,
            "retriever": by_retriever,
            "rrf": by_rrf,
            "linear": by_linear,
            "filter": filtered,
            "chunk_rescorer": by_chunk,
            "pages": pages,
            "point in time": point_in_time,
            "multi search": multi_search,
            "url parameters": by_url_parameters,
            "inference": inference,
            "scroll": scroll,
            "errors": errors,
        },
    )
