"""Texts longer than the model reads: window by window, of which the best one counts, or cut at one end.

A window ends where a sentence does, if it can, and consecutive ones overlap, as passages of an index do. The score of
the best passage is the usual one of a long document: Dai, Callan: Deeper Text Understanding for IR with Contextual
Neural Language Modeling, SIGIR 2019 (MaxP).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from rerank.core.chunking import pieces
from rerank.core.errors import InvalidRequest
from rerank.core.protocols import Reranker, RerankScores
from rerank.core.stop_condition import NEVER, StopCondition

_CHARACTERS_A_TOKEN = 16
"""No ordinary text has more a token (English has 4 to 5): enough of a huge text to cut it by tokens."""


class LongTextPolicy(Enum):
    """What becomes of the tokens of a text that do not fit beside the query."""

    WINDOWS = "windows"
    CUT_END = "cut end"
    CUT_START = "cut start"
    REFUSE = "refuse"


@dataclass(frozen=True)
class LengthLimits:
    """How much of each text is read: its first `max_tokens` (None: all), in at most `max_windows` windows."""

    policy: LongTextPolicy = LongTextPolicy.WINDOWS
    max_tokens: int | None = 4096
    max_windows: int = 10


BEST_WINDOW = LengthLimits()
"""Cohere's limits: 4,096 tokens a document (v2), 10 chunks a document (v1)."""


def score_texts(
    reranker: Reranker, query: str, texts: Sequence[str], *, limits: LengthLimits, stop: StopCondition = NEVER
) -> RerankScores:
    """As Reranker.score, but of a text that is too long all windows within *limits* are read, and the best counts.

    Every text's first window comes before any text's second one, so that a deadline leaves out the ends of texts
    before whole texts. `tokens` counts those of all windows, and a text is `truncated` where a part of it was not
    read. Raises InvalidRequest for a text that is too long under LongTextPolicy.REFUSE, and what Reranker.score raises.
    """
    windows, cut = _windows(reranker, query, texts, limits)
    order = sorted((place, i) for i, parts in enumerate(windows) for place in range(len(parts)))
    owners = np.array([i for _, i in order], dtype=np.intp)
    parts = [windows[i][place] for place, i in order]
    read = reranker.score(query, parts, deadline=stop.deadline, cancellation=stop.cancellation)
    if len(order) == len(texts):
        return replace(read, truncated=read.truncated | cut & read.scored)
    logits = np.full(len(texts), -np.inf, dtype=np.float32)
    np.maximum.at(logits, owners[read.scored], read.logits[read.scored])
    scored = np.isfinite(logits)
    tokens = np.zeros(len(texts), dtype=np.int32)
    np.add.at(tokens, owners, np.where(read.scored, read.tokens, 0))
    unread = cut.copy()
    unread[owners[read.truncated | ~read.scored]] = True
    return RerankScores(
        logits=np.where(scored, logits, 0).astype(np.float32),
        scored=scored,
        tokens=tokens,
        truncated=unread & scored,
        cached=min(read.cached, int(scored.sum())),
        query_truncated=read.query_truncated,
        waited_ms=read.waited_ms,
    )


def _windows(
    reranker: Reranker, query: str, texts: Sequence[str], limits: LengthLimits
) -> tuple[list[list[str]], NDArray[np.bool_]]:
    """The windows of each text, at least one, and whether they leave anything out."""
    room = reranker.text_room(query)
    limit = room if limits.max_tokens is None else min(room, limits.max_tokens)
    windows = [[text] for text in texts]
    cut = np.zeros(len(texts), dtype=np.bool_)
    # A token has at least one character: what has fewer than fit is not looked at.
    long = [i for i, text in enumerate(texts) if len(text) > limit]
    for i, spans in zip(long, _spans(reranker, [texts[i] for i in long], limits), strict=True):
        if len(spans) > limit:
            windows[i], cut[i] = _cut(texts[i], spans, room, limits, place=i)
    return windows, cut


def _spans(reranker: Reranker, texts: Sequence[str], limits: LengthLimits) -> list[NDArray[np.int32]]:
    """The tokens' characters of each text, as far as *limits* can need them."""
    if limits.max_tokens is None or limits.policy in (LongTextPolicy.CUT_START, LongTextPolicy.REFUSE):
        return reranker.token_spans(texts)
    heads = [text[: (limits.max_tokens + 1) * _CHARACTERS_A_TOKEN] for text in texts]
    spans = reranker.token_spans(heads)
    sparse = [
        i
        for i, (text, head) in enumerate(zip(texts, heads, strict=True))
        if len(head) < len(text) and len(spans[i]) <= limits.max_tokens
    ]
    for i, whole in zip(sparse, reranker.token_spans([texts[i] for i in sparse]), strict=True):
        spans[i] = whole
    return spans


def _cut(text: str, spans: NDArray[np.int32], room: int, limits: LengthLimits, *, place: int) -> tuple[list[str], bool]:
    """The windows of a text with too many tokens, and whether they leave anything out."""
    if limits.policy is LongTextPolicy.REFUSE:
        raise InvalidRequest(
            f"text {place} has {len(spans):,} tokens, and {room:,} are read beside this query; "
            "send less of it, or let it be truncated"
        )
    most = len(spans) if limits.max_tokens is None else min(limits.max_tokens, len(spans))
    if limits.policy is LongTextPolicy.CUT_START:
        return [text[int(spans[-min(most, room)][0]) :]], True
    if limits.policy is LongTextPolicy.CUT_END:
        return [text[: int(spans[min(most, room) - 1][1])]], True
    head = text if most == len(spans) else text[: int(spans[most - 1][1])]
    found = pieces(head, spans[:most], room=room)
    kept = [head[start:end] for start, end in found[: limits.max_windows]]
    return kept, most < len(spans) or len(found) > limits.max_windows
