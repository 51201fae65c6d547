"""Detection of the dialect of a request. The keys of the body decide; the path decides only if they do not."""

from __future__ import annotations

from collections.abc import Mapping

from rerank.service.dialects import mixedbread, voyage
from rerank.service.dialects.cohere import COHERE
from rerank.service.dialects.dialect import Dialect
from rerank.service.dialects.elasticsearch import HUGGING_FACE, INFERENCE
from rerank.service.dialects.infinity import INFINITY
from rerank.service.dialects.nim import NIM
from rerank.service.dialects.opensearch import TEXT_SIMILARITY
from rerank.service.dialects.tei import TEI
from rerank.service.dialects.weaviate import WEAVIATE

ROOT_PATH = "/"
"""A path of text-embeddings-inference. With an OpenSearch store, the proxy forwards it."""
HUGGING_FACE_PATH = "/es/rerank"
INFERENCE_PATH = "/_inference/rerank/<path:model>"
INFINITY_PATH = "/infinity/rerank"
"""A path of infinity alone: clients that do not send raw_scores cannot be told from Cohere's by the body."""
NIM_PATH = "/v1/ranking"
TEXT_SIMILARITY_PATH = "/_plugins/_ml/_predict/text_similarity/<path:model>"

_BY_PATH = {
    HUGGING_FACE_PATH: HUGGING_FACE,
    INFERENCE_PATH: INFERENCE,
    INFINITY_PATH: INFINITY,
    NIM_PATH: NIM,
    TEXT_SIMILARITY_PATH: TEXT_SIMILARITY,
}


def detect_dialect(body: Mapping[str, object], rule: str) -> Dialect:
    """Returns the dialect of a *body* that was sent to the route *rule*."""
    if "texts" in body:
        return TEI
    if "passages" in body:
        return NIM
    if "query_text" in body or "text_docs" in body:
        return TEXT_SIMILARITY
    if "input" in body:
        return mixedbread.MIXEDBREAD if _is_mixedbread(body, rule) else INFERENCE
    if "documents" in body:
        return _dialect_with_documents(body, rule)
    return _BY_PATH.get(rule, COHERE)


def _is_mixedbread(body: Mapping[str, object], rule: str) -> bool:
    return rule != INFERENCE_PATH and not mixedbread.DISTINCTIVE_KEYS.isdisjoint(body)


def _dialect_with_documents(body: Mapping[str, object], rule: str) -> Dialect:
    if "property" in body:
        return WEAVIATE
    if not voyage.DISTINCTIVE_KEYS.isdisjoint(body):
        return voyage.VOYAGE
    if "raw_scores" in body or rule == INFINITY_PATH:
        return INFINITY
    return HUGGING_FACE if rule == HUGGING_FACE_PATH else COHERE
