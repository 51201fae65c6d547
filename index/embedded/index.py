"""Generation of an index in a LanceDB table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank.core.bound_filter import bind, clause_count
from rerank.core.document import Document, EncodedDocument, RejectedDocument
from rerank.core.errors import IndexNotFound, MetadataError, StoreError
from rerank.core.filters import Filter
from rerank.core.metadata import FieldType, values_of
from rerank.core.protocols import IndexInfo, IndexSpec, PassageMatch
from rerank.index.dimensions import check_document_vectors, check_query_vector
from rerank.index.embedded import maintenance
from rerank.index.embedded.async_queries import async_table, fetch_rows
from rerank.index.embedded.best_passages import best_passages
from rerank.index.embedded.catalog import Catalog, Generation
from rerank.index.embedded.change_log import ChangeLog
from rerank.index.embedded.compaction import Compacted, Compactor
from rerank.index.embedded.error_translation import translated_errors
from rerank.index.embedded.locks import write_lock
from rerank.index.embedded.rows import (
    DOCUMENT_COLUMNS,
    doc_id_of,
    document_of,
    first_row_id,
    metadata_column,
    rows_of,
)
from rerank.index.embedded.searches import Condition, LargeFilters, TableSearches
from rerank.index.embedded.sql_filter import one_of, sql_condition
from rerank.index.query_words import query_words

APPROXIMATE_FROM = 10_000
"""Number of passages from which a vector graph is faster than a comparison with all vectors."""
BATCH_DOCUMENTS = 500


class EmbeddedIndex:
    """Index over one table. One process writes at a time; readers never wait.

    approximate_from: number of passages from which optimize() builds a vector graph. large_filters, compactor:
    shared by all indexes of a process.
    """

    def __init__(
        self,
        folder: Path,
        catalog: Catalog,
        name: str,
        table: Any,
        *,
        approximate_from: int,
        large_filters: LargeFilters,
        compactor: Compactor,
    ) -> None:
        self._folder = folder
        self._catalog = catalog
        self.table_name = name
        # Any: LanceDB's types omit most methods of tables and queries.
        self._table: Any = table
        self._async_table = async_table(table)
        self._searches = TableSearches(self._async_table, large_filters)
        self._compactor = compactor
        self._approximate_from = approximate_from
        self._opened = self._generation()
        self._visible_fields = frozenset(self._opened.types)

    @property
    def name(self) -> str:
        """Name of the index."""
        return self._opened.name

    @property
    def spec(self) -> IndexSpec:
        """Encoder, analyzer and engine, fixed at creation."""
        return self._opened.spec

    def info(self) -> IndexInfo:
        """Returns the counts and the encoder's identity. Raises IndexNotFound if the generation was deleted."""
        generation = self._generation()
        with self._step("counting documents"):
            documents, passages = self._table.count_rows("ordinal = 0"), self._table.count_rows()
        return IndexInfo(
            generation.name,
            documents,
            passages,
            generation.spec.encoder,
            generation.created,
            generation.spec.analyzer,
            building=self._catalog.contents().live.get(generation.name) != self.table_name,
            fields=generation.types,
        )

    def upsert(self, documents: Sequence[EncodedDocument]) -> list[RejectedDocument]:
        """Writes *documents* as one new version of the table: readers see all of them or none."""
        check_document_vectors(self, documents)
        with self._write_step("writing documents"):
            accepted, rejected = self._extend_schema(documents)
            if accepted:
                self._write(accepted)
                self._after_write([entry.document.doc_id for entry in accepted])
        return rejected

    def delete(self, doc_ids: Sequence[str]) -> int:
        """Deletes documents and returns the number of deleted ones."""
        distinct = list(dict.fromkeys(doc_ids))
        deleted = 0
        with self._write_step("deleting documents"):
            for start in range(0, len(distinct), BATCH_DOCUMENTS):
                batch = distinct[start : start + BATCH_DOCUMENTS]
                existing = list(self._first_rows(batch, []))
                if existing:
                    self._table.delete(one_of("doc_id", existing))
                    deleted += len(existing)
                # Missing ones, too: a process that was killed here may have deleted them without logging it.
                self._after_write(batch)
        return deleted

    def content_hashes(self, doc_ids: Sequence[str]) -> dict[str, str]:
        """Returns the content hashes of *doc_ids*; missing documents are left out."""
        with self._step("reading documents"):
            rows = self._first_rows(doc_ids, ["content_hash"])
        return {doc_id: row["content_hash"] for doc_id, row in rows.items()}

    def fetch(self, doc_ids: Sequence[str]) -> dict[str, Document]:
        """Returns the documents of *doc_ids* as they were written; missing ones are left out."""
        with self._step("reading documents"):
            rows = self._first_rows(doc_ids, DOCUMENT_COLUMNS)
        return {doc_id: document_of(row) for doc_id, row in rows.items()}

    def knn(
        self, vector: NDArray[np.float32], *, k: int, filter: Filter | None = None, exact: bool = False
    ) -> list[PassageMatch]:
        """Returns the best passage of each of the *k* nearest documents, with the cosine of the full vectors."""
        check_query_vector(self, vector)
        if not np.any(vector):
            return []
        search = self._searches.nearest(vector, self._condition(filter), exact=exact)
        with self._step("searching vectors"):
            return best_passages(search, k=k, rows=self._rows(k))

    def match(self, text: str, *, k: int, filter: Filter | None = None) -> list[PassageMatch]:
        """Returns the best passage of each of the *k* documents with the highest BM25 score over title and text."""
        words = " ".join(query_words(text))
        if not words:
            return []
        search = self._searches.matching(words, self._condition(filter))
        with self._step("searching text"):
            return best_passages(search, k=k, rows=self._rows(k))

    def refresh(self) -> None:
        """Makes the writes of other processes visible. Writes of this object are visible at once."""
        with self._step("refreshing"):
            self._table.checkout_latest()

    def optimize(self) -> None:
        """Builds or updates the search indexes, and deletes old versions of the table."""
        with self._write_step("building the search indexes"):
            maintenance.optimize(self._table, analyzer=self.spec.analyzer, approximate_from=self._approximate_from)

    def compact(self) -> Compacted | None:
        """Merges the fragments of the table, adds new rows to the search indexes, and deletes old versions."""
        with self._write_step("compacting"):
            return maintenance.compact(self._table)

    def _generation(self) -> Generation:
        generation = self._catalog.contents().generations.get(self.table_name)
        if generation is None:
            raise IndexNotFound(f'Index "{self._opened.name}" was deleted or rebuilt. Open it again.')
        return generation

    @contextmanager
    def _step(self, action: str) -> Iterator[None]:
        """Translates the errors of one step. *action* completes "failed while ..."."""
        try:
            with translated_errors(self._folder, f'{action} in index "{self.name}"'):
                yield
        except StoreError:
            # Raises IndexNotFound if another process has deleted the files.
            self._generation()
            raise

    @contextmanager
    def _write_step(self, action: str) -> Iterator[None]:
        """Holds the write lock on the latest version of the table, and translates errors."""
        with self._step(action), write_lock(self._folder, self.table_name):
            if self._generation().retired is not None:
                # A write to a replaced generation would be lost.
                raise IndexNotFound(f'Index "{self.name}" was rebuilt by another run. Open it again.')
            self._table.checkout_latest()
            yield

    def _after_write(self, doc_ids: Sequence[str]) -> None:
        """Logs a write to the live generation for the generation that is built to replace it, and counts it."""
        contents = self._catalog.contents()
        if contents.live.get(self.name) != self.table_name:
            # A run optimizes a generation that it builds before it publishes it.
            return
        building = contents.building.get(self.name)
        if building is not None:
            ChangeLog(self._folder, building).add(doc_ids)
        self._compactor.written(self.table_name, self)

    def _condition(self, filter: Filter | None) -> Condition | None:
        if filter is None:
            return None
        generation = self._generation()
        if generation.types.keys() - self._visible_fields:
            # Another process has added columns that this version of the table does not have.
            self._table.checkout_latest()
            self._visible_fields = frozenset(generation.types)
        bound = bind(filter, generation.schema)
        return Condition(sql_condition(bound, generation.widths), clause_count(bound))

    def _extend_schema(
        self, documents: Sequence[EncodedDocument]
    ) -> tuple[list[EncodedDocument], list[RejectedDocument]]:
        """Adds the columns for new metadata fields, and splits *documents* into accepted and rejected ones."""
        generation = self._generation()
        schema, widths = generation.schema, dict(generation.widths)
        accepted: list[EncodedDocument] = []
        rejected: list[RejectedDocument] = []
        for entry in documents:
            try:
                schema = schema.extended(entry.document.metadata)
            except MetadataError as exc:
                rejected.append(RejectedDocument(entry.document.doc_id, exc.message))
                continue
            accepted.append(entry)
            for name, value in entry.document.metadata.items():
                widths[name] = max(widths.get(name, 1), len(values_of(value)))
        passages = max([generation.passages, *(len(entry.passages) for entry in accepted)])
        extended = replace(generation, types=schema.types, widths=widths, passages=passages)
        if extended != generation:
            self._add_columns(schema.types)
            with self._catalog.changing() as change:
                change.after = change.before.with_generation(self.table_name, extended)
        return accepted, rejected

    def _add_columns(self, types: Mapping[str, FieldType]) -> None:
        existing = set(self._table.schema.names)
        columns = [metadata_column(name, kind) for name, kind in types.items()]
        missing = [column for column in columns if column.name not in existing]
        if missing:
            self._table.add_columns(missing)

    def _write(self, documents: Sequence[EncodedDocument]) -> None:
        rows = rows_of(documents, self._generation().types, self._table.schema)
        doc_ids = [entry.document.doc_id for entry in documents]
        if not self._first_rows(doc_ids, []):
            self._table.add(rows)
            return
        (
            self._table.merge_insert("row_id")
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .when_not_matched_by_source_delete(one_of("doc_id", doc_ids))
            .execute(rows)
        )

    def _first_rows(self, doc_ids: Sequence[str], columns: list[str]) -> dict[str, Mapping[str, Any]]:
        """Returns the first row of each of *doc_ids*; missing documents are left out."""
        rows: dict[str, Mapping[str, Any]] = {}
        row_ids = list(dict.fromkeys(first_row_id(doc_id) for doc_id in doc_ids))
        for start in range(0, len(row_ids), BATCH_DOCUMENTS):
            batch = row_ids[start : start + BATCH_DOCUMENTS]
            query = self._async_table.query().where(one_of("row_id", batch)).select(["row_id", *columns])
            rows.update((doc_id_of(row), row) for row in fetch_rows(query.limit(len(batch))).to_pylist())
        return rows

    def _rows(self, k: int) -> int:
        """Returns the number of rows to search for, which are likely to contain *k* documents."""
        return k * min(self._generation().passages, 4)
