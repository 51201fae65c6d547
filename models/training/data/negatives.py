"""Lists from judgments: negatives that are near to the query and yet unlikely to answer it."""

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
"""Negatives are drawn from this many passages nearest to the query."""
MARGIN = 0.95
"""Passages above this part of the relevant one's cosine are left out: too many of them are answers not judged."""
COPY = 0.97
"""Passages that are as near to a relevant one say the same."""
POOL = 20_000
"""Passages that negatives are looked for among; a larger corpus is sampled, or its encoding would outlast training."""
POSITIVES = 5
"""Relevant passages taken of a query at most, so that a few broad ones do not make up the training."""


def build_ranking_lists(
    data: TrainingData, encoder: Encoder, *, negatives: int, known: int, seed: int
) -> list[RankingList]:
    """Every list of *data*, read by the teacher: one relevant passage and others that are not.

    Lists that came complete keep *known* negatives at most, or all where they were read by a teacher; the others get
    *negatives*, hard ones from the pool where too few are known (fewer where there are no more).

    Raises TrainingDataError when no list has a negative.
    """
    given = [one if one.teacher or one.scores else cut(one, known) for one in data.lists]
    lists = _taught(given, encoder)
    if data.judged:
        lists.extend(_mined(data, encoder, random.Random(seed), negatives))
    lists = [one for one in lists if len(one.passages) > 1]
    if not lists:
        raise TrainingDataError("no passage is left to tell the relevant ones from; more passages are needed")
    return lists


def cut(one: RankingList, negatives: int) -> RankingList:
    """The list with its first *negatives* alone."""
    end = 1 + negatives
    return RankingList(one.query, one.passages[:end], one.labels[:end], one.teacher[:end], one.scores[:end])


def _taught(lists: Sequence[RankingList], encoder: Encoder) -> list[RankingList]:
    """The lists with the encoder's cosine of each passage, where they had none."""
    unread = [one for one in lists if not one.teacher and not one.scores]
    texts = list(dict.fromkeys(text for one in unread for text in one.passages))
    passages = dict(zip(texts, encoder.encode_documents(texts), strict=True))
    queries = iter(encoder.encode_queries([one.query for one in unread]))
    taught = []
    for one in lists:
        if one.teacher or one.scores:
            taught.append(one)
            continue
        query = next(queries)
        taught.append(replace(one, teacher=tuple(float(passages[text] @ query) for text in one.passages)))
    return taught


def _mined(data: TrainingData, encoder: Encoder, draw: random.Random, negatives: int) -> list[RankingList]:
    pool = _pool(data, draw)
    rows = {text: row for row, text in enumerate(pool)}
    passages = encoder.encode_documents(pool)  # (m, dim)
    queries = encoder.encode_queries([one.query for one in data.judged])  # (n, dim)
    lists = []
    for one, query in zip(data.judged, queries, strict=True):
        answers = [rows[text] for text in one.relevant]
        known = [rows[text] for text in one.irrelevant]
        cosines = passages @ query  # (m,)
        left_out = (passages @ passages[answers].T).max(axis=1) > COPY  # (m,)
        left_out[known] = True
        for positive in draw.sample(answers, min(POSITIVES, len(answers))):
            chosen = draw.sample(known, min(negatives, len(known)))
            near = _near(cosines, left_out, positive)
            chosen += draw.sample(near, min(negatives - len(chosen), len(near)))
            places = [positive, *chosen]
            lists.append(
                RankingList(
                    query=one.query,
                    passages=tuple(pool[place] for place in places),
                    labels=(one.relevant[pool[positive]], *[0.0] * len(chosen)),
                    teacher=tuple(float(cosines[place]) for place in places),
                )
            )
    return lists


def _pool(data: TrainingData, draw: random.Random) -> list[str]:
    """Every judged passage, filled up to POOL with others."""
    judged = dict.fromkeys(text for one in data.judged for text in (*one.relevant, *one.irrelevant))
    others = [text for text in data.pool if text not in judged]
    room = max(0, POOL - len(judged))
    return [*judged, *(draw.sample(others, room) if len(others) > room else others)]


def _near(cosines: NDArray[np.float32], left_out: NDArray[np.bool_], positive: int) -> list[int]:
    near = np.argsort(-cosines, kind="stable")
    kept = near[(cosines[near] < MARGIN * cosines[positive]) & ~left_out[near]]
    return [int(place) for place in kept[:NEAREST]]
