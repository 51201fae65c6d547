"""Why a search that could have been re-ranked was not, beyond what core.search.Reason knows."""

from __future__ import annotations

from enum import StrEnum


class Unranked(StrEnum):
    """OpenSearch's own answer came back; docs/proxy.md explains each."""

    NO_QUERY_TEXT = "no_query_text"
    NO_TEXT = "no_text"
    SORT = "sort"
    SEARCH_AFTER = "search_after"
    SCROLL = "scroll"
    SIZE = "size"
    FORMAT = "format"
    STORED_FIELDS = "stored_fields"
    WINDOW_REFUSED = "window_refused"
    REFUSED = "refused"
    BREAKER_OPEN = "breaker_open"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    SOURCE = "source"
