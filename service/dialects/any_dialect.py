"""Every dialect's body and answer, as /openapi.json describes a path that takes them all."""

from __future__ import annotations

from pydantic import BaseModel, RootModel

from rerank.service.dialects.cohere import CohereAnswer, CohereBody
from rerank.service.dialects.elasticsearch import HuggingFaceAnswer, HuggingFaceBody, InferenceAnswer, InferenceBody
from rerank.service.dialects.infinity import InfinityAnswer, InfinityBody
from rerank.service.dialects.mixedbread import MixedbreadAnswer, MixedbreadBody
from rerank.service.dialects.nim import NimAnswer, NimBody
from rerank.service.dialects.opensearch import TextSimilarityAnswer, TextSimilarityBody
from rerank.service.dialects.tei import TeiAnswer, TeiBody
from rerank.service.dialects.voyage import VoyageAnswer, VoyageBody
from rerank.service.dialects.weaviate import WeaviateAnswer, WeaviateBody

BODIES: tuple[type[BaseModel], ...] = (
    CohereBody,
    InfinityBody,
    TeiBody,
    NimBody,
    WeaviateBody,
    VoyageBody,
    MixedbreadBody,
    InferenceBody,
    HuggingFaceBody,
    TextSimilarityBody,
)


class AnyBody(
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


class AnyAnswer(
    RootModel[
        CohereAnswer
        | InfinityAnswer
        | TeiAnswer
        | NimAnswer
        | WeaviateAnswer
        | VoyageAnswer
        | MixedbreadAnswer
        | InferenceAnswer
        | HuggingFaceAnswer
        | TextSimilarityAnswer
    ]
):
    """The answer, in the dialect of the request."""
