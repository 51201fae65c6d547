"""Texts that exceed the model's length: scored by their best window, or truncated at one end.

Windows end at sentence ends where possible and overlap, like the passages of an index. The best window is the usual
score of a long document: Dai, Callan: Deeper Text Understanding for IR with Contextual Neural Language Modeling, SIGIR
2019 (MaxP).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from rerank.core.chunking import piece_ranges
from rerank.core.errors import InvalidRequest
from rerank.core.protocols import Reranker, RerankScores
from rerank.core.stop_condition import NEVER, StopCondition
from rerank.core.token_spans import token_spans

_CHARACTERS_PER_TOKEN = 16
"""Upper limit in ordinary text (English has 4 to 5), so that only the start of a huge text is tokenized."""


_ALL = 1 << 40
"""More tokens than any text has."""


class LongTextPolicy(Enum):
    """Treatment of a text that exceeds the model's length with its query."""

    WINDOWS = "windows"
    CUT_END = "cut end"
    CUT_START = "cut start"
    REFUSE = "refuse"


@dataclass(frozen=True)
class LengthLimits:
    """Limits of one text: its first `max_tokens` tokens (None: all) in at most `max_windows` windows."""

    policy: LongTextPolicy = LongTextPolicy.WINDOWS
    max_tokens: int | None = 4096
    max_windows: int = 10


BEST_WINDOW = LengthLimits()
"""Limits of Cohere: 4,096 tokens per document (v2), 10 chunks per document (v1)."""


def score_texts(
    reranker: Reranker, query: str, texts: Sequence[str], *, limits: LengthLimits, stop: StopCondition = NEVER
) -> RerankScores:
    """Returns the scores of *texts*; the score of a long text is that of its best window within *limits*.

    The first windows of all texts precede all second windows, so that a deadline leaves out the ends of texts first.
    `tokens` counts all windows. A text is `truncated` if a part of it was not scored. Raises InvalidRequest for
    a long text under LongTextPolicy.REFUSE, and what `Reranker.score` raises.
    """
    windows, shortened = split_texts(reranker, query, texts, limits)
    order = sorted((ordinal, i) for i, text_windows in enumerate(windows) for ordinal in range(len(text_windows)))
    owners = np.array([i for _, i in order], dtype=np.intp)
    ordered = [windows[i][ordinal] for ordinal, i in order]
    scores = reranker.score(query, ordered, deadline=stop.deadline, cancellation=stop.cancellation)
    if len(order) == len(texts):
        return replace(scores, truncated=scores.truncated | shortened & scores.scored)
    logits = np.full(len(texts), -np.inf, dtype=np.float32)
    np.maximum.at(logits, owners[scores.scored], scores.logits[scores.scored])
    scored = np.isfinite(logits)
    tokens = np.zeros(len(texts), dtype=np.int32)
    np.add.at(tokens, owners, np.where(scores.scored, scores.tokens, 0))
    truncated = shortened.copy()
    truncated[owners[scores.truncated | ~scores.scored]] = True
    return RerankScores(
        logits=np.where(scored, logits, 0).astype(np.float32),
        scored=scored,
        tokens=tokens,
        truncated=truncated & scored,
        cached=min(scores.cached, int(scored.sum())),
        query_truncated=scores.query_truncated,
        waited_ms=scores.waited_ms,
    )


def split_texts(
    reranker: Reranker, query: str, texts: Sequence[str], limits: LengthLimits
) -> tuple[list[list[str]], NDArray[np.bool_]]:
    """Returns the windows of each text, at least one, and a mask of the texts of which a part is in no window."""
    window_tokens = reranker.max_text_tokens(query)
    limit = window_tokens if limits.max_tokens is None else min(window_tokens, limits.max_tokens)
    windows = [[text] for text in texts]
    shortened = np.zeros(len(texts), dtype=np.bool_)
    # A token has at least one character: texts with fewer characters than the limit need no tokenization.
    long = [i for i, text in enumerate(texts) if len(text) > limit]
    needed = _needed_tokens(window_tokens, limits)
    for i, spans in zip(long, _spans(reranker, [texts[i] for i in long], needed), strict=True):
        if len(spans) > limit:
            windows[i], shortened[i] = _windows(texts[i], spans, window_tokens, limits, text_number=i)
    return windows, shortened


def _spans(reranker: Reranker, texts: Sequence[str], needed: int) -> list[NDArray[np.int32]]:
    """Returns the token spans of each text, at least *needed* and one more if the text has them."""
    heads = [text[: (needed + 1) * _CHARACTERS_PER_TOKEN] for text in texts]
    spans = token_spans(reranker, heads, max_tokens=needed)
    sparse = [
        i
        for i, (text, head) in enumerate(zip(texts, heads, strict=True))
        if len(head) < len(text) and len(spans[i]) <= needed
    ]
    for i, all_spans in zip(sparse, token_spans(reranker, [texts[i] for i in sparse], max_tokens=needed), strict=True):
        spans[i] = all_spans
    return spans


def _needed_tokens(window_tokens: int, limits: LengthLimits) -> int:
    """Returns the number of tokens of a long text that determine its windows."""
    if limits.policy in (LongTextPolicy.CUT_START, LongTextPolicy.REFUSE):
        return _ALL
    windows = 1 if limits.policy is LongTextPolicy.CUT_END else limits.max_windows + 1
    return min(limits.max_tokens or _ALL, windows * window_tokens)


def _windows(
    text: str, spans: NDArray[np.int32], window_tokens: int, limits: LengthLimits, *, text_number: int
) -> tuple[list[str], bool]:
    """Returns the windows of a long text, and True if a part of the text is in no window."""
    if limits.policy is LongTextPolicy.REFUSE:
        raise InvalidRequest(
            f"text {text_number} must have at most {window_tokens:,} tokens with this query, got {len(spans):,}. "
            "Shorten the text or allow truncation"
        )
    count = len(spans) if limits.max_tokens is None else min(limits.max_tokens, len(spans))
    if limits.policy is LongTextPolicy.CUT_START:
        return [text[int(spans[-min(count, window_tokens)][0]) :]], True
    if limits.policy is LongTextPolicy.CUT_END:
        return [text[: int(spans[min(count, window_tokens) - 1][1])]], True
    head = text if count == len(spans) else text[: int(spans[count - 1][1])]
    ranges = piece_ranges(head, spans[:count], max_tokens=window_tokens)
    windows = [head[start:end] for start, end in ranges[: limits.max_windows]]
    return windows, count < len(spans) or len(ranges) > limits.max_windows
