"""Selection of the best passage of each document from the rows of a search."""

from __future__ import annotations

from collections.abc import Callable

from rerank.core.protocols import PassageMatch


def best_passages(search: Callable[[int], list[PassageMatch]], *, k: int, rows: int) -> list[PassageMatch]:
    """Returns the best passage of each of the first *k* documents, best first, ties by document id.

    search: function of a number of rows that returns at most so many of the best matches. rows: that number for the
    first search; it doubles until the matches contain *k* documents.
    """
    while True:
        matches = search(rows)
        best: dict[str, PassageMatch] = {}
        for match in matches:
            current = best.get(match.passage.doc_id)
            if current is None or match.score > current.score:
                best[match.passage.doc_id] = match
        if len(best) >= k or len(matches) < rows:
            return sorted(best.values(), key=lambda match: (-match.score, match.passage.doc_id))[:k]
        rows *= 2
