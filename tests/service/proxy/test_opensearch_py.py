"""The unmodified client opensearch-py with the URL of the proxy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opensearchpy import NotFoundError, OpenSearch, RequestError, helpers

from tests.service.proxy.proxied_service import ProxiedService
from tests.service.proxy.sample_index import DOCUMENTS, INDEX, MAPPING, MATCH, fill, rerank_ext

NOTES = "notes"


@pytest.fixture(params=[False, True], ids=["plain", "gzip"])
def client(opensearch_proxy: ProxiedService, request: pytest.FixtureRequest) -> Iterator[OpenSearch]:
    """Yields a client of the proxy, with and without compression."""
    fill(opensearch_proxy.server)
    client = OpenSearch(opensearch_proxy.url, http_compress=request.param)
    client.indices.delete(index=NOTES, ignore_unavailable=True)
    yield client
    client.close()


def test_ping_and_info_reach_the_server(client: OpenSearch) -> None:
    """The client's ping sends HEAD /, and info sends GET /."""
    assert client.ping()
    assert client.info()["version"]["number"].split(".")[0].isdecimal()


def test_documents_can_be_written_read_and_deleted(client: OpenSearch) -> None:
    """A single document has an id that requires encoding. The others are written in bulk."""
    client.indices.create(index=NOTES, body={"mappings": MAPPING["mappings"], "settings": MAPPING["settings"]})
    doc_id = "a/b c?d#è%2F"
    assert client.index(index=NOTES, id=doc_id, body={"text": "tea"}, refresh=True)["result"] == "created"
    assert client.get(index=NOTES, id=doc_id)["_source"] == {"text": "tea"}
    assert client.exists(index=NOTES, id=doc_id)
    assert client.delete(index=NOTES, id=doc_id)["result"] == "deleted"
    assert not client.exists(index=NOTES, id=doc_id)
    with pytest.raises(NotFoundError):
        client.get(index=NOTES, id=doc_id)
    actions = [{"_index": NOTES, "_id": str(i), "text": f"tea {i} è"} for i in range(2500)]
    assert helpers.bulk(client, actions, chunk_size=1000, refresh=True) == (2500, [])
    assert client.count(index=NOTES)["count"] == 2500
    assert client.indices.delete(index=NOTES) == {"acknowledged": True}


def test_scan_returns_every_document(client: OpenSearch) -> None:
    """helpers.scan scrolls and clears its scroll."""
    scanned = {hit["_id"] for hit in helpers.scan(client, index=INDEX, query={"query": {"match_all": {}}}, size=3)}
    assert scanned == set(DOCUMENTS)


def test_searches_are_reranked_on_request(client: OpenSearch) -> None:
    """This holds for search, msearch and points in time. The server answers plain searches."""
    plain = client.search(index=INDEX, body={"query": MATCH})
    ranked = client.search(index=INDEX, body={"query": MATCH, "ext": rerank_ext()})
    assert "_rerank" not in plain
    assert (ranked["_rerank"]["applied"], ranked["hits"]["total"]) == (True, plain["hits"]["total"])
    both = client.msearch(
        body=[{"index": INDEX}, {"query": MATCH}, {"index": INDEX}, {"query": MATCH, "ext": rerank_ext()}]
    )
    assert ["_rerank" in response for response in both["responses"]] == [False, True]
    pit = client.create_pit(index=INDEX, params={"keep_alive": "1m"})["pit_id"]
    at_point = client.search(body={"pit": {"id": pit}, "query": MATCH, "ext": rerank_ext()})
    assert [hit["_id"] for hit in at_point["hits"]["hits"]] == [hit["_id"] for hit in ranked["hits"]["hits"]]
    after = client.search(
        body={"pit": {"id": pit}, "sort": [{"year": "asc"}], "search_after": [2006], "ext": rerank_ext()}
    )
    assert [hit["_id"] for hit in after["hits"]["hits"]] == ["7", "8"]
    assert client.delete_pit(body={"pit_id": [pit]})["pits"][0]["successful"]


def test_errors_keep_their_exception_types(client: OpenSearch) -> None:
    """Errors of the server and of the proxy raise the client's usual exceptions."""
    with pytest.raises(RequestError) as refused:
        client.search(index=INDEX, body={"query": {"no_such": {}}})
    assert refused.value.error == "parsing_exception"
    with pytest.raises(RequestError) as rejected:
        client.search(index=INDEX, body={"query": MATCH, "ext": {"rerank": {"window": "wide"}}})
    assert rejected.value.status_code == 400
    with pytest.raises(NotFoundError):
        client.search(index="no-such-index", body={"query": MATCH, "ext": rerank_ext()})


def test_cluster_and_cat_apis_work(client: OpenSearch) -> None:
    """The cluster APIs return JSON, and the cat APIs text or JSON."""
    assert client.cluster.health()["status"] in ("green", "yellow")
    assert INDEX in client.cat.indices(params={"h": "index"})
    assert client.cat.count(index=INDEX, params={"format": "json"})[0]["count"] == "8"
    assert INDEX in client.indices.get_mapping(index=INDEX)


def test_own_index_is_reranked_by_its_passages(client: OpenSearch, opensearch_proxy: ProxiedService) -> None:
    """The service reranks an index that it created like any other."""
    body = {
        "mappings": {
            "properties": {
                "doc_id": {"type": "keyword"},
                "title": {"type": "text", "index": False, "copy_to": "headed"},
                "long_text": {"type": "text", "index": False, "copy_to": "headed"},
                "headed": {"type": "text"},
                "passages": {"type": "nested", "properties": {"text": {"type": "text"}}},
            }
        }
    }
    client.indices.create(index=NOTES, body=body)
    for doc_id, text in (("a", "tea tea tea"), ("b", "the leaves of green tea")):
        source = {"doc_id": doc_id, "title": "T", "long_text": text, "passages": [{"text": text}]}
        client.index(index=NOTES, id=doc_id, body=source, refresh=True)
    nested = {"nested": {"path": "passages", "query": {"match": {"passages.text": "green tea leaves"}}}}
    for query in (nested, {"match": {"headed": "green tea leaves"}}):
        ranked = client.search(index=NOTES, body={"query": query, "ext": {"rerank": {}}})
        assert [hit["_id"] for hit in ranked["hits"]["hits"]] == ["b", "a"]
        assert ranked["_rerank"]["applied"]
