"""Elasticsearch's `retriever`: what it asks of re-ranking, and the searches that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rerank.core.errors import InvalidRequest
from rerank.core.settings import MAX_RESULTS
from rerank.service.proxy.search.asked import Asked
from rerank.service.proxy.search.inner_retriever import filtered

RERANKER = "text_similarity_reranker"
_PLACE = f"retriever.{RERANKER}"
_STANDARD = ("query", "collapse", "min_score", "terminate_after")
DEFAULT_WINDOW = 100
RANK_CONSTANT = 60


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The first stage of a retriever: one search, or several whose orders are fused by rank.

    `searches` are parts of a search's body; `weights` belong to them. `inner` is the retriever itself, for a server
    that knows it.
    """

    searches: tuple[Mapping[str, Any], ...]
    inner: Mapping[str, Any]
    weights: tuple[float, ...] = (1.0,)
    rank_constant: int = RANK_CONSTANT
    window: int = 0


@dataclass(frozen=True, slots=True)
class RerankRetriever:
    """A `text_similarity_reranker`."""

    asked: Asked
    retrieval: Retrieval = field(default_factory=lambda: Retrieval((), {}))


def has_reranker(body: Mapping[str, Any]) -> bool:
    """Whether *body*'s retriever re-ranks."""
    retriever = body.get("retriever")
    return isinstance(retriever, Mapping) and RERANKER in retriever


def read_retriever(body: Mapping[str, Any], *, elasticsearch: bool = False) -> RerankRetriever:
    """From *body*'s retriever; for an *elasticsearch* without a look into what is within it, which it knows better.

    Raises InvalidRequest, naming the key, for what cannot be read.
    """
    part = _object(body["retriever"][RERANKER], _PLACE)
    text, name = part.get("inference_text"), part.get("field")
    if not isinstance(text, str) or not text.strip():
        raise InvalidRequest(f'"{_PLACE}.inference_text" is a text', field=f"{_PLACE}.inference_text")
    if not isinstance(name, str):
        raise InvalidRequest(f'"{_PLACE}.field" is the name of a field', field=f"{_PLACE}.field")
    window = part.get("rank_window_size", 10)
    if not isinstance(window, int) or not 1 <= window <= MAX_RESULTS:
        raise InvalidRequest(
            f'"{_PLACE}.rank_window_size" is a whole number from 1 to {MAX_RESULTS:,}',
            field=f"{_PLACE}.rank_window_size",
        )
    min_score = part.get("min_score")
    if min_score is not None and (isinstance(min_score, bool) or not isinstance(min_score, int | float)):
        raise InvalidRequest(f'"{_PLACE}.min_score" is a number', field=f"{_PLACE}.min_score")
    inner = _object(part.get("retriever"), f"{_PLACE}.retriever")
    chunks = part.get("chunk_rescorer")
    if chunks is not None:
        _object(chunks, f"{_PLACE}.chunk_rescorer")
    asked = Asked(text, window=window, min_score=min_score, fields=(name,), by_chunk=chunks is not None)
    if elasticsearch:
        return RerankRetriever(asked, Retrieval((), filtered(inner, part.get("filter"))))
    return RerankRetriever(asked, _filtered(_retrieval(inner, f"{_PLACE}.retriever"), part.get("filter")))


def _retrieval(retriever: Mapping[str, Any], place: str) -> Retrieval:
    if len(retriever) != 1:
        raise InvalidRequest(f'"{place}" is an object with one key, the kind of retriever', field=place)
    ((kind, value),) = retriever.items()
    part = _object(value, f"{place}.{kind}")
    if kind == "standard":
        return Retrieval((_standard(part),), retriever)
    if kind == "knn":
        return Retrieval((_knn(part, f"{place}.knn"),), retriever)
    if kind == "rrf":
        return _rrf(part, retriever, f"{place}.rrf")
    raise InvalidRequest(
        f'"{place}" is standard, knn or rrf; OpenSearch has nothing for "{kind}"', field=f"{place}.{kind}"
    )


def _standard(part: Mapping[str, Any]) -> dict[str, Any]:
    search = {key: part[key] for key in _STANDARD if key in part}
    return search | {"query": _with_filter(part.get("query", {"match_all": {}}), part.get("filter"))}


def _knn(part: Mapping[str, Any], place: str) -> dict[str, Any]:
    name, k = part.get("field"), part.get("k", DEFAULT_WINDOW)
    builder = part.get("query_vector_builder")
    embedding = builder.get("text_embedding") if isinstance(builder, Mapping) else None
    text = embedding.get("model_text") if isinstance(embedding, Mapping) else None
    if not isinstance(name, str) or not ("query_vector" in part or isinstance(text, str)):
        raise InvalidRequest(f'"{place}" has a field, and a query_vector or the text for one', field=place)
    by = {"query_text": text} if isinstance(text, str) else {"vector": part["query_vector"]}
    clause: dict[str, Any] = {**by, "k": k}
    if part.get("filter") is not None:
        clause["filter"] = _with_filter({"match_all": {}}, part["filter"])
    return {"query": {"knn": {name: clause}}}


def _rrf(part: Mapping[str, Any], inner: Mapping[str, Any], place: str) -> Retrieval:
    members = part.get("retrievers")
    if not isinstance(members, list) or not members:
        raise InvalidRequest(f'"{place}.retrievers" is a list of retrievers', field=f"{place}.retrievers")
    searches: list[Mapping[str, Any]] = []
    weights: list[float] = []
    for i, member in enumerate(members):
        at = f"{place}.retrievers[{i}]"
        one = _object(member, at)
        weight = one.get("weight", 1.0)
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise InvalidRequest(f'"{at}.weight" is a number', field=f"{at}.weight")
        below = _retrieval(_object(one["retriever"], at) if "retriever" in one else one, at)
        searches += below.searches
        weights += [float(weight)] * len(below.searches)
    constant = part.get("rank_constant", RANK_CONSTANT)
    window = part.get("rank_window_size", DEFAULT_WINDOW)
    if not isinstance(constant, int) or constant < 1 or not isinstance(window, int) or not 1 <= window <= MAX_RESULTS:
        raise InvalidRequest(f'"{place}" has a rank_constant and a rank_window_size from 1', field=place)
    return _filtered(Retrieval(tuple(searches), inner, tuple(weights), constant, window), part.get("filter"))


def _filtered(retrieval: Retrieval, filters: object) -> Retrieval:
    if filters is None:
        return retrieval
    searches = tuple({**search, "query": _with_filter(search["query"], filters)} for search in retrieval.searches)
    return Retrieval(searches, retrieval.inner, retrieval.weights, retrieval.rank_constant, retrieval.window)


def _with_filter(query: object, filters: object) -> Any:
    return query if filters is None else {"bool": {"must": [query], "filter": filters}}


def _object(value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidRequest(f'"{place}" is an object', field=place)
    return value
