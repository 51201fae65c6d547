"""Searches of one table: by vector and by words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from lancedb.query import MatchQuery
from numpy.typing import NDArray

from rerank.core.errors import StoreTimeout
from rerank.core.protocols import PassageMatch
from rerank.index.embedded.async_queries import fetch_rows
from rerank.index.embedded.rows import PASSAGE_COLUMNS, cosines, matches_of

EF_SEARCH = 400
"""Minimum number of candidates of a graph search. Exact cosines rank them, because the graph is quantized."""
LARGE_CLAUSES = 32
"""Number of clauses from which a filter is large: the search can keep a thread of LanceDB busy for a second."""
LARGE_FILTER_SECONDS = 30.0
"""Timeout of a search that waits for the searches with large filters before it."""

RowSearch = Callable[[int], list[PassageMatch]]
"""Search for a number of rows that returns at most so many of the best matches."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Rows to search, as SQL. clauses: number of clauses of the filter."""

    sql: str
    clauses: int


class LargeFilters:
    """Turns of the searches with large filters.

    LanceDB computes on as many threads as there are processors, and a filter does not yield its thread. One large
    filter at a time leaves threads for other searches.
    """

    def __init__(self, *, seconds: float = LARGE_FILTER_SECONDS) -> None:
        self._seconds = seconds
        self._turn = threading.Lock()

    @contextmanager
    def turn(self, condition: Condition | None) -> Iterator[None]:
        """Waits for its turn if the filter is large. Raises StoreTimeout after LARGE_FILTER_SECONDS."""
        if condition is None or condition.clauses < LARGE_CLAUSES:
            yield
            return
        if not self._turn.acquire(timeout=self._seconds):
            raise StoreTimeout(
                f"Other searches with filters of {LARGE_CLAUSES} clauses or more kept this one waiting for "
                f"{self._seconds:g} s. Use fewer clauses, for example one terms clause for several values."
            )
        try:
            yield
        finally:
            self._turn.release()


class TableSearches:
    """Searches of *table*, an asynchronous LanceDB table."""

    def __init__(self, table: Any, large_filters: LargeFilters) -> None:
        # Any: LanceDB's types omit most methods of tables and queries.
        self._table = table
        self._large_filters = large_filters

    def nearest(self, vector: NDArray[np.float32], condition: Condition | None, *, exact: bool) -> RowSearch:
        """Returns the search for the rows nearest to *vector* (dim,), with the cosine of the full vectors.

        The full vectors are fetched with the rows, because distances in the graph are approximate.
        """

        def search(rows: int) -> list[PassageMatch]:
            query = self._table.query().nearest_to(vector).column("vector").distance_type("cosine").limit(rows)
            query = query.bypass_vector_index() if exact else query.ef(max(EF_SEARCH, rows))
            # LanceDB prints a warning if _distance is not selected explicitly.
            table = self._rows(query, condition, [*PASSAGE_COLUMNS, "vector", "_distance"])
            return matches_of(table, cosines(table["vector"], vector).tolist())

        return search

    def matching(self, words: str, condition: Condition | None) -> RowSearch:
        """Returns the search for the rows with the highest BM25 score of any of *words*, separated by spaces."""

        def search(rows: int) -> list[PassageMatch]:
            query = self._table.query().nearest_to_text(_match_query(words)).limit(rows)
            table = self._rows(query, condition, [*PASSAGE_COLUMNS, "_score"])
            return matches_of(table, table["_score"].to_pylist())

        return search

    def _rows(self, query: Any, condition: Condition | None, columns: list[str]) -> Any:
        if condition is not None:
            query = query.where(condition.sql)
        with self._large_filters.turn(condition):
            return fetch_rows(query.select(columns))


def _match_query(words: str) -> MatchQuery:
    constructor: Any = MatchQuery  # LanceDB declares no types for it.
    query: MatchQuery = constructor(words, "headed")
    return query
