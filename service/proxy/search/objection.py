"""What in a search keeps it from being re-ranked: its author wants another order, or hits that cannot be read."""

from __future__ import annotations

from collections.abc import Mapping

from rerank.core.settings import MAX_RESULTS
from rerank.service.proxy.search.call import SearchCall
from rerank.service.proxy.search.reasons import Unranked


def objection(call: SearchCall) -> Unranked | None:
    """Why *call* is answered by OpenSearch alone; None where it can be re-ranked."""
    start, size = call.number("from", 0), call.number("size", 10)
    if call.param("scroll") is not None:
        return Unranked.SCROLL
    if call.body.get("search_after") is not None:
        return Unranked.SEARCH_AFTER
    if not _by_score(call):
        return Unranked.SORT
    if not size or size < 0 or start is None or start < 0 or start + size > MAX_RESULTS:
        # Nothing to put in order, or nothing that OpenSearch would answer either.
        return Unranked.SIZE
    if call.param("source") is not None:
        return Unranked.SOURCE
    if call.param("format") not in (None, "json") or not _wants_json(call):
        return Unranked.FORMAT
    if "_none_" in (call.body.get("stored_fields"), call.param("stored_fields")):
        return Unranked.STORED_FIELDS
    return None


def _by_score(call: SearchCall) -> bool:
    """Whether the hits come best first, by score alone."""
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


def _wants_json(call: SearchCall) -> bool:
    accept = dict(call.headers).get("accept", "*/*").lower()
    return "json" in accept or "*/*" in accept or not accept
