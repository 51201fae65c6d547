"""vLLM's POST /score: pairs of texts, answered in the order they came; nothing is ranked."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from rerank.core.errors import InvalidRequest
from rerank.core.long_texts import BEST_WINDOW, LengthLimits, LongTextPolicy
from rerank.core.protocols import Cancellation
from rerank.core.ranking import RankingModel
from rerank.core.search import check_query
from rerank.core.stop_condition import StopCondition
from rerank.service.dialects.ranking import TextRanking, rank_texts
from rerank.service.request_body import check_unicode
from rerank.service.request_models import MAX_DOCUMENTS, MAX_TIMEOUT_MS
from rerank.service.strict_model import StrictModel


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Texts = Annotated[list[str], BeforeValidator(_listed), Field(min_length=1, max_length=MAX_DOCUMENTS)]


class ScoreBody(StrictModel):
    """As vLLM's clients send it: one text with each of several, or as many with as many."""

    text_1: Texts = Field(description="The queries: one for all, or one a text.")
    text_2: Texts = Field(description="The texts to be scored.")
    model: str | None = Field(None, description="A reranker of GET /models, or default.")
    truncate_prompt_tokens: int | None = Field(
        None, ge=-1, description="Read only so many tokens, at most one window, of each text; -1: a window."
    )
    use_activation: bool | None = Field(None, description="False: scores are the model's raw answers.")
    timeout_ms: int | None = Field(None, ge=1, le=MAX_TIMEOUT_MS, description="Time for scoring.")
    priority: int | None = Field(None, description="Taken and not used.")
    user: str | None = Field(None, description="Taken and not used.")
    request_id: str | None = Field(None, description="Taken and not used.")

    def check(self) -> None:
        """Raise InvalidRequest for texts that do not make pairs, and for what no model can read."""
        if len(self.text_1) not in (1, len(self.text_2)):
            raise InvalidRequest(
                f'"text_1" has {len(self.text_1):,} texts and "text_2" {len(self.text_2):,}: '
                "send one of the first for all of the second, or as many",
                field="text_1",
            )
        for query in self.text_1:
            check_query(query, field="text_1")
        check_unicode(self.text_2, "text_2")

    def limits(self) -> LengthLimits:
        """How much of a text is read."""
        if self.truncate_prompt_tokens is None:
            return BEST_WINDOW
        return LengthLimits(LongTextPolicy.CUT_END, max_tokens=max(self.truncate_prompt_tokens, 0) or None)


class PairScore(StrictModel):
    """A pair of the request, by its place there."""

    index: int
    object: Literal["score"]
    score: float


class ScoreResponse(StrictModel):
    """The pairs in the request's order."""

    id: str
    object: Literal["list"]
    created: int
    model: str
    data: list[PairScore]
    usage: dict[str, int]


def score_pairs(
    model: RankingModel, body: ScoreBody, *, cancellation: Cancellation | None = None
) -> tuple[dict[str, object], Sequence[TextRanking]]:
    """The answer, and the ranking for each different query behind it."""
    stop = StopCondition.of(body.timeout_ms, cancellation)
    places: dict[str, list[int]] = {}
    queries = body.text_1 * len(body.text_2) if len(body.text_1) == 1 else body.text_1
    for place, query in enumerate(queries):
        places.setdefault(query, []).append(place)
    scores = [0.0] * len(queries)
    rankings = []
    for query, own in places.items():
        ranking = rank_texts(
            model,
            query,
            [body.text_2[place] for place in own],
            limits=body.limits(),
            raw_scores=body.use_activation is False,
            stop=stop,
        )
        rankings.append(ranking)
        for result in ranking.results:
            scores[own[result.index]] = result.score
    tokens = sum(ranking.tokens for ranking in rankings)
    return {
        "id": f"score-{uuid.uuid4()}",
        "object": "list",
        "created": int(time.time()),
        "model": model.reranker.name,
        "data": [{"index": place, "object": "score", "score": score} for place, score in enumerate(scores)],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }, rankings
