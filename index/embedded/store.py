"""The indexes of this product in one folder.

The catalog leads from a name to its live generation, a LanceDB table. A rebuild makes another table and swaps it in.
The one before stays for a minute, for searches that have begun, and goes with the next change of the store.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lancedb

from rerank.core.errors import IndexConflict, IndexNotFound, StoreUnavailable
from rerank.core.protocols import Index, IndexInfo, IndexSpec
from rerank.index.embedded.analyzers import ANALYZERS
from rerank.index.embedded.catalog import Catalog, Change, Contents, Generation
from rerank.index.embedded.faults import translated
from rerank.index.embedded.index import APPROXIMATE_FROM, EmbeddedIndex
from rerank.index.embedded.locks import write_lock
from rerank.index.embedded.rows import table_schema
from rerank.index.names import check_index_name

FRESH = timedelta(seconds=1)
"""How long a table's version is trusted: other processes' writes are seen within two seconds."""
RETIRED_SECONDS = 60.0


class EmbeddedStore:
    """A Store in *folder*, which is made when it is missing. Raises StoreUnavailable when it cannot be used.

    Indexes of *approximate_from* passages and more are searched approximately.
    """

    def __init__(self, folder: Path, *, approximate_from: int = APPROXIMATE_FROM) -> None:
        self._folder = folder
        self._approximate_from = approximate_from
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise StoreUnavailable(
                f"{folder}: cannot be used as a store ({exc.strerror}); set the store to a folder to write to"
            ) from exc
        self._catalog = Catalog(folder)
        with translated(folder, "opening the store"):
            self._tables: Any = lancedb.connect(folder, read_consistency_interval=FRESH)
        self._opened: dict[str, EmbeddedIndex] = {}
        self._opening = threading.Lock()

    @property
    def location(self) -> str:
        """The folder."""
        return str(self._folder)

    def ping(self) -> None:
        """Raise StoreUnavailable when the folder is gone."""
        if not self._folder.is_dir():
            raise StoreUnavailable(
                f"{self._folder}: the store's folder is gone; put it back, or start again without it"
            )
        self._catalog.contents()

    def indexes(self) -> list[IndexInfo]:
        """The indexes, by name."""
        return [self._index(table).info() for _, table in sorted(self._catalog.contents().live.items())]

    def open(self, name: str) -> Index:
        """The live generation of *name*; a look at the catalog's date, unless it was replaced."""
        check_index_name(name)
        contents = self._catalog.contents()
        table = contents.live.get(contents.aliases.get(name, name))
        if table is None:
            raise _not_found(name, contents, self._folder)
        return self._index(table)

    def create(self, name: str, spec: IndexSpec) -> Index:
        """Start a new generation; the unfinished one of *name* goes."""
        check_index_name(name)
        now = datetime.now(UTC)
        table = f"g{now:%Y%m%d%H%M%S%f}{secrets.token_hex(2)}"
        with translated(self._folder, f'the making of index "{name}"'), self._catalog.changing() as change:
            if name in change.before.aliases:
                target = change.before.aliases[name]
                raise IndexConflict(f'"{name}" is an alias of the index "{target}"; choose another name, or remove it')
            old = change.before.building.get(name)
            if old is not None:
                self._drop(change, old)
            self._drop_retired(change)
            made = self._tables.create_table(table, schema=table_schema(spec.encoder.dim))
            # Rows that no text index knows are read by the rules of the one there is: without one, "Zebra" is no zebra.
            made.create_index("headed", config=ANALYZERS[spec.analyzer])
            generation = Generation(name, spec, now.isoformat(timespec="microseconds"))
            after = change.after.with_generation(table, generation)
            change.after = replace(after, building={**after.building, name: table})
        return self._index(table)

    def unfinished(self, name: str) -> tuple[Index, IndexSpec] | None:
        """The generation of *name* that was created and never published."""
        check_index_name(name)
        table = self._catalog.contents().building.get(name)
        if table is None:
            return None
        index = self._index(table)
        return index, index.spec

    def publish(self, index: Index) -> None:
        """One replacement of the catalog."""
        if not isinstance(index, EmbeddedIndex):
            raise TypeError("an index is published by the store that made it")
        with translated(self._folder, f'the publishing of index "{index.name}"'), self._catalog.changing() as change:
            before = change.before
            old = before.live.get(index.name)
            if old == index.table_name:
                return
            if before.building.get(index.name) != index.table_name:
                # Its table may be there still, for the readers of a generation that was replaced.
                raise IndexConflict(
                    f'index "{index.name}" was begun anew by another run; this one has nothing to publish'
                )
            building = {name: table for name, table in before.building.items() if table != index.table_name}
            after = replace(before, live={**before.live, index.name: index.table_name}, building=building)
            if old is not None:
                after = after.with_generation(old, replace(after.generations[old], retired=time.time()))
            change.after = after
            self._drop_retired(change)

    def delete(self, name: str) -> None:
        """Remove the index, all its generations and aliases; of an alias, only the alias."""
        check_index_name(name)
        with translated(self._folder, f'the removal of index "{name}"'), self._catalog.changing() as change:
            before = change.before
            if name in before.aliases:
                kept = {alias: target for alias, target in before.aliases.items() if alias != name}
                change.after = replace(before, aliases=kept)
                return
            if name not in before.live and name not in before.building:
                raise _not_found(name, before, self._folder)
            for table, generation in before.generations.items():
                if generation.name == name:
                    self._drop(change, table)
            aliases = {alias: target for alias, target in before.aliases.items() if target != name}
            change.after = replace(change.after, aliases=aliases)

    def alias(self, name: str, target: str) -> None:
        """Let *name* lead to the index *target* as well."""
        check_index_name(name)
        with translated(self._folder, f'the alias "{name}"'), self._catalog.changing() as change:
            before = change.before
            found = before.aliases.get(target, target)
            if found not in before.live:
                raise _not_found(target, before, self._folder)
            if name in before.live or name in before.building:
                raise IndexConflict(f'"{name}" is an index; choose another name for the alias')
            change.after = replace(before, aliases={**before.aliases, name: found})

    def aliases(self) -> Mapping[str, str]:
        """Every alias and the index that it leads to."""
        return dict(sorted(self._catalog.contents().aliases.items()))

    def close(self) -> None:
        """Forget the open tables."""
        self._opened.clear()

    def _index(self, table: str) -> EmbeddedIndex:
        index = self._opened.get(table)
        if index is not None:
            return index
        with self._opening, translated(self._folder, "opening an index"):
            if table not in self._opened:
                opened = self._tables.open_table(table)
                self._opened[table] = EmbeddedIndex(
                    self._folder, self._catalog, table, opened, approximate_from=self._approximate_from
                )
            return self._opened[table]

    def _drop(self, change: Change, table: str) -> None:
        change.after = change.after.without_table(table)
        change.afterwards.append(lambda: self._remove(table))

    def _remove(self, table: str) -> None:
        with write_lock(self._folder, table) as lock:
            self._tables.drop_table(table, ignore_missing=True)
            Path(lock.lock_file).unlink(missing_ok=True)
        self._opened.pop(table, None)

    def _drop_retired(self, change: Change) -> None:
        until = time.time() - RETIRED_SECONDS
        for table, generation in change.after.generations.items():
            if generation.retired is not None and generation.retired < until:
                self._drop(change, table)


def _not_found(name: str, contents: Contents, folder: Path) -> IndexNotFound:
    known = ", ".join(sorted(contents.live)) or "none yet; make one with rerank-cli ingest"
    return IndexNotFound(f'no index "{name}" in {folder}; there are: {known}')
