"""vLLM's POST /score: scores of text pairs, in request order."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from rerank.core.errors import InvalidRequest
from rerank.core.long_texts import BEST_WINDOW, LengthLimits, LongTextPolicy
from rerank.core.protocols import Cancellation
from rerank.core.ranking import RankingModel
from rerank.core.search import check_query
from rerank.core.stop_condition import StopCondition
from rerank.service.dialects.dialect import as_list
from rerank.service.dialects.ranking import TextRanking, rank_texts
from rerank.service.request_models import IGNORED, MAX_TEXTS
from rerank.service.strict_model import StrictModel
from rerank.service.tolerant_model import Flag, Milliseconds, TokenLimit, TolerantModel
from rerank.service.validation import check_unicode

Texts = Annotated[list[str], BeforeValidator(as_list), Field(min_length=1, max_length=MAX_TEXTS)]


class ScoreBody(TolerantModel):
    """A request of vLLM's clients: one text paired with each of several, or two lists of equal length."""

    text_1: Texts = Field(description="Query texts: one for all texts, or one per text.")
    text_2: Texts = Field(description="Texts to score.")
    model: str | None = Field(None, description="Reranker to use: a name from GET /models, or default.")
    truncate_prompt_tokens: TokenLimit = Field(
        None, description="Score only this many tokens of each text, at most one window; -1: one window."
    )
    use_activation: Flag = Field(None, description="false: return logits instead of probabilities.")
    timeout_ms: Milliseconds = Field(None, description="Time budget in milliseconds.")
    priority: Any = Field(None, description=IGNORED)
    user: Any = Field(None, description=IGNORED)
    request_id: Any = Field(None, description=IGNORED)

    def check(self) -> None:
        """Raises InvalidRequest for lists that do not form pairs, a blank query and invalid Unicode."""
        if len(self.text_1) not in (1, len(self.text_2)):
            raise InvalidRequest(
                f'"text_1" must have one item or as many as "text_2" ({len(self.text_2):,}), got {len(self.text_1):,}',
                field="text_1",
            )
        for query in self.text_1:
            check_query(query, field="text_1")
        check_unicode(self.text_2, "text_2")

    def limits(self) -> LengthLimits:
        """Returns the limits for long texts."""
        if self.truncate_prompt_tokens is None:
            return BEST_WINDOW
        return LengthLimits(LongTextPolicy.CUT_END, max_tokens=max(self.truncate_prompt_tokens, 0) or None)


class PairScore(StrictModel):
    """A pair, by its position in the request."""

    index: int
    object: Literal["score"]
    score: float


class ScoreResponse(StrictModel):
    """The scores, in request order."""

    id: str
    object: Literal["list"]
    created: int
    model: str
    data: list[PairScore]
    usage: dict[str, int]


def score_pairs(
    model: RankingModel, body: ScoreBody, *, cancellation: Cancellation | None = None
) -> tuple[dict[str, object], Sequence[TextRanking]]:
    """Returns the response, and the ranking of each distinct query."""
    stop = StopCondition.of(body.timeout_ms, cancellation)
    positions_by_query: dict[str, list[int]] = {}
    queries = body.text_1 * len(body.text_2) if len(body.text_1) == 1 else body.text_1
    for position, query in enumerate(queries):
        positions_by_query.setdefault(query, []).append(position)
    scores = [0.0] * len(queries)
    rankings = []
    for query, positions in positions_by_query.items():
        ranking = rank_texts(
            model,
            query,
            [body.text_2[position] for position in positions],
            limits=body.limits(),
            raw_scores=body.use_activation is False,
            stop=stop,
        )
        rankings.append(ranking)
        for result in ranking.results:
            scores[positions[result.index]] = result.score
    tokens = sum(ranking.tokens for ranking in rankings)
    return {
        "id": f"score-{uuid.uuid4()}",
        "object": "list",
        "created": int(time.time()),
        "model": model.reranker.name,
        "data": [{"index": index, "object": "score", "score": score} for index, score in enumerate(scores)],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }, rankings
