"""Scored lists from searches, for distillation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rerank.core.errors import TrainingDataError
from rerank.models.training.data.json_lines import Row
from rerank.models.training.data.resumable_json_lines import ResumableJsonLines
from rerank.models.training.options import ReportPreparation

MIN_PASSAGES = 2
"""A list of one passage has no order to learn."""
Search = Callable[[str], Sequence[tuple[str, float]]]
"""Function from a query to the retrieved passages with their fused scores, in logits."""


def write_search_scores(
    queries: Sequence[str],
    search: Search,
    lines: ResumableJsonLines,
    *,
    on_preparation: ReportPreparation | None = None,
) -> None:
    """Writes a line of {"query", "passages", "scores"} for each query with at least MIN_PASSAGES results.

    Resumes after an interruption. Raises TrainingDataError if no query has enough results, TrainingFailed if the file
    cannot be written, and the errors of *search*.
    """
    if lines.is_complete():
        return
    done = lines.start()
    remaining = [query for query in dict.fromkeys(queries) if query not in done]

    def rows() -> Iterator[Sequence[Row]]:
        lists = len(done)
        for count, query in enumerate(remaining, start=1):
            results = search(query)
            if len(results) >= MIN_PASSAGES:
                lists += 1
                passages, scores = zip(*results, strict=True)
                yield [{"query": query, "passages": passages, "scores": [round(score, 4) for score in scores]}]
            if on_preparation:
                on_preparation("queries searched", count, len(remaining))
        if not lists:
            raise TrainingDataError(
                f"No query has at least {MIN_PASSAGES} results in the index, so there is no order to learn. Check the"
                " index and the queries."
            )

    lines.append(rows())
