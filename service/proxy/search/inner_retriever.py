"""The retriever within a `text_similarity_reranker`, as an Elasticsearch searches by it: of whatever kind it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WINDOW = "rank_window_size"
_COMPOUND = frozenset({"rrf", "linear", "rescorer", "rule", "pinned", "diversify", "text_similarity_reranker"})
"""Those with a window, which the server refuses when it is smaller than the page that is asked for."""


def filtered(retriever: Mapping[str, Any], filters: object) -> dict[str, Any]:
    """*retriever* with *filters* beside its own: every kind takes them."""
    if filters is None:
        return dict(retriever)
    return {
        kind: {**part, "filter": [*_listed(part.get("filter")), *_listed(filters)]}
        for kind, part in retriever.items()
        if isinstance(part, Mapping)
    }


def widened(retriever: Mapping[str, Any], width: int) -> dict[str, Any]:
    """*retriever* with windows of at least *width* hits, its own and those of the retrievers in it."""
    return {kind: _wide(kind, part, width) if isinstance(part, Mapping) else part for kind, part in retriever.items()}


def _wide(kind: str, part: Mapping[str, Any], width: int) -> dict[str, Any]:
    wide = dict(part)
    if kind in _COMPOUND:
        window = part.get(_WINDOW)
        wide[_WINDOW] = max(window, width) if isinstance(window, int) else width
    if isinstance(part.get("retriever"), Mapping):
        wide["retriever"] = widened(part["retriever"], width)
    members = part.get("retrievers")
    if isinstance(members, list):
        wide["retrievers"] = [_member(member, width) if isinstance(member, Mapping) else member for member in members]
    return wide


def _member(member: Mapping[str, Any], width: int) -> dict[str, Any]:
    """A retriever, alone or with a weight beside it."""
    inner = member.get("retriever")
    return {**member, "retriever": widened(inner, width)} if isinstance(inner, Mapping) else widened(member, width)


def _listed(value: object) -> list[object]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
