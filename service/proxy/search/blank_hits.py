"""Hits without text, which follow all other hits of the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rerank.core.ranking import Ranking
from rerank.core.search import Candidate, Explanation, RankedCandidate


def split_candidates(
    candidates: Sequence[Candidate], blank: NDArray[np.bool_]
) -> tuple[list[Candidate], list[Candidate]]:
    """Returns the candidates with a text, and those without.

    *blank*: bool (n,), True for a candidate without a text. Its passage becomes empty, for example if the text has
    only characters that the model does not know.
    """
    with_text = [candidate for candidate, is_blank in zip(candidates, blank, strict=True) if not is_blank]
    without = [
        replace(candidate, passage=replace(candidate.passage, text="", end=0))
        for candidate, is_blank in zip(candidates, blank, strict=True)
        if is_blank
    ]
    return with_text, without


def with_blank_last(ranking: Ranking, blank: Sequence[Candidate], *, drop: bool) -> Ranking:
    """Returns *ranking* followed by the *blank* candidates in first-stage order, with decreasing scores.

    *drop*: leave them out and count them as dropped, because they are below every minimum score.
    """
    if not blank:
        return ranking
    report = replace(ranking.report, candidates=ranking.report.candidates + len(blank))
    if drop and report.applied:
        return Ranking(ranking.ranked, replace(report, dropped=report.dropped + len(blank)))
    lowest = ranking.ranked[-1].score if ranking.ranked else 1.0
    last = tuple(
        RankedCandidate(
            candidate,
            len(ranking.ranked) + i,
            lowest * (1 - i / (len(blank) + 1)),
            Explanation(None, None, None, candidate.vector_rank, candidate.text_rank, None),
        )
        for i, candidate in enumerate(blank, start=1)
    )
    return Ranking((*ranking.ranked, *last), report)
