"""Extraction of the query text from the query clause of a search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rerank.service.proxy.search.query_syntax import strip_query_syntax

_BY_FIELD = {
    "match": "query",
    "match_phrase": "query",
    "match_phrase_prefix": "query",
    "match_bool_prefix": "query",
    "neural": "query_text",
    "neural_sparse": "query_text",
    "knn": "query_text",
}
"""Clauses of the form `{name: {field: text or {key: text}}}`, with the key."""

_PLAIN = frozenset({"multi_match", "combined_fields", "semantic"})
"""Clauses of the form `{name: {"query": text}}`."""

_WITH_SYNTAX = frozenset({"query_string", "simple_query_string"})
"""Clauses of the same form whose text follows a query syntax."""

_COMPOUND: Mapping[str, tuple[str, ...]] = {
    "bool": ("must", "should"),
    "dis_max": ("queries",),
    "hybrid": ("queries",),
    "function_score": ("query",),
    "script_score": ("query",),
    "constant_score": ("filter",),
    "boosting": ("positive",),
    "nested": ("query",),
    "has_child": ("query",),
    "has_parent": ("query",),
    "pinned": ("organic",),
}
"""Compound clauses, with the keys that contribute to the score: no filters and no negations."""

MAX_TEXT = 100_000
"""Longest query text in characters. It is far longer than the input of a model."""


def query_text(query: object, *, q: str | None = None) -> str | None:
    """Returns the distinct texts of a *query* clause and of the URL parameter `q`, joined by spaces.

    Returns None if no known clause contains a text, and if the texts together have more than MAX_TEXT characters.
    """
    parts = [*_texts(query), *([strip_query_syntax(q)] if q else [])]
    texts = [text for text in dict.fromkeys(part.strip() for part in parts) if text]
    joined = " ".join(texts)
    return joined if 0 < len(joined) <= MAX_TEXT else None


def _texts(clause: object) -> Iterator[str]:
    if isinstance(clause, list):
        for member in clause:
            yield from _texts(member)
        return
    if not isinstance(clause, Mapping):
        return
    for name, value in clause.items():
        if not isinstance(value, Mapping):
            continue
        if name in _COMPOUND:
            for key in _COMPOUND[name]:
                yield from _texts(value.get(key))
        elif name in _BY_FIELD:
            yield from _by_field(value, _BY_FIELD[name])
        elif isinstance(value.get("query"), str):
            if name in _PLAIN:
                yield value["query"]
            elif name in _WITH_SYNTAX:
                yield strip_query_syntax(value["query"])


def _by_field(clause: Mapping[str, Any], key: str) -> Iterator[str]:
    for value in clause.values():
        text = value.get(key) if isinstance(value, Mapping) else value
        if isinstance(text, str):
            yield text
