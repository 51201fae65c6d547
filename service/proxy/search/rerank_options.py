"""Reranking options that a client sends in the body of a search, under `ext.rerank`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, FiniteFloat

from rerank.core.errors import InvalidRequest
from rerank.core.search import check_query
from rerank.core.settings import MAX_RESULTS, MAX_TIMEOUT_MS
from rerank.service.strict_model import StrictModel
from rerank.service.validation import validate_body

MAX_FIELDS = 50
MAX_PATH_CHARACTERS = 1_000


class QueryContext(StrictModel):
    """The query text, or its path in the body."""

    query_text: str | None = None
    query_text_path: str | None = Field(None, max_length=MAX_PATH_CHARACTERS)


class RerankExtension(StrictModel):
    """The object `ext.rerank`."""

    query_context: QueryContext | None = None
    window: int | None = Field(None, ge=1, le=MAX_RESULTS)
    min_score: FiniteFloat | None = None
    model: str | None = None
    fields: list[str] | None = Field(None, min_length=1, max_length=MAX_FIELDS)
    explain: bool | None = None
    timeout_ms: int | None = Field(None, ge=1, le=MAX_TIMEOUT_MS)


class _Ext(StrictModel):
    rerank: RerankExtension | None = None


class _Body(StrictModel):
    ext: _Ext | None = None


@dataclass(frozen=True, slots=True)
class RerankOptions:
    """Reranking options of a search. None stands for the default of the settings, the mapping or the search.

    best_chunk: score each chunk of a hit that is longer than the model's input, and keep the best score.
    """

    query_text: str | None = None
    window: int | None = None
    min_score: float | None = None
    model: str | None = None
    fields: tuple[str, ...] = ()
    explain: bool = False
    timeout_ms: int | None = None
    best_chunk: bool = False


def parse_rerank_options(body: Mapping[str, Any]) -> RerankOptions:
    """Returns the options under `ext.rerank` of a search's *body*.

    Raises InvalidRequest, which names the key, for an unknown key, a value of the wrong type, and two query texts.
    """
    value = body["ext"]["rerank"]
    if not isinstance(value, Mapping):
        raise InvalidRequest('"ext.rerank" must be an object', field="ext.rerank")
    parsed = validate_body(_Body, {"ext": {"rerank": value}})
    extension = parsed.ext.rerank if parsed.ext else None
    if extension is None:
        raise InvalidRequest('"ext.rerank" must be an object', field="ext.rerank")
    return RerankOptions(
        query_text=_query_text(extension.query_context, body),
        window=extension.window,
        min_score=extension.min_score,
        model=extension.model,
        fields=tuple(extension.fields or ()),
        explain=bool(extension.explain),
        timeout_ms=extension.timeout_ms,
    )


def _query_text(context: QueryContext | None, body: Mapping[str, Any]) -> str | None:
    if context is None:
        return None
    key = "ext.rerank.query_context"
    if context.query_text is not None and context.query_text_path is not None:
        raise InvalidRequest(f'"{key}" must have query_text or query_text_path, got both. Send one of them.', field=key)
    if context.query_text is not None:
        check_query(context.query_text, field=f"{key}.query_text")
        return context.query_text
    if context.query_text_path is None:
        return None
    field = f"{key}.query_text_path"
    text = _value_at(body, context.query_text_path)
    if not isinstance(text, str):
        raise InvalidRequest(f'"{field}" must be the path of a string in this body', field=field)
    check_query(text, field=field)
    return text


def _value_at(value: object, path: str, start: int = 0) -> object:
    """Returns the value at *path*, whose steps before *start* lead to *value*, or None.

    A key that contains dots ("title.en") matches several steps of the path. A step into a list is an index from 0.
    Each value of the body is visited at most once, because its keys determine its position in the path.
    """
    if start > len(path):
        return value
    if isinstance(value, Mapping):
        for end in sorted(start + len(key) for key in value if _is_step(key, path, start)):
            member = _value_at(value[path[start:end]], path, end + 1)
            if member is not None:
                return member
    if isinstance(value, list):
        step = path[start:].partition(".")[0]
        if step.isascii() and step.isdigit() and int(step) < len(value):
            return _value_at(value[int(step)], path, start + len(step) + 1)
    return None


def _is_step(key: str, path: str, start: int) -> bool:
    """Returns True if *path* continues with *key* as one or more whole steps."""
    end = start + len(key)
    return path.startswith(key, start) and (end == len(path) or path[end] == ".")
