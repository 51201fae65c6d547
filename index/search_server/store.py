"""Store on one search server: generations, aliases and catalog.

The name of an index is an alias. It points to a generation `NAME--<timestamp>-<four hex digits>`. A rebuild writes a
new generation and moves the alias in one request. A generation that is newer than the live one is unfinished; an older
one remains from an interrupted rebuild.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from opensearchpy.exceptions import NotFoundError

from rerank.core.errors import IndexConflict, StoreUnavailable
from rerank.core.protocols import Index, IndexInfo, IndexSpec, Replay
from rerank.index.listing import readable_infos
from rerank.index.names import check_index_name, index_not_found
from rerank.index.search_server.changes import (
    ChangedDocuments,
    blocked_writes,
    create_deletions_index,
    deletions_index,
    is_deletions_index,
    last_operation,
)
from rerank.index.search_server.client import SearchServerClient
from rerank.index.search_server.index import CACHE_SECONDS, SearchServerIndex
from rerank.index.search_server.mapping import Replaced, index_body, meta_of, write_alias
from rerank.index.search_server.product import Product
from rerank.index.search_server.server_info import ServerInfo

PING_SECONDS = 2.0
REPLAY_ROUNDS = 5
"""Number of replays of changes while writes continue, so that the last one, which makes writes wait, is short."""
_SEPARATOR = "--"


class SearchServerStore:
    """Store on the server of *client*. It connects on first use; *product_of* returns the product that was found."""

    def __init__(self, client: SearchServerClient, *, product_of: Callable[[ServerInfo], Product]) -> None:
        self._client = client
        self._product_of = product_of
        self._open_indexes: dict[str, tuple[float, SearchServerIndex]] = {}

    @property
    def location(self) -> str:
        """The address, without a password."""
        return self._client.address

    def ping(self) -> None:
        """Raises StoreUnavailable if no search server responds within two seconds."""
        with self._client.request("checking the connection") as api:
            response = api.info(params={"request_timeout": PING_SECONDS})
            if "version" not in response:
                raise StoreUnavailable(
                    f"The server at {self.location} is not a search server: its response has no version. "
                    "Correct the setting store."
                )

    def indexes(self) -> list[IndexInfo]:
        """Returns the indexes of this service, sorted by name. A damaged index is logged and left out."""
        return readable_infos({name: index.info for name, index in self._live_indexes().items()})

    def open(self, name: str) -> Index:
        """Returns the live generation. Lookups are cached for one second."""
        check_index_name(name)
        lookup_time, index = self._open_indexes.get(name, (0.0, None))
        if index is not None and time.monotonic() - lookup_time < CACHE_SECONDS:
            return index
        index = self._resolve(name)
        if index is None:
            self._open_indexes.pop(name, None)
            raise index_not_found(name, self._live_indexes(), self.location)
        self._open_indexes[name] = (time.monotonic(), index)
        return index

    def create(self, name: str, spec: IndexSpec) -> Index:
        """Creates a new generation of *name* and deletes all others that are not live."""
        check_index_name(name)
        product = self._product()
        with self._client.request(f'checking whether index "{name}" can be created') as api:
            product.check(api, name, spec)
        live = self._resolve(name)
        if live is not None and live.name != name:
            raise IndexConflict(
                f'"{name}" is an alias of index "{live.name}". Choose another name or delete the alias.'
            )
        if live is None:
            self._check_unused(name)
        self._delete_unfinished(name, live)
        now = datetime.now(UTC)
        generation_name = f"{name}{_SEPARATOR}{now:%Y%m%dt%H%M%S%f}-{secrets.token_hex(2)}"
        replaces = None
        if live is not None:
            create_deletions_index(self._client, generation_name, settings=product.index_settings())
            # Read last: later operations are replayed at publication.
            replaces = Replaced(live.generation, last_operation(self._client, live.generation))
        body = index_body(product, name, spec, created=now.isoformat(timespec="microseconds"), replaces=replaces)
        with self._client.request(f'creating index "{name}"') as api:
            api.indices.create(index=generation_name, body={**body, "aliases": {write_alias(generation_name): {}}})
        return SearchServerIndex(self._client, product, generation_name, body["mappings"])

    def unfinished(self, name: str) -> tuple[Index, IndexSpec] | None:
        """Returns the newest generation if it is newer than the live one, or None."""
        check_index_name(name)
        live = self._resolve(name)
        newer = [index for index in self._generations(name) if live is None or index.created > live.created]
        if not newer:
            return None
        latest = max(newer, key=lambda index: index.created)
        return latest, latest.spec

    def publish(self, index: Index, *, replay: Replay | None = None) -> None:
        """Replays the changes of the live generation, moves all aliases to the new one and deletes the live one."""
        if not isinstance(index, SearchServerIndex):
            raise TypeError("index must be from a store of a search server")
        live = self._resolve(index.name)
        if live is not None and live.generation == index.generation:
            return
        if index.generation not in {generation.generation for generation in self._generations(index.name)}:
            raise IndexConflict(
                f'Another ingest run restarted index "{index.name}"; this run was discarded. Run the command again.'
            )
        if live is None or index.replaces is None or replay is None:
            self._swap(index, live)
            return
        deletions = deletions_index(index.generation)
        changed = [
            ChangedDocuments(self._client, live.generation, since=index.replaces.last_operation),
            ChangedDocuments(self._client, deletions, since=-1),
        ]
        for _ in range(REPLAY_ROUNDS):
            if doc_ids := _distinct(changed):
                replay(live, doc_ids)
        # A write between the last replay and the swap would be lost.
        with blocked_writes(self._client, [live.generation, deletions]):
            if doc_ids := _distinct(changed):
                replay(live, doc_ids)
            self._swap(index, live)

    def _swap(self, index: SearchServerIndex, live: SearchServerIndex | None) -> None:
        names = [index.name]
        actions: list[dict[str, Any]] = []
        if live is not None:
            names += [alias for alias, target in self.aliases().items() if target == index.name]
            actions.append({"remove_index": {"index": live.generation}})
        actions += [{"add": {"index": index.generation, "alias": alias}} for alias in names]
        with self._client.request(f'publishing index "{index.name}"') as api:
            api.indices.put_settings(
                index=index.generation, body={"index": {"refresh_interval": self._product().refresh_interval}}
            )
            api.indices.refresh(index=index.generation)
            api.indices.update_aliases(body={"actions": actions})
        self._forget(names)
        self._delete_index(deletions_index(index.generation))

    def delete(self, name: str) -> None:
        """Deletes the index with all generations and aliases; if *name* is an alias, deletes only the alias."""
        check_index_name(name)
        live = self._resolve(name)
        if live is not None and live.name != name:
            with self._client.request(f'deleting alias "{name}"') as api:
                api.indices.delete_alias(index=live.generation, name=name)
            self._forget([name])
            return
        generations = self._generations(name)
        if not generations:
            raise index_not_found(name, self._live_indexes(), self.location)
        for generation in generations:
            self._delete_index(generation.generation)
        self._delete_unfinished(name, None)
        self._open_indexes.clear()

    def alias(self, name: str, target: str) -> None:
        """Makes *name* an alias of the index *target*; a rebuild moves the alias to the new generation."""
        check_index_name(name)
        index = self.open(target)
        if not isinstance(index, SearchServerIndex):
            raise TypeError("target must be an index of a store of a search server")
        current = self._resolve(name)
        if current is not None and current.name == name:
            raise IndexConflict(f'"{name}" is an index. Choose another name for the alias.')
        actions: list[dict[str, Any]] = []
        if current is None:
            self._check_unused(name)
        else:
            actions.append({"remove": {"index": current.generation, "alias": name}})
        actions.append({"add": {"index": index.generation, "alias": name}})
        with self._client.request(f'setting alias "{name}"') as api:
            api.indices.update_aliases(body={"actions": actions})
        self._forget([name])

    def aliases(self) -> Mapping[str, str]:
        """Returns the index name of each alias."""
        aliases: dict[str, str] = {}
        with self._client.request("reading aliases") as api:
            response = api.indices.get_alias(index=f"*{_SEPARATOR}*", params={"ignore_unavailable": "true"})
        for generation, entry in response.items():
            name = generation.rpartition(_SEPARATOR)[0]
            if name in entry["aliases"]:
                aliases.update(dict.fromkeys(sorted(entry["aliases"].keys() - {name, write_alias(generation)}), name))
        return aliases

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _resolve(self, name: str) -> SearchServerIndex | None:
        """Returns the live generation behind an index name or alias; None if this service has none."""
        product = self._product()
        with self._client.request(f'opening index "{name}"') as api:
            try:
                response = api.indices.get_mapping(index=name)
            except NotFoundError:
                return None
            indexes = _indexes_in(self._client, product, response, live=True)
            return indexes[0] if len(indexes) == 1 and indexes[0].generation != name else None

    def _generations(self, name: str) -> list[SearchServerIndex]:
        product = self._product()
        with self._client.request(f'listing the generations of index "{name}"') as api:
            response = api.indices.get_mapping(index=f"{name}{_SEPARATOR}*")
            return [index for index in _indexes_in(self._client, product, response) if index.name == name]

    def _live_indexes(self) -> dict[str, SearchServerIndex]:
        product = self._product()
        with self._client.request("listing indexes") as api:
            mappings = api.indices.get_mapping(index=f"*{_SEPARATOR}*")
            aliases = api.indices.get_alias(index=f"*{_SEPARATOR}*")
            live = [
                index
                for index in _indexes_in(self._client, product, mappings)
                if index.name in aliases.get(index.generation, {"aliases": {}})["aliases"]
            ]
            return {index.name: index for index in sorted(live, key=lambda index: index.name)}

    def _check_unused(self, name: str) -> None:
        with self._client.request(f'looking up "{name}"') as api:
            if api.indices.exists(index=name):
                raise IndexConflict(
                    f'"{name}" in {self.location} is an index or alias that this service did not create. '
                    "Choose another name."
                )

    def _delete_unfinished(self, name: str, live: SearchServerIndex | None) -> None:
        """Deletes all generations of *name* except *live*, and all their indexes of deleted documents."""
        with self._client.request(f'listing the generations of index "{name}"') as api:
            indexes = list(api.indices.get_mapping(index=f"{name}{_SEPARATOR}*"))
        generations = {generation.generation for generation in self._generations(name)}
        for index in indexes:
            is_unfinished = index in generations and (live is None or index != live.generation)
            if is_unfinished or (is_deletions_index(index) and index.rpartition(_SEPARATOR)[0] == name):
                self._delete_index(index)

    def _delete_index(self, index: str) -> None:
        with self._client.request(f'deleting index "{index}"') as api:
            api.indices.delete(index=index, params={"ignore_unavailable": "true"})

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self._open_indexes.pop(name, None)

    def _product(self) -> Product:
        return self._product_of(self._client.info())


def _distinct(changed: Iterable[ChangedDocuments]) -> list[str]:
    return list(dict.fromkeys(doc_id for documents in changed for doc_id in documents.new()))


def _indexes_in(
    client: SearchServerClient, product: Product, mappings: Mapping[str, Any], *, live: bool = False
) -> list[SearchServerIndex]:
    """Returns the indexes in a mapping response that this service created."""
    return [
        SearchServerIndex(client, product, generation, entry["mappings"], live=live)
        for generation, entry in mappings.items()
        if meta_of(entry["mappings"]) is not None
    ]
