"""Reasons why the proxy does not rerank a search."""

from __future__ import annotations

from enum import StrEnum


class SkipReason(StrEnum):
    """Reasons in addition to core.search.Reason. docs/proxy.md explains each reason."""

    NO_QUERY_TEXT = "no_query_text"
    NO_TEXT = "no_text"
    SORT = "sort"
    SEARCH_AFTER = "search_after"
    SCROLL = "scroll"
    ASYNC_SEARCH = "async_search"
    SIZE = "size"
    FORMAT = "format"
    STORED_FIELDS = "stored_fields"
    WINDOW_REFUSED = "window_refused"
    REFUSED = "refused"
    BREAKER_OPEN = "breaker_open"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    SOURCE = "source"
