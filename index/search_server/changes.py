"""Changes of a live generation while another one is built.

The server numbers the operations of a shard. The new generation stores the number of the last operation on the live one
at its creation, so that documents that were written later can be searched. Deleted documents cannot be searched: their
ids are written to a second index beside the new generation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rerank.index.search_server.bulk import Action, BulkWriter
from rerank.index.search_server.client import SearchServerClient

_PAGE = 1_000
_SUFFIX = "-deleted"


def deletions_index(generation: str) -> str:
    """Returns the name of the index of the documents that were deleted while *generation* was built."""
    return f"{generation}{_SUFFIX}"


def is_deletions_index(name: str) -> bool:
    """Returns True if *name* is the name of an index of deleted documents."""
    return name.endswith(_SUFFIX)


def last_operation(client: SearchServerClient, generation: str) -> int:
    """Returns the number of the last operation on *generation*, which has one shard."""
    with client.request(f'reading the statistics of "{generation}"') as api:
        response = api.indices.stats(index=generation, metric="docs", params={"level": "shards"})
        copies = response["indices"][generation]["shards"]["0"]
        return max(int(copy["seq_no"]["max_seq_no"]) for copy in copies)


def create_deletions_index(client: SearchServerClient, generation: str, *, settings: Mapping[str, Any]) -> None:
    """Creates the empty index of the documents that are deleted while *generation* is built."""
    name = deletions_index(generation)
    body = {
        "settings": {"index": dict(settings)},
        "mappings": {"dynamic": False, "properties": {"doc_id": {"type": "keyword"}}},
        "aliases": {_alias(generation): {}},
    }
    with client.request(f'creating index "{name}"') as api:
        api.indices.create(index=name, body=body)


def add_deletions(client: SearchServerClient, generation: str, doc_ids: Sequence[str]) -> None:
    """Adds the deleted documents *doc_ids*. Raises IndexNotFound if *generation* was published or deleted."""
    actions = [Action("index", doc_id, {"doc_id": doc_id}) for doc_id in doc_ids]
    BulkWriter(client, _alias(generation)).write(actions)


class ChangedDocuments:
    """Documents that operations after number *since* changed in one generation or index of deleted documents."""

    def __init__(self, client: SearchServerClient, index: str, *, since: int) -> None:
        self._client = client
        self._index = index
        self._last = since

    def new(self) -> list[str]:
        """Returns the ids of the documents that changed since the last call."""
        with self._client.request(f'reading the changes of "{self._index}"') as api:
            api.indices.refresh(index=self._index)
            doc_ids: list[str] = []
            while hits := api.search(index=self._index, body=self._query())["hits"]["hits"]:
                doc_ids += [hit["_source"]["doc_id"] for hit in hits]
                self._last = int(hits[-1]["sort"][0])
            return doc_ids

    def _query(self) -> Mapping[str, Any]:
        return {
            "size": _PAGE,
            "_source": ["doc_id"],
            "query": {"range": {"_seq_no": {"gt": self._last}}},
            "sort": [{"_seq_no": "asc"}],
            "track_total_hits": False,
        }


@contextmanager
def blocked_writes(client: SearchServerClient, indexes: Sequence[str]) -> Iterator[None]:
    """Blocks writes to *indexes*. The server first finishes writes in progress. An error in the block unblocks them."""
    with client.request("blocking writes") as api:
        for index in indexes:
            api.transport.perform_request("PUT", f"/{index}/_block/write")
    try:
        yield
    except BaseException:
        with client.request("unblocking writes") as api:
            for index in indexes:
                api.indices.put_settings(
                    index=index, body={"index.blocks.write": None}, params={"ignore_unavailable": "true"}
                )
        raise


def _alias(generation: str) -> str:
    return f"{deletions_index(generation)}-write"
