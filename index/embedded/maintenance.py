"""Maintenance of a table: search indexes, fragments and old versions."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from lancedb.index import BTree, IvfHnswSq

from rerank.index.embedded.analyzers import ANALYZERS
from rerank.index.embedded.compaction import Compacted

EF_CONSTRUCTION, LINKS = 150, 20
KEEP_VERSIONS = timedelta(minutes=2)
"""Time for which old versions of a table are kept for searches in progress. A search uses a version for a second."""
FEW_FRAGMENTS = 4
"""Number of fragments up to which a compaction does not merge them."""


def optimize(table: Any, *, analyzer: str, approximate_from: int) -> None:
    """Builds or updates the search indexes of *table*, merges its fragments, and deletes its old versions.

    approximate_from: number of rows from which the table has a vector graph.
    """
    rows = table.count_rows()
    if not rows:
        return
    table.optimize(cleanup_older_than=KEEP_VERSIONS)
    _build(table, "row_id", BTree(), rows)
    _build(table, "doc_id", BTree(), rows)
    _build(table, "headed", ANALYZERS[analyzer], rows)
    if rows >= approximate_from:
        config = IvfHnswSq(distance_type="cosine", num_partitions=1, m=LINKS, ef_construction=EF_CONSTRUCTION)
        _build(table, "vector", config, rows)


def compact(table: Any) -> Compacted | None:
    """Merges the fragments of *table*, adds new rows to its search indexes, and deletes old versions.

    Returns None if the table has few fragments.
    """
    started = time.monotonic()
    before = _fragments(table)
    table.optimize(cleanup_older_than=KEEP_VERSIONS)
    if before <= FEW_FRAGMENTS:
        return None
    after = _fragments(table)
    if after > FEW_FRAGMENTS:
        # LanceDB merges only fragments with the same search indexes. The first pass has added the rows to them.
        table.optimize(cleanup_older_than=KEEP_VERSIONS)
        after = _fragments(table)
    return Compacted(before, after, time.monotonic() - started)


def _fragments(table: Any) -> int:
    return int(table.stats()["fragment_stats"]["num_fragments"])


def _build(table: Any, column: str, config: Any, rows: int) -> None:
    for index in table.list_indices():
        if index.columns == [column]:
            stats = table.index_stats(index.name)
            # LanceDB's optimize() has added the new rows. If most rows are new, searches are slow until a rebuild.
            if stats is not None and stats.num_indexed_rows * 2 >= rows:
                return
    table.create_index(column, config=config, replace=True)
