"""The bodies and responses of all dialects, as /openapi.json describes the rerank routes."""

from __future__ import annotations

from pydantic import RootModel

from rerank.service.dialects.cohere import CohereBody, CohereResponse
from rerank.service.dialects.elasticsearch import (
    HuggingFaceBody,
    HuggingFaceResponse,
    InferenceBody,
    InferenceResponse,
)
from rerank.service.dialects.infinity import InfinityBody, InfinityResponse
from rerank.service.dialects.mixedbread import MixedbreadBody, MixedbreadResponse
from rerank.service.dialects.nim import NimBody, NimResponse
from rerank.service.dialects.opensearch import TextSimilarityBody, TextSimilarityResponse
from rerank.service.dialects.tei import TeiBody, TeiResponse
from rerank.service.dialects.voyage import VoyageBody, VoyageResponse
from rerank.service.dialects.weaviate import WeaviateBody, WeaviateResponse


class AnyRerankBody(
    RootModel[
        CohereBody
        | InfinityBody
        | TeiBody
        | NimBody
        | WeaviateBody
        | VoyageBody
        | MixedbreadBody
        | InferenceBody
        | HuggingFaceBody
        | TextSimilarityBody
    ]
):
    """A rerank request in any dialect."""


class AnyRerankResponse(
    RootModel[
        CohereResponse
        | InfinityResponse
        | TeiResponse
        | NimResponse
        | WeaviateResponse
        | VoyageResponse
        | MixedbreadResponse
        | InferenceResponse
        | HuggingFaceResponse
        | TextSimilarityResponse
    ]
):
    """A rerank response, in the dialect of the request."""
