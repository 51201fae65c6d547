"""Parser for Elasticsearch's `text_similarity_reranker` retriever."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rerank.core.errors import InvalidRequest
from rerank.core.settings import MAX_RESULTS
from rerank.service.proxy.search.inner_retriever import with_filters
from rerank.service.proxy.search.rerank_options import RerankOptions

RERANKER = "text_similarity_reranker"
DEFAULT_WINDOW = 100
RANK_CONSTANT = 60

_KEY = f"retriever.{RERANKER}"
_STANDARD_KEYS = ("query", "collapse", "min_score", "terminate_after")


@dataclass(frozen=True, slots=True)
class FirstStage:
    """First stage of a retriever: one search, or several whose hits are combined by reciprocal rank fusion.

    searches: bodies, without the parts that all of them have in common. inner: the retriever itself, for
    Elasticsearch. weights: one for each search.
    """

    searches: tuple[Mapping[str, Any], ...]
    inner: Mapping[str, Any]
    weights: tuple[float, ...] = (1.0,)
    rank_constant: int = RANK_CONSTANT
    window: int = 0


@dataclass(frozen=True, slots=True)
class RerankRetriever:
    """A parsed `text_similarity_reranker`."""

    options: RerankOptions
    first_stage: FirstStage


def has_reranker(body: Mapping[str, Any]) -> bool:
    """Returns True if *body* has a `text_similarity_reranker`."""
    retriever = body.get("retriever")
    return isinstance(retriever, Mapping) and RERANKER in retriever


def parse_retriever(body: Mapping[str, Any], *, elasticsearch: bool = False) -> RerankRetriever:
    """Returns the reranking retriever of *body*.

    With *elasticsearch* the inner retriever is not parsed, because the server executes it. Raises InvalidRequest,
    which names the key, for an invalid value.
    """
    part = _object(body["retriever"][RERANKER], _KEY)
    text, name = part.get("inference_text"), part.get("field")
    if not isinstance(text, str) or not text.strip():
        raise InvalidRequest(f'"{_KEY}.inference_text" must be a non-empty string', field=f"{_KEY}.inference_text")
    if not isinstance(name, str):
        raise InvalidRequest(f'"{_KEY}.field" must be the name of a field', field=f"{_KEY}.field")
    window = part.get("rank_window_size", 10)
    if not isinstance(window, int) or not 1 <= window <= MAX_RESULTS:
        raise InvalidRequest(
            f'"{_KEY}.rank_window_size" must be an integer from 1 to {MAX_RESULTS:,}',
            field=f"{_KEY}.rank_window_size",
        )
    min_score = part.get("min_score")
    if min_score is not None and not _is_finite(min_score):
        raise InvalidRequest(f'"{_KEY}.min_score" must be a finite number', field=f"{_KEY}.min_score")
    inner = _object(part.get("retriever"), f"{_KEY}.retriever")
    chunks = part.get("chunk_rescorer")
    if chunks is not None:
        _object(chunks, f"{_KEY}.chunk_rescorer")
    options = RerankOptions(text, window=window, min_score=min_score, fields=(name,), best_chunk=chunks is not None)
    if elasticsearch:
        return RerankRetriever(options, FirstStage((), with_filters(inner, part.get("filter"))))
    return RerankRetriever(options, _filtered(_first_stage(inner, f"{_KEY}.retriever"), part.get("filter")))


def _first_stage(retriever: Mapping[str, Any], key: str) -> FirstStage:
    if len(retriever) != 1:
        raise InvalidRequest(f'"{key}" must be an object with one key, the kind of retriever', field=key)
    ((kind, value),) = retriever.items()
    part = _object(value, f"{key}.{kind}")
    if kind == "standard":
        return FirstStage((_standard(part),), retriever)
    if kind == "knn":
        return FirstStage((_knn(part, f"{key}.knn"),), retriever)
    if kind == "rrf":
        return _rrf(part, retriever, f"{key}.rrf")
    raise InvalidRequest(
        f'"{key}" must be standard, knn or rrf in front of OpenSearch, got {kind}', field=f"{key}.{kind}"
    )


def _standard(part: Mapping[str, Any]) -> dict[str, Any]:
    search = {key: part[key] for key in _STANDARD_KEYS if key in part}
    return search | {"query": _with_filter(part.get("query", {"match_all": {}}), part.get("filter"))}


def _knn(part: Mapping[str, Any], key: str) -> dict[str, Any]:
    name, k = part.get("field"), part.get("k", DEFAULT_WINDOW)
    builder = part.get("query_vector_builder")
    embedding = builder.get("text_embedding") if isinstance(builder, Mapping) else None
    text = embedding.get("model_text") if isinstance(embedding, Mapping) else None
    if not isinstance(name, str) or not ("query_vector" in part or isinstance(text, str)):
        raise InvalidRequest(f'"{key}" must have field, and query_vector or a query_vector_builder', field=key)
    source = {"query_text": text} if isinstance(text, str) else {"vector": part["query_vector"]}
    clause: dict[str, Any] = {**source, "k": k}
    if part.get("filter") is not None:
        clause["filter"] = _with_filter({"match_all": {}}, part["filter"])
    return {"query": {"knn": {name: clause}}}


def _rrf(part: Mapping[str, Any], inner: Mapping[str, Any], key: str) -> FirstStage:
    members = part.get("retrievers")
    if not isinstance(members, list) or not members:
        raise InvalidRequest(f'"{key}.retrievers" must be a non-empty list of retrievers', field=f"{key}.retrievers")
    searches: list[Mapping[str, Any]] = []
    weights: list[float] = []
    for i, member in enumerate(members):
        member_key = f"{key}.retrievers[{i}]"
        retriever = _object(member, member_key)
        weight = retriever.get("weight", 1.0)
        if not _is_finite(weight):
            raise InvalidRequest(f'"{member_key}.weight" must be a finite number', field=f"{member_key}.weight")
        inner_retriever = _object(retriever["retriever"], member_key) if "retriever" in retriever else retriever
        stage = _first_stage(inner_retriever, member_key)
        searches += stage.searches
        weights += [float(weight)] * len(stage.searches)
    constant = part.get("rank_constant", RANK_CONSTANT)
    window = part.get("rank_window_size", DEFAULT_WINDOW)
    if not isinstance(constant, int) or constant < 1 or not isinstance(window, int) or not 1 <= window <= MAX_RESULTS:
        raise InvalidRequest(
            f'"{key}" must have rank_constant of at least 1 and rank_window_size from 1 to {MAX_RESULTS:,}', field=key
        )
    return _filtered(FirstStage(tuple(searches), inner, tuple(weights), constant, window), part.get("filter"))


def _filtered(stage: FirstStage, filters: object) -> FirstStage:
    if filters is None:
        return stage
    searches = tuple({**search, "query": _with_filter(search["query"], filters)} for search in stage.searches)
    return replace(stage, searches=searches)


def _with_filter(query: object, filters: object) -> Any:
    return query if filters is None else {"bool": {"must": [query], "filter": filters}}


def _is_finite(value: object) -> bool:
    """Returns True for a number within the range of a double."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _object(value: object, key: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidRequest(f'"{key}" must be an object', field=key)
    return value
