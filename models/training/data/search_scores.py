"""What a search says of queries, as lists to learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rerank.core.errors import TrainingDataError
from rerank.models.training.data.resumable_json_lines import ResumableJsonLines, Row
from rerank.models.training.options import ReportPreparation

FEWEST = 2
"""A list of one passage has no order."""
Found = Callable[[str], Sequence[tuple[str, float]]]
"""From a query to the passages that were found, each with its fused score in logits."""


def write_search_scores(
    queries: Sequence[str], find: Found, lines: ResumableJsonLines, *, on_preparation: ReportPreparation | None = None
) -> None:
    """Write a line of {"query", "passages", "scores"} for each query that finds two passages or more.

    Goes on where a run was broken off. Raises TrainingDataError where no query finds as many, TrainingFailed when the
    file cannot be written, and what *find* raises.
    """
    if lines.finished():
        return
    done = lines.done()
    left = [query for query in dict.fromkeys(queries) if query not in done]

    def rows() -> Iterator[Sequence[Row]]:
        lists = len(done)
        for count, query in enumerate(left, start=1):
            found = find(query)
            if len(found) >= FEWEST:
                lists += 1
                passages, scores = zip(*found, strict=True)
                yield [{"query": query, "passages": passages, "scores": [round(score, 4) for score in scores]}]
            if on_preparation:
                on_preparation("queries searched", count, len(left))
        if not lists:
            raise TrainingDataError("none of the queries finds two passages in the index; there is no order to learn")

    lines.write(rows())
