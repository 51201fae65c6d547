"""The indexes of this product in one OpenSearch.

An index NAME is an alias that leads to a generation `NAME--<instant>-<four digits>`. A rebuild makes the next
generation and moves the alias in one step. A generation newer than the one that the alias leads to is being built;
an older one is a leftover.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from opensearchpy.exceptions import NotFoundError

from rerank.core.errors import IndexConflict, IndexNotFound, StoreUnavailable
from rerank.core.protocols import Index, IndexInfo, IndexSpec
from rerank.index.names import check_index_name
from rerank.index.opensearch.index import FRESH_SECONDS, OpenSearchIndex
from rerank.index.opensearch.layout import META, index_body, write_alias
from rerank.index.opensearch.server import Server

PING_SECONDS = 2.0
_SEPARATOR = "--"


class OpenSearchStore:
    """A Store in the OpenSearch at *location*, `http(s)://[user:password@]host:port`. Nothing is asked before use."""

    def __init__(self, location: str) -> None:
        self._server = Server(location)
        self._opened: dict[str, tuple[float, OpenSearchIndex]] = {}

    @property
    def location(self) -> str:
        """The address, without a password."""
        return self._server.address

    def ping(self) -> None:
        """Raise StoreUnavailable when no OpenSearch answers within two seconds."""
        with self._server.asking("a ping") as client:
            answer = client.info(params={"request_timeout": PING_SECONDS})
            if "version" not in answer:
                raise StoreUnavailable(f"{self.location} answers, but not as an OpenSearch does")

    def indexes(self) -> list[IndexInfo]:
        """The indexes of this product, by name."""
        return [index.info() for index in self._live().values()]

    def open(self, name: str) -> Index:
        """The live generation; what was looked up is trusted for a second."""
        check_index_name(name)
        looked_up, index = self._opened.get(name, (0.0, None))
        if index is not None and time.monotonic() - looked_up < FRESH_SECONDS:
            return index
        found = self._behind(name)
        if found is None:
            self._opened.pop(name, None)
            known = ", ".join(self._live()) or "none yet; make one with rerank-cli ingest"
            raise IndexNotFound(f'no index "{name}" in {self.location}; there are: {known}')
        self._opened[name] = (time.monotonic(), found)
        return found

    def create(self, name: str, spec: IndexSpec) -> Index:
        """Start a new generation; unfinished and left-over ones are removed."""
        check_index_name(name)
        live = self._behind(name)
        if live is not None and live.name != name:
            raise IndexConflict(f'"{name}" is an alias of the index "{live.name}"; choose another name, or remove it')
        if live is None:
            self._check_free(name)
        for generation in self._generations(name):
            if live is None or generation.generation != live.generation:
                self._remove(generation.generation)
        now = datetime.now(UTC)
        generation_name = f"{name}{_SEPARATOR}{now:%Y%m%dt%H%M%S%f}-{secrets.token_hex(2)}"
        body = index_body(name, spec, created=now.isoformat(timespec="microseconds"))
        with self._server.asking(f'the making of index "{name}"') as client:
            client.indices.create(index=generation_name, body={**body, "aliases": {write_alias(generation_name): {}}})
        return OpenSearchIndex(self._server, generation_name, body["mappings"])

    def unfinished(self, name: str) -> tuple[Index, IndexSpec] | None:
        """The newest generation, when it is newer than the live one."""
        check_index_name(name)
        live = self._behind(name)
        newer = [found for found in self._generations(name) if live is None or found.created > live.created]
        if not newer:
            return None
        latest = max(newer, key=lambda found: found.created)
        return latest, latest.spec

    def publish(self, index: Index) -> None:
        """Move the alias, and every further alias of the index, and drop the generation before: one request."""
        if not isinstance(index, OpenSearchIndex):
            raise TypeError("an index is published by the store that made it")
        live = self._behind(index.name)
        if live is not None and live.generation == index.generation:
            return
        if index.generation not in {known.generation for known in self._generations(index.name)}:
            raise IndexConflict(f'index "{index.name}" was begun anew by another run; this one has nothing to publish')
        names = [index.name]
        actions: list[dict[str, Any]] = []
        if live is not None:
            names += [alias for alias, target in self.aliases().items() if target == index.name]
            actions.append({"remove_index": {"index": live.generation}})
        actions += [{"add": {"index": index.generation, "alias": alias}} for alias in names]
        with self._server.asking(f'the publishing of index "{index.name}"') as client:
            client.indices.put_settings(index=index.generation, body={"index": {"refresh_interval": "1s"}})
            client.indices.refresh(index=index.generation)
            client.indices.update_aliases(body={"actions": actions})
        for alias in names:
            self._opened.pop(alias, None)

    def delete(self, name: str) -> None:
        """Remove the index, all its generations and aliases; of an alias, only the alias."""
        check_index_name(name)
        live = self._behind(name)
        if live is not None and live.name != name:
            with self._server.asking(f'the removal of alias "{name}"') as client:
                client.indices.delete_alias(index=live.generation, name=name)
            self._opened.pop(name, None)
            return
        generations = self._generations(name)
        if not generations:
            known = ", ".join(self._live()) or "none"
            raise IndexNotFound(f'no index "{name}" in {self.location}; there are: {known}')
        for generation in generations:
            self._remove(generation.generation)
        self._opened.clear()

    def alias(self, name: str, target: str) -> None:
        """Let *name* lead to the live generation of *target*, now and after each rebuild."""
        check_index_name(name)
        index = self.open(target)
        if not isinstance(index, OpenSearchIndex):
            raise TypeError("an alias leads to an index of this store")
        taken = self._behind(name)
        if taken is not None and taken.name == name:
            raise IndexConflict(f'"{name}" is an index; choose another name for the alias')
        actions: list[dict[str, Any]] = []
        if taken is None:
            self._check_free(name)
        else:
            actions.append({"remove": {"index": taken.generation, "alias": name}})
        actions.append({"add": {"index": index.generation, "alias": name}})
        with self._server.asking(f'the alias "{name}"') as client:
            client.indices.update_aliases(body={"actions": actions})
        self._opened.pop(name, None)

    def aliases(self) -> Mapping[str, str]:
        """Every alias and the index that it leads to."""
        found: dict[str, str] = {}
        with self._server.asking("its aliases") as client:
            answer = client.indices.get_alias(index=f"*{_SEPARATOR}*", params={"ignore_unavailable": "true"})
        for generation, entry in answer.items():
            name = generation.rpartition(_SEPARATOR)[0]
            if name in entry["aliases"]:
                found.update(dict.fromkeys(sorted(entry["aliases"].keys() - {name, write_alias(generation)}), name))
        return found

    def close(self) -> None:
        """Drop the connections."""
        self._server.close()

    def _behind(self, name: str) -> OpenSearchIndex | None:
        """What *name* leads to: None when nothing, or nothing of ours."""
        with self._server.asking(f'index "{name}"') as client:
            try:
                answer = client.indices.get_mapping(index=name)
            except NotFoundError:
                return None
            found = _ours(self._server, answer, live=True)
            return found[0] if len(found) == 1 and found[0].generation != name else None

    def _generations(self, name: str) -> list[OpenSearchIndex]:
        with self._server.asking(f'the generations of index "{name}"') as client:
            answer = client.indices.get_mapping(index=f"{name}{_SEPARATOR}*")
            return [found for found in _ours(self._server, answer) if found.name == name]

    def _live(self) -> dict[str, OpenSearchIndex]:
        with self._server.asking("its indexes") as client:
            mappings = client.indices.get_mapping(index=f"*{_SEPARATOR}*")
            aliases = client.indices.get_alias(index=f"*{_SEPARATOR}*")
            ours = _ours(self._server, mappings)
            live = [index for index in ours if index.name in aliases.get(index.generation, {"aliases": {}})["aliases"]]
            return {index.name: index for index in sorted(live, key=lambda index: index.name)}

    def _check_free(self, name: str) -> None:
        with self._server.asking(f'the name "{name}"') as client:
            if client.indices.exists(index=name):
                raise IndexConflict(
                    f'"{name}" in {self.location} is an index or alias that this product did not make; '
                    "choose another name"
                )

    def _remove(self, generation: str) -> None:
        with self._server.asking(f'the removal of "{generation}"') as client:
            client.indices.delete(index=generation, params={"ignore_unavailable": "true"})


def _ours(server: Server, mappings: Mapping[str, Any], *, live: bool = False) -> list[OpenSearchIndex]:
    return [
        OpenSearchIndex(server, generation, entry["mappings"], live=live)
        for generation, entry in mappings.items()
        if META in entry["mappings"].get("_meta", {})
    ]
