"""Ranking lists from labelled queries, with hard negatives from the data's own passages."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rerank.core.errors import TrainingDataError
from rerank.core.protocols import Encoder
from rerank.models.training.data.ranking_lists import RankingList, TrainingData

NEAREST = 60
"""Negatives are drawn from this number of nearest passages."""
MARGIN = 0.95
"""Passages above this fraction of the positive's cosine are skipped: many of them are unlabelled answers."""
DUPLICATE_COSINE = 0.97
"""Passages with at least this cosine to a positive are skipped as duplicates of it."""
MAX_POOL = 20_000
"""Maximum number of passages to draw negatives from; encoding a larger corpus would take longer than training."""
MAX_POSITIVES = 5
"""Maximum number of positives per query, so that a few broad queries do not dominate the training."""


def build_ranking_lists(
    data: TrainingData, encoder: Encoder, *, negatives: int, max_negatives: int, seed: int
) -> list[RankingList]:
    """Returns the lists of *data*, and a list with *negatives* for each positive of a labelled query.

    Lists keep at most *max_negatives*, or all if a teacher scored them. Labelled negatives come first; hard negatives
    from the pool fill the rest. All lists have a teacher's scores or the cosines of *encoder*. Raises TrainingDataError
    if no list has a negative.
    """
    lists = [
        ranking_list if ranking_list.teacher or ranking_list.scores else keep_negatives(ranking_list, max_negatives)
        for ranking_list in data.lists
    ]
    lists = _add_cosines(lists, encoder)
    if data.labelled:
        lists.extend(_draw_lists(data, encoder, random.Random(seed), negatives))
    lists = [ranking_list for ranking_list in lists if len(ranking_list.passages) > 1]
    if not lists:
        raise TrainingDataError("The data has no passage that can be a negative. Add passages.")
    return lists


def keep_negatives(ranking_list: RankingList, count: int) -> RankingList:
    """Returns the list with its positive and first *count* negatives."""
    end = 1 + count
    return RankingList(
        ranking_list.query,
        ranking_list.passages[:end],
        ranking_list.labels[:end],
        ranking_list.teacher[:end],
        ranking_list.scores[:end],
    )


def _add_cosines(lists: Sequence[RankingList], encoder: Encoder) -> list[RankingList]:
    """Returns the lists with the encoder's cosines if they have no teacher's values."""
    missing = [ranking_list for ranking_list in lists if not ranking_list.teacher and not ranking_list.scores]
    texts = list(dict.fromkeys(text for ranking_list in missing for text in ranking_list.passages))
    passages = dict(zip(texts, encoder.encode_documents(texts), strict=True))
    queries = iter(encoder.encode_queries([ranking_list.query for ranking_list in missing]))
    complete = []
    for ranking_list in lists:
        if ranking_list.teacher or ranking_list.scores:
            complete.append(ranking_list)
            continue
        query = next(queries)
        complete.append(
            replace(ranking_list, teacher=tuple(float(passages[text] @ query) for text in ranking_list.passages))
        )
    return complete


def _draw_lists(data: TrainingData, encoder: Encoder, draw: random.Random, negatives: int) -> list[RankingList]:
    pool = _pool(data, draw)
    rows = {text: row for row, text in enumerate(pool)}
    passages = encoder.encode_documents(pool)  # (m, dim)
    queries = encoder.encode_queries([labelled_query.query for labelled_query in data.labelled])  # (n, dim)
    lists = []
    for labelled_query, query_vector in zip(data.labelled, queries, strict=True):
        relevant = [rows[text] for text in labelled_query.relevant]
        irrelevant = [rows[text] for text in labelled_query.irrelevant]
        cosines = passages @ query_vector  # (m,)
        excluded = (passages @ passages[relevant].T).max(axis=1) > DUPLICATE_COSINE  # (m,)
        excluded[irrelevant] = True
        for positive in draw.sample(relevant, min(MAX_POSITIVES, len(relevant))):
            drawn = draw.sample(irrelevant, min(negatives, len(irrelevant)))
            hard = _hard_negatives(cosines, excluded, positive)
            drawn += draw.sample(hard, min(negatives - len(drawn), len(hard)))
            chosen = [positive, *drawn]
            lists.append(
                RankingList(
                    query=labelled_query.query,
                    passages=tuple(pool[row] for row in chosen),
                    labels=(labelled_query.relevant[pool[positive]], *[0.0] * len(drawn)),
                    teacher=tuple(float(cosines[row]) for row in chosen),
                )
            )
    return lists


def _pool(data: TrainingData, draw: random.Random) -> list[str]:
    """Returns all labelled passages, and a sample of the others up to MAX_POOL."""
    labelled = dict.fromkeys(
        text for labelled_query in data.labelled for text in (*labelled_query.relevant, *labelled_query.irrelevant)
    )
    others = [text for text in data.pool if text not in labelled]
    capacity = max(0, MAX_POOL - len(labelled))
    return [*labelled, *(draw.sample(others, capacity) if len(others) > capacity else others)]


def _hard_negatives(cosines: NDArray[np.float32], excluded: NDArray[np.bool_], positive: int) -> list[int]:
    nearest = np.argsort(-cosines, kind="stable")
    allowed = nearest[(cosines[nearest] < MARGIN * cosines[positive]) & ~excluded[nearest]]
    return [int(row) for row in allowed[:NEAREST]]
