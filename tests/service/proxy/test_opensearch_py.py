"""opensearch-py, unmodified, with the proxy's address in place of the server's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opensearchpy import NotFoundError, OpenSearch, RequestError, helpers

from tests.service.proxy.library import DOCUMENTS, INDEX, MAPPING, MATCH, fill, reranked
from tests.service.proxy.standing import Standing

NOTES = "notes"


@pytest.fixture(params=[False, True], ids=["plain", "gzip"])
def client(before_opensearch: Standing, request: pytest.FixtureRequest) -> Iterator[OpenSearch]:
    """A client of the proxy, compressing or not."""
    fill(before_opensearch.server)
    client = OpenSearch(before_opensearch.url, http_compress=request.param)
    client.indices.delete(index=NOTES, ignore_unavailable=True)
    yield client
    client.close()


def test_it_finds_its_server(client: OpenSearch) -> None:
    """ping is HEAD /, info is GET /: both are the server's."""
    assert client.ping()
    assert client.info()["version"]["number"].split(".")[0].isdecimal()


def test_documents_are_written_read_and_deleted(client: OpenSearch) -> None:
    """One by one, with an id that must be encoded, and in bulk."""
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


def test_everything_is_scanned(client: OpenSearch) -> None:
    """helpers.scan scrolls, and clears its scroll."""
    found = {hit["_id"] for hit in helpers.scan(client, index=INDEX, query={"query": {"match_all": {}}}, size=3)}
    assert found == set(DOCUMENTS)


def test_searches_are_re_ranked_where_they_ask(client: OpenSearch) -> None:
    """search, msearch, and a point in time; plain ones are the server's."""
    plain = client.search(index=INDEX, body={"query": MATCH})
    ranked = client.search(index=INDEX, body={"query": MATCH, "ext": reranked()})
    assert "_rerank" not in plain
    assert (ranked["_rerank"]["applied"], ranked["hits"]["total"]) == (True, plain["hits"]["total"])
    both = client.msearch(
        body=[{"index": INDEX}, {"query": MATCH}, {"index": INDEX}, {"query": MATCH, "ext": reranked()}]
    )
    assert ["_rerank" in response for response in both["responses"]] == [False, True]
    pit = client.create_pit(index=INDEX, params={"keep_alive": "1m"})["pit_id"]
    frozen = client.search(body={"pit": {"id": pit}, "query": MATCH, "ext": reranked()})
    assert [hit["_id"] for hit in frozen["hits"]["hits"]] == [hit["_id"] for hit in ranked["hits"]["hits"]]
    after = client.search(
        body={"pit": {"id": pit}, "sort": [{"year": "asc"}], "search_after": [2006], "ext": reranked()}
    )
    assert [hit["_id"] for hit in after["hits"]["hits"]] == ["7", "8"]
    assert client.delete_pit(body={"pit_id": [pit]})["pits"][0]["successful"]


def test_errors_are_the_ones_it_knows(client: OpenSearch) -> None:
    """What OpenSearch refuses raises what it always did, and so does what we refuse."""
    with pytest.raises(RequestError) as refused:
        client.search(index=INDEX, body={"query": {"no_such": {}}})
    assert refused.value.error == "parsing_exception"
    with pytest.raises(RequestError) as ours:
        client.search(index=INDEX, body={"query": MATCH, "ext": {"rerank": {"window": "wide"}}})
    assert ours.value.status_code == 400
    with pytest.raises(NotFoundError):
        client.search(index="no-such-index", body={"query": MATCH, "ext": reranked()})


def test_cluster_and_cat_calls_answer(client: OpenSearch) -> None:
    """JSON and text."""
    assert client.cluster.health()["status"] in ("green", "yellow")
    assert INDEX in client.cat.indices(params={"h": "index"})
    assert client.cat.count(index=INDEX, params={"format": "json"})[0]["count"] == "8"
    assert INDEX in client.indices.get_mapping(index=INDEX)


def test_our_own_indexes_are_plain_indexes_too(client: OpenSearch, before_opensearch: Standing) -> None:
    """What this product ingested is an index like any other: by its alias, re-ranked by its nested passages' texts."""
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
