"""What a client asks of re-ranking in a search's body, `ext.rerank`, and which text the hits are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, FiniteFloat

from rerank.core.errors import InvalidRequest
from rerank.core.search import check_query
from rerank.core.settings import MAX_RESULTS
from rerank.service.request_models import MAX_TIMEOUT_MS
from rerank.service.strict_model import StrictModel
from rerank.service.validation import validate_body

MAX_FIELDS = 50


class QueryContext(StrictModel):
    """Where the query's text is: here, or at a path of the body."""

    query_text: str | None = None
    query_text_path: str | None = None


class RerankPart(StrictModel):
    """`ext.rerank`."""

    query_context: QueryContext | None = None
    window: int | None = Field(None, ge=1, le=MAX_RESULTS)
    min_score: FiniteFloat | None = None
    model: str | None = None
    fields: list[str] | None = Field(None, min_length=1, max_length=MAX_FIELDS)
    explain: bool | None = None
    timeout_ms: int | None = Field(None, ge=1, le=MAX_TIMEOUT_MS)


class _Ext(StrictModel):
    rerank: RerankPart | None = None


class _Holder(StrictModel):
    ext: _Ext | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of re-ranking. None: what the settings, the mapping or the search itself say.

    by_chunk: of a hit longer than the model reads at once the best part counts, not the first one.
    """

    query_text: str | None = None
    window: int | None = None
    min_score: float | None = None
    model: str | None = None
    fields: tuple[str, ...] = ()
    explain: bool = False
    timeout_ms: int | None = None
    by_chunk: bool = False


def read_asked(body: Mapping[str, Any]) -> Asked:
    """From `ext.rerank` of a search's *body*.

    Raises InvalidRequest, naming the key, for what is missing, mistyped or unknown, and for two query texts.
    """
    value = body["ext"]["rerank"]
    if not isinstance(value, Mapping):
        raise InvalidRequest('"ext.rerank" is an object', field="ext.rerank")
    holder = validate_body(_Holder, {"ext": {"rerank": value}})
    part = holder.ext.rerank if holder.ext else None
    if part is None:
        raise InvalidRequest('"ext.rerank" is an object', field="ext.rerank")
    return Asked(
        query_text=_query_text(part.query_context, body),
        window=part.window,
        min_score=part.min_score,
        model=part.model,
        fields=tuple(part.fields or ()),
        explain=bool(part.explain),
        timeout_ms=part.timeout_ms,
    )


def _query_text(context: QueryContext | None, body: Mapping[str, Any]) -> str | None:
    if context is None:
        return None
    place = "ext.rerank.query_context"
    if context.query_text is not None and context.query_text_path is not None:
        raise InvalidRequest(f'"{place}" has query_text and query_text_path; send one of them', field=place)
    if context.query_text is not None:
        check_query(context.query_text, field=f"{place}.query_text")
        return context.query_text
    if context.query_text_path is None:
        return None
    field = f"{place}.query_text_path"
    text = _at(body, context.query_text_path.split("."))
    if not isinstance(text, str):
        raise InvalidRequest(f'"{field}" leads to no string in this body', field=field)
    check_query(text, field=field)
    return text


def _at(value: object, path: Sequence[str]) -> object:
    """What is at *path*; a key with dots in it ("title.en") takes as many steps as it needs, an index counts from 0."""
    if not path:
        return value
    if isinstance(value, Mapping):
        for steps in range(1, len(path) + 1):
            key = ".".join(path[:steps])
            if key in value and (found := _at(value[key], path[steps:])) is not None:
                return found
    if isinstance(value, list) and path[0].isdecimal() and int(path[0]) < len(value):
        return _at(value[int(path[0])], path[1:])
    return None
