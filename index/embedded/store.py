"""Store in one folder.

The catalog maps an index name to its live generation, which is a LanceDB table. A rebuild writes another table and
swaps it in. The replaced table stays for a minute for searches in progress; the next change of the store deletes it.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import lancedb

from rerank.core.errors import IndexConflict, StoreFull, StoreUnavailable
from rerank.core.protocols import Index, IndexInfo, IndexSpec, Replay
from rerank.index.embedded.analyzers import ANALYZERS
from rerank.index.embedded.catalog import Catalog, Change, Generation
from rerank.index.embedded.change_log import ChangeLog
from rerank.index.embedded.compaction import Compactor
from rerank.index.embedded.error_translation import translated_errors
from rerank.index.embedded.index import APPROXIMATE_FROM, EmbeddedIndex
from rerank.index.embedded.locks import write_lock
from rerank.index.embedded.maintenance import KEEP_VERSIONS
from rerank.index.embedded.repair import Repair, repair_catalog
from rerank.index.embedded.rows import table_schema
from rerank.index.embedded.searches import LargeFilters
from rerank.index.listing import readable_infos
from rerank.index.names import check_index_name, index_not_found

READ_CONSISTENCY = timedelta(seconds=1)
"""Interval of the checks for a new table version. Writes of other processes must be visible within two seconds."""
RETIRED_SECONDS = 60.0
"""Time for which a replaced table is kept."""
REPLAY_ROUNDS = 5
"""Number of replays of changes while writes continue, so that the last one, which makes writes wait, is short."""


class EmbeddedStore:
    """Store in *folder*, which is created if missing. Raises StoreUnavailable if it is unusable.

    approximate_from: number of passages from which an index has a vector graph.
    """

    def __init__(self, folder: Path, *, approximate_from: int = APPROXIMATE_FROM) -> None:
        self._folder = folder = folder.resolve()
        self._approximate_from = approximate_from
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise StoreUnavailable(
                f"{folder} is not usable as a store: {exc.strerror}. Set store to a writable folder."
            ) from exc
        self._catalog = Catalog(folder)
        with translated_errors(folder, "opening the store"):
            self._tables: Any = lancedb.connect(folder, read_consistency_interval=READ_CONSISTENCY)
        self._open_indexes: dict[str, EmbeddedIndex] = {}
        self._open_lock = threading.Lock()
        self._large_filters = LargeFilters()
        # One second more, so that all versions are old enough.
        self._compactor = Compactor(clean_after=KEEP_VERSIONS.total_seconds() + 1)

    @property
    def location(self) -> str:
        """Absolute path of the folder."""
        return str(self._folder)

    def ping(self) -> None:
        """Raises StoreUnavailable if the folder is missing, and StoreError if its catalog is damaged."""
        self._catalog.contents()

    def indexes(self) -> list[IndexInfo]:
        """Returns the indexes, sorted by name. A damaged index is logged and left out."""
        live = sorted(self._catalog.contents().live.items())
        return readable_infos({name: partial(self._info, table) for name, table in live})

    def _info(self, table: str) -> IndexInfo:
        return self._index(table).info()

    def open(self, name: str) -> Index:
        """Returns the live generation of *name*. Parses the catalog file only after a change."""
        check_index_name(name)
        contents = self._catalog.contents()
        table = contents.live.get(contents.aliases.get(name, name))
        if table is None:
            raise index_not_found(name, contents.live, self.location)
        return self._index(table)

    def create(self, name: str, spec: IndexSpec) -> Index:
        """Creates a new generation of *name* and deletes an unfinished one."""
        check_index_name(name)
        now = datetime.now(UTC)
        table = f"g{now:%Y%m%d%H%M%S%f}{secrets.token_hex(2)}"
        try:
            self._create(name, spec, table, now)
        except BaseException:
            # For example on a full disk, on which a table that the catalog does not name would stay.
            if table not in self._catalog.contents().generations:
                self._drop_table(table)
            raise
        return self._index(table)

    def _create(self, name: str, spec: IndexSpec, table: str, now: datetime) -> None:
        with translated_errors(self._folder, f'creating index "{name}"'), self._catalog.changing() as change:
            if name in change.before.aliases:
                target = change.before.aliases[name]
                raise IndexConflict(
                    f'"{name}" is an alias of index "{target}". Choose another name or delete the alias.'
                )
            unfinished = change.before.building.get(name)
            if unfinished is not None:
                self._drop(change, unfinished)
            self._drop_retired(change)
            created = self._tables.create_table(table, schema=table_schema(spec.encoder.dim))
            # LanceDB analyzes rows outside the text index like those in it. Without an index, "Zebra" does not match
            # "zebra".
            created.create_index("headed", config=ANALYZERS[spec.analyzer])
            generation = Generation(name, spec, now.isoformat(timespec="microseconds"))
            after = change.after.with_generation(table, generation)
            change.after = replace(after, building={**after.building, name: table})

    def unfinished(self, name: str) -> tuple[Index, IndexSpec] | None:
        """Returns the generation of *name* that is not published yet, or None."""
        check_index_name(name)
        table = self._catalog.contents().building.get(name)
        if table is None:
            return None
        index = self._index(table)
        return index, index.spec

    def publish(self, index: Index, *, replay: Replay | None = None) -> None:
        """Replays the changes of the live generation, and replaces it by one replacement of the catalog."""
        if not isinstance(index, EmbeddedIndex):
            raise TypeError("index must be from an embedded store")
        replaced = self._catalog.contents().live.get(index.name)
        if replaced == index.table_name:
            return
        with translated_errors(self._folder, f'publishing index "{index.name}"'):
            if replaced is None:
                self._swap(index, None)
                return
            changes = _Changes(self._folder, index.table_name)
            for _ in range(REPLAY_ROUNDS):
                self._replay(changes, replaced, replay)
            # A write between the last replay and the swap would be lost.
            with write_lock(self._folder, replaced):
                self._replay(changes, replaced, replay)
                self._swap(index, replaced)
        ChangeLog(self._folder, index.table_name).remove()

    def _replay(self, changes: _Changes, table: str, replay: Replay | None) -> None:
        if replay is not None and (doc_ids := changes.new()):
            live = self._index(table)
            # Another process can have written the changes.
            live.refresh()
            replay(live, doc_ids)

    def _swap(self, index: EmbeddedIndex, replaced: str | None) -> None:
        with self._catalog.changing() as change:
            before = change.before
            if before.live.get(index.name) == index.table_name:
                return
            if before.building.get(index.name) != index.table_name or before.live.get(index.name) != replaced:
                # The table can still exist, because a replaced generation is kept for searches in progress.
                raise IndexConflict(
                    f'Another ingest run restarted index "{index.name}"; this run was discarded. Run the command again.'
                )
            building = {name: table for name, table in before.building.items() if table != index.table_name}
            after = replace(before, live={**before.live, index.name: index.table_name}, building=building)
            if replaced is not None:
                retired = replace(after.generations[replaced], retired=time.time())
                after = after.with_generation(replaced, retired)
            change.after = after
            self._drop_retired(change)

    def delete(self, name: str) -> None:
        """Deletes the index with all generations and aliases; if *name* is an alias, deletes only the alias."""
        check_index_name(name)
        try:
            self._delete(name)
        except StoreFull:
            # Without space for a new catalog, the tables are deleted first.
            for table, generation in self._catalog.contents().generations.items():
                if generation.name == name:
                    self._drop_table(table)
            self._delete(name)

    def _delete(self, name: str) -> None:
        with translated_errors(self._folder, f'deleting index "{name}"'), self._catalog.changing() as change:
            before = change.before
            if name in before.aliases:
                others = {alias: target for alias, target in before.aliases.items() if alias != name}
                change.after = replace(before, aliases=others)
                return
            if name not in before.live and name not in before.building:
                raise index_not_found(name, before.live, self.location)
            for table, generation in before.generations.items():
                if generation.name == name:
                    self._drop(change, table)
            aliases = {alias: target for alias, target in before.aliases.items() if target != name}
            change.after = replace(change.after, aliases=aliases)

    def alias(self, name: str, target: str) -> None:
        """Makes *name* an alias of the index *target*."""
        check_index_name(name)
        with translated_errors(self._folder, f'setting alias "{name}"'), self._catalog.changing() as change:
            before = change.before
            index_name = before.aliases.get(target, target)
            if index_name not in before.live:
                raise index_not_found(target, before.live, self.location)
            if name in before.live or name in before.building:
                raise IndexConflict(f'"{name}" is an index. Choose another name for the alias.')
            change.after = replace(before, aliases={**before.aliases, name: index_name})

    def aliases(self) -> Mapping[str, str]:
        """Returns the index name of each alias."""
        return dict(sorted(self._catalog.contents().aliases.items()))

    def repair(self) -> Repair:
        """Rebuilds the catalog from its last valid contents and the tables that can be read."""

        def check(table: str) -> None:
            with translated_errors(self._folder, "reading a table"):
                self._tables.open_table(table).count_rows()

        with translated_errors(self._folder, "repairing the catalog"):
            return repair_catalog(self._folder, check_table=check)

    def close(self) -> None:
        """Waits for a compaction in progress, and releases the open tables."""
        self._compactor.close()
        self._open_indexes.clear()

    def _index(self, table: str) -> EmbeddedIndex:
        index = self._open_indexes.get(table)
        if index is not None:
            return index
        with self._open_lock, translated_errors(self._folder, "opening an index"):
            if table not in self._open_indexes:
                self._open_indexes[table] = EmbeddedIndex(
                    self._folder,
                    self._catalog,
                    table,
                    self._tables.open_table(table),
                    approximate_from=self._approximate_from,
                    large_filters=self._large_filters,
                    compactor=self._compactor,
                )
            return self._open_indexes[table]

    def _drop(self, change: Change, table: str) -> None:
        change.after = change.after.without_table(table)
        change.clean_ups.append(lambda: self._drop_table(table))

    def _drop_table(self, table: str) -> None:
        with write_lock(self._folder, table) as lock:
            self._tables.drop_table(table, ignore_missing=True)
            ChangeLog(self._folder, table).remove()
            Path(lock.lock_file).unlink(missing_ok=True)
        self._open_indexes.pop(table, None)

    def _drop_retired(self, change: Change) -> None:
        expiry = time.time() - RETIRED_SECONDS
        for table, generation in change.after.generations.items():
            if generation.retired is not None and generation.retired < expiry:
                self._drop(change, table)


class _Changes:
    """Changes of the live generation since the creation of *table*."""

    def __init__(self, folder: Path, table: str) -> None:
        self._log = ChangeLog(folder, table)
        self._read = 0

    def new(self) -> list[str]:
        """Returns the distinct ids that were logged since the last call."""
        doc_ids = self._log.doc_ids()[self._read :]
        self._read += len(doc_ids)
        return list(dict.fromkeys(doc_ids))
