"""Every dialect's body and answer, as /openapi.json describes a path that takes them all."""

from __future__ import annotations

from pydantic import BaseModel, RootModel

from service.dialects.cohere import CohereAnswer, CohereBody
from service.dialects.elasticsearch import HuggingFaceAnswer, HuggingFaceBody, InferenceAnswer, InferenceBody
from service.dialects.infinity import InfinityAnswer, InfinityBody
from service.dialects.mixedbread import MixedbreadAnswer, MixedbreadBody
from service.dialects.nim import NimAnswer, NimBody
from service.dialects.opensearch import TextSimilarityAnswer, TextSimilarityBody
from service.dialects.tei import TeiAnswer, TeiBody
from service.dialects.voyage import VoyageAnswer, VoyageBody
from service.dialects.weaviate import WeaviateAnswer, WeaviateBody

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
