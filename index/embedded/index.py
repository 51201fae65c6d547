"""One generation of an index: a LanceDB table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from lancedb.index import BTree, IvfHnswSq
from lancedb.query import MatchQuery
from numpy.typing import NDArray

from rerank.core.bound_filter import bind
from rerank.core.document import Document, EncodedDocument, RejectedDocument
from rerank.core.errors import IndexNotFound, MetadataError, StoreError
from rerank.core.filters import Filter
from rerank.core.metadata import FieldType, values_of
from rerank.core.protocols import IndexInfo, IndexSpec, PassageMatch
from rerank.index.dimensions import check_documents, check_query
from rerank.index.embedded.analyzers import ANALYZERS
from rerank.index.embedded.catalog import Catalog, Generation
from rerank.index.embedded.faults import translated
from rerank.index.embedded.locks import write_lock
from rerank.index.embedded.predicate import one_of, predicate
from rerank.index.embedded.reads import queries_of, read
from rerank.index.embedded.rows import (
    DOCUMENT_COLUMNS,
    PASSAGE_COLUMNS,
    cosines,
    doc_id_of,
    document_of,
    first_row_id,
    matches_of,
    metadata_column,
    rows_of,
)
from rerank.index.query_words import query_words

APPROXIMATE_FROM = 10_000
"""Passages from which on an approximate index is built; below, comparing with all of them is as fast."""
EF_CONSTRUCTION, LINKS = 150, 20
EF_SEARCH = 400
"""How widely the graph is searched. It keeps one byte a number; what it finds is put in order by the whole vectors."""
OLD_VERSIONS = timedelta(minutes=10)
AT_ONCE = 500


class EmbeddedIndex:
    """An Index over one table. Writers of all processes take turns; readers never wait."""

    def __init__(self, folder: Path, catalog: Catalog, name: str, table: Any, *, approximate_from: int) -> None:
        self._folder = folder
        self._catalog = catalog
        self.table_name = name
        # Any: LanceDB's own types leave out most of what its tables and queries can do.
        self._table: Any = table
        self._queries = queries_of(table)
        self._approximate_from = approximate_from
        self._known = self._generation()
        self._fields = frozenset(self._known.types)

    @property
    def name(self) -> str:
        """The name that users know it by."""
        return self._known.name

    @property
    def spec(self) -> IndexSpec:
        """What was fixed when it was made."""
        return self._known.spec

    def info(self) -> IndexInfo:
        """Counts and the encoder's identity. Raises IndexNotFound when it is gone."""
        contents = self._catalog.contents()
        known = self._generation()
        with self._doing("a count"):
            documents, passages = self._table.count_rows("ordinal = 0"), self._table.count_rows()
        building = contents.live.get(known.name) != self.table_name
        return IndexInfo(
            known.name, documents, passages, known.spec.encoder, known.created, known.spec.analyzer, building=building
        )

    def upsert(self, documents: Sequence[EncodedDocument]) -> list[RejectedDocument]:
        """One new version of the table a call: readers see all of it or nothing."""
        check_documents(self, documents)
        with self._writing("a write"):
            fitting, rejected = self._fit_schema(documents)
            if fitting:
                self._write(fitting)
        return rejected

    def delete(self, doc_ids: Sequence[str]) -> int:
        """Remove documents; returns how many there were."""
        wanted = list(dict.fromkeys(doc_ids))
        deleted = 0
        with self._writing("a deletion"):
            for start in range(0, len(wanted), AT_ONCE):
                there = list(self._first_rows(wanted[start : start + AT_ONCE], []))
                if there:
                    self._table.delete(one_of("doc_id", there))
                    deleted += len(there)
        return deleted

    def content_hashes(self, doc_ids: Sequence[str]) -> dict[str, str]:
        """The content hash of each of *doc_ids* that the index holds."""
        with self._doing("a look at documents"):
            rows = self._first_rows(doc_ids, ["content_hash"])
        return {doc_id: row["content_hash"] for doc_id, row in rows.items()}

    def fetch(self, doc_ids: Sequence[str]) -> dict[str, Document]:
        """The documents of *doc_ids* that the index holds, as they were written."""
        with self._doing("a look at documents"):
            rows = self._first_rows(doc_ids, DOCUMENT_COLUMNS)
        return {doc_id: document_of(row) for doc_id, row in rows.items()}

    def knn(
        self, vector: NDArray[np.float32], *, k: int, filter: Filter | None = None, exact: bool = False
    ) -> list[PassageMatch]:
        """The graph's own distances are rough; a cosine is that of the whole vectors, which come with the rows."""
        check_query(self, vector)
        if not np.any(vector):
            return []
        where = self._where(filter)

        def ask(rows: int) -> list[PassageMatch]:
            query = self._queries.query().nearest_to(vector).column("vector").distance_type("cosine").limit(rows)
            if where is not None:
                query = query.where(where)
            query = query.bypass_vector_index() if exact else query.ef(max(EF_SEARCH, rows))
            # Without _distance among them, LanceDB warns that a later version will leave it out.
            found = read(query.select([*PASSAGE_COLUMNS, "vector", "_distance"]))
            return matches_of(found, cosines(found["vector"], vector).tolist())

        with self._doing("a vector search"):
            return self._best(ask, k)

    def match(self, text: str, *, k: int, filter: Filter | None = None) -> list[PassageMatch]:
        """BM25 over title and text."""
        words = " ".join(query_words(text))
        if not words:
            return []
        where = self._where(filter)

        def ask(rows: int) -> list[PassageMatch]:
            query = self._queries.query().nearest_to_text(_any_word(words)).limit(rows)
            if where is not None:
                query = query.where(where)
            found = read(query.select([*PASSAGE_COLUMNS, "_score"]))
            return matches_of(found, found["_score"].to_pylist())

        with self._doing("a text search"):
            return self._best(ask, k)

    def refresh(self) -> None:
        """What was written is there already; what others wrote is looked for now."""
        with self._doing("a refresh"):
            self._table.checkout_latest()

    def optimize(self) -> None:
        """Build the indexes, or bring them up to date, and drop versions that no reader uses any more."""
        with self._writing("building the search indexes"):
            rows = self._table.count_rows()
            if not rows:
                return
            self._table.optimize(cleanup_older_than=OLD_VERSIONS)
            self._build("row_id", BTree(), rows)
            self._build("doc_id", BTree(), rows)
            self._build("headed", ANALYZERS[self.spec.analyzer], rows)
            if rows >= self._approximate_from:
                config = IvfHnswSq(distance_type="cosine", num_partitions=1, m=LINKS, ef_construction=EF_CONSTRUCTION)
                self._build("vector", config, rows)

    def _build(self, column: str, config: Any, rows: int) -> None:
        """An index on *column*, unless there is one that knows at least half of the rows: optimize() adds the rest."""
        for index in self._table.list_indices():
            if index.columns == [column]:
                stats = self._table.index_stats(index.name)
                if stats is not None and stats.num_indexed_rows * 2 >= rows:
                    return
        self._table.create_index(column, config=config, replace=True)

    def _generation(self) -> Generation:
        known = self._catalog.contents().generations.get(self.table_name)
        if known is None:
            raise IndexNotFound(f'this generation of index "{self._known.name}" is gone; open the index again')
        return known

    @contextmanager
    def _doing(self, what: str) -> Iterator[None]:
        try:
            with translated(self._folder, f'{what} in index "{self.name}"'):
                yield
        except StoreError:
            # Another run may have dropped the files under this one: then that is what there is to say.
            self._generation()
            raise

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        with self._doing(what), write_lock(self._folder, self.table_name):
            if self._generation().retired is not None:
                # Readers may finish with it; what is written to it would be lost without a word.
                raise IndexNotFound(f'index "{self.name}" was built anew by another run; open it again')
            self._table.checkout_latest()
            yield

    def _where(self, filter: Filter | None) -> str | None:
        if filter is None:
            return None
        known = self._generation()
        if known.types.keys() - self._fields:
            # Another process gave the table new columns, which this one is yet to see.
            self._table.checkout_latest()
            self._fields = frozenset(known.types)
        return predicate(bind(filter, known.schema), known.widths)

    def _fit_schema(self, documents: Sequence[EncodedDocument]) -> tuple[list[EncodedDocument], list[RejectedDocument]]:
        """Those of *documents* whose metadata fits, after the table has the columns for it."""
        known = self._generation()
        schema, widths = known.schema, dict(known.widths)
        fitting: list[EncodedDocument] = []
        rejected: list[RejectedDocument] = []
        for entry in documents:
            try:
                schema = schema.extended(entry.document.metadata)
            except MetadataError as exc:
                rejected.append(RejectedDocument(entry.document.doc_id, exc.message))
                continue
            fitting.append(entry)
            for name, value in entry.document.metadata.items():
                widths[name] = max(widths.get(name, 1), len(values_of(value)))
        passages = max([known.passages, *(len(entry.passages) for entry in fitting)])
        learnt = replace(known, types=schema.types, widths=widths, passages=passages)
        if learnt != known:
            self._add_columns(schema.types)
            with self._catalog.changing() as change:
                change.after = change.before.with_generation(self.table_name, learnt)
        return fitting, rejected

    def _add_columns(self, types: Mapping[str, FieldType]) -> None:
        there = set(self._table.schema.names)
        columns = [metadata_column(name, kind) for name, kind in types.items()]
        missing = [column for column in columns if column.name not in there]
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
        """The first row of each of *doc_ids* that is there."""
        found: dict[str, Mapping[str, Any]] = {}
        wanted = list(dict.fromkeys(first_row_id(doc_id) for doc_id in doc_ids))
        for start in range(0, len(wanted), AT_ONCE):
            chunk = wanted[start : start + AT_ONCE]
            query = self._queries.query().where(one_of("row_id", chunk)).select(["row_id", *columns]).limit(len(chunk))
            found.update((doc_id_of(row), row) for row in read(query).to_pylist())
        return found

    def _best(self, ask: Callable[[int], list[PassageMatch]], k: int) -> list[PassageMatch]:
        """The best passage of each of the first *k* documents; more rows are asked for until there are so many."""
        rows = k * min(self._generation().passages, 4)
        while True:
            matches = ask(rows)
            best: dict[str, PassageMatch] = {}
            for match in matches:
                known = best.get(match.passage.doc_id)
                if known is None or match.score > known.score:
                    best[match.passage.doc_id] = match
            if len(best) >= k or len(matches) < rows:
                ordered = sorted(best.values(), key=lambda match: (-match.score, match.passage.doc_id))
                return ordered[:k]
            rows *= 2


def _any_word(words: str) -> MatchQuery:
    build: Any = MatchQuery
    query: MatchQuery = build(words, "headed")
    return query
