"""Changes to the retriever inside a `text_similarity_reranker` before Elasticsearch executes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WINDOW = "rank_window_size"
_COMPOUND = frozenset({"rrf", "linear", "rescorer", "rule", "pinned", "diversify", "text_similarity_reranker"})
"""Retrievers with a window. Elasticsearch refuses a window that is smaller than the requested page."""


def with_filters(retriever: Mapping[str, Any], filters: object) -> dict[str, Any]:
    """Returns *retriever* with *filters* added to its own. Retrievers of every kind accept filters."""
    if filters is None:
        return dict(retriever)
    return {
        kind: {**part, "filter": [*_as_list(part.get("filter")), *_as_list(filters)]}
        for kind, part in retriever.items()
        if isinstance(part, Mapping)
    }


def with_min_window(retriever: Mapping[str, Any], width: int) -> dict[str, Any]:
    """Returns *retriever* with windows of at least *width* hits, at every level."""
    return {
        kind: _with_min_window(kind, part, width) if isinstance(part, Mapping) else part
        for kind, part in retriever.items()
    }


def _with_min_window(kind: str, part: Mapping[str, Any], width: int) -> dict[str, Any]:
    result = dict(part)
    if kind in _COMPOUND:
        window = part.get(_WINDOW)
        result[_WINDOW] = max(window, width) if isinstance(window, int) else width
    if isinstance(part.get("retriever"), Mapping):
        result["retriever"] = with_min_window(part["retriever"], width)
    members = part.get("retrievers")
    if isinstance(members, list):
        result["retrievers"] = [_member(member, width) if isinstance(member, Mapping) else member for member in members]
    return result


def _member(member: Mapping[str, Any], width: int) -> dict[str, Any]:
    """Returns a member of a compound retriever, which may have a weight, with its windows widened."""
    inner = member.get("retriever")
    return (
        {**member, "retriever": with_min_window(inner, width)}
        if isinstance(inner, Mapping)
        else with_min_window(member, width)
    )


def _as_list(value: object) -> list[object]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
