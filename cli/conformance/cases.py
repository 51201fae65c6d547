"""Requests of every API, and what their responses must contain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from rerank.cli.conformance.readers import (
    ScoreReader,
    VectorReader,
    cohere_vectors,
    list_scores,
    list_vectors,
    openai_vectors,
    results_reader,
    tensor_scores,
    weaviate_scores,
)

QUERY = "how to repair a flat bicycle tyre"
TEXTS = (
    "Green tea is brewed from unfermented leaves.",
    "To repair a flat bicycle tyre, glue a patch over the hole in the tube.",
    "The library opens at nine on weekdays.",
)
BEST = 1
"""Position of the text that answers the query."""


@dataclass(frozen=True)
class RerankCase:
    """A rerank API. best_first: results are sorted. top_n: key that limits the results; None if the API has none."""

    name: str
    path: str
    body: Mapping[str, object]
    read: ScoreReader
    best_first: bool = True
    top_n: str | None = None


@dataclass(frozen=True)
class EmbeddingCase:
    """An embedding API. The request has the query, then the texts."""

    name: str
    path: str
    body: Mapping[str, object]
    read: VectorReader


def rerank_cases(model: str) -> list[RerankCase]:
    """Returns the rerank APIs. *model* names the model where an API requires one."""
    documents = {"query": QUERY, "documents": list(TEXTS)}
    results = results_reader("results", "relevance_score")
    passages = {"query": {"text": QUERY}, "passages": [{"text": text} for text in TEXTS]}
    pairs = {"query_text": QUERY, "text_docs": list(TEXTS)}
    in_path = quote(model, safe="")
    predict = "/_plugins/_ml/_predict/text_similarity"
    return [
        RerankCase("Cohere v2", "/v2/rerank", {"model": model, **documents}, results, top_n="top_n"),
        RerankCase("Cohere v1", "/v1/rerank", {"model": model, **documents}, results, top_n="top_n"),
        RerankCase("vLLM", "/rerank", {"model": model, **documents}, results, top_n="top_n"),
        RerankCase(
            "vLLM score",
            "/score",
            {"model": model, "text_1": QUERY, "text_2": list(TEXTS)},
            results_reader("data", "score"),
            best_first=False,
        ),
        RerankCase("TEI", "/rerank", {"query": QUERY, "texts": list(TEXTS)}, results_reader(None, "score")),
        RerankCase("infinity", "/rerank", {"model": model, **documents, "raw_scores": False}, results, top_n="top_n"),
        RerankCase("NVIDIA NIM", "/v1/ranking", {"model": model, **passages}, results_reader("rankings", "logit")),
        RerankCase("Weaviate", "/rerank", {**documents, "property": ""}, weaviate_scores, best_first=False),
        RerankCase(
            "Voyage AI",
            "/v1/rerank",
            {"model": model, **documents, "truncation": True},
            results_reader("data", "relevance_score"),
            top_n="top_k",
        ),
        RerankCase(
            "mixedbread",
            "/v1/reranking",
            {"model": model, "query": QUERY, "input": list(TEXTS)},
            results_reader("data", "score"),
            top_n="top_k",
        ),
        RerankCase(
            "Elasticsearch inference",
            f"/_inference/rerank/{in_path}",
            {"query": QUERY, "input": list(TEXTS)},
            results_reader("rerank", "relevance_score"),
            top_n="top_n",
        ),
        RerankCase("Elasticsearch hugging_face", "/es/rerank", documents, results_reader(None, "score"), top_n="top_n"),
        RerankCase("OpenSearch text similarity", f"{predict}/{in_path}", pairs, tensor_scores, best_first=False),
    ]


def embedding_cases(model: str) -> list[EmbeddingCase]:
    """Returns the embedding APIs. *model* names the encoder where an API requires one."""
    texts = [QUERY, *TEXTS]
    base64 = {"model": model, "input": texts, "encoding_format": "base64"}
    cohere = {"model": model, "texts": texts, "input_type": "search_document", "embedding_types": ["float"]}
    return [
        EmbeddingCase("OpenAI embeddings", "/v1/embeddings", {"model": model, "input": texts}, openai_vectors),
        EmbeddingCase("OpenAI embeddings, base64", "/v1/embeddings", base64, openai_vectors),
        EmbeddingCase("Cohere embed v2", "/v2/embed", cohere, cohere_vectors),
        EmbeddingCase("TEI embed", "/embed", {"inputs": texts}, list_vectors),
    ]


SIMILARITY = RerankCase(
    "TEI similarity",
    "/similarity",
    {"inputs": {"source_sentence": QUERY, "sentences": list(TEXTS)}},
    list_scores,
    best_first=False,
)
