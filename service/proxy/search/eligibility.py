"""Conditions under which the proxy does not rerank a search."""

from __future__ import annotations

from collections.abc import Mapping

from rerank.core.settings import MAX_RESULTS
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.filter_path import MAX_WILDCARD_STEPS, FilterPath
from rerank.service.proxy.search.hit_texts import HitTexts
from rerank.service.proxy.search.skip_reason import SkipReason


def skip_reason(call: SearchCall, *, scrolls: bool = False) -> SkipReason | None:
    """Returns the reason why *call* cannot be reranked, or None if it can be.

    *scrolls*: the first page of a scroll can be reranked.

    A search is not eligible if the client requests another order than by score, no hits, or a response that the proxy
    cannot parse.
    """
    start, size = call.number("from", 0), call.number("size", 10)
    if call.param("scroll") is not None and not scrolls:
        return SkipReason.SCROLL
    if call.body.get("search_after") is not None:
        return SkipReason.SEARCH_AFTER
    if not _sorted_by_score(call):
        return SkipReason.SORT
    if not size or size < 0 or start is None or start < 0 or start + size > MAX_RESULTS:
        # The search requests no hits, or OpenSearch refuses it anyway.
        return SkipReason.SIZE
    if call.param("source") is not None:
        return SkipReason.SOURCE
    if call.param("format") not in (None, "json") or not _accepts_json(call):
        return SkipReason.FORMAT
    if "_none_" in (call.body.get("stored_fields"), call.param("stored_fields")):
        return SkipReason.STORED_FIELDS
    if HitTexts.requests_too_many(call) or _selects_too_much(call):
        return SkipReason.TOO_LARGE
    return None


def _selects_too_much(call: SearchCall) -> bool:
    path = call.param("filter_path")
    return path is not None and FilterPath.parse(path).wildcard_steps > MAX_WILDCARD_STEPS


def _sorted_by_score(call: SearchCall) -> bool:
    """Returns True if the hits are sorted by score alone, in descending order."""
    sort = call.param("sort") or call.body.get("sort")
    if not sort:
        return True
    keys = sort if isinstance(sort, list) else [sort]
    return len(keys) == 1 and _is_score(keys[0])


def _is_score(key: object) -> bool:
    if isinstance(key, Mapping):
        if list(key) != ["_score"]:
            return False
        order: object = key["_score"].get("order", "desc") if isinstance(key["_score"], Mapping) else key["_score"]
        return order == "desc"
    return key in ("_score", "_score:desc")


def _accepts_json(call: SearchCall) -> bool:
    accept = dict(call.headers).get("accept", "*/*").lower()
    return "json" in accept or "*/*" in accept or not accept
