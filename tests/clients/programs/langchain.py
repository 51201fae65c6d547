"""LangChain's document compressors, and Voyage AI's client, which shares their packages."""

from __future__ import annotations

from typing import Any

import voyageai
from infinity_client import Client
from langchain_cohere import CohereRerank
from langchain_community.document_compressors import InfinityRerank, JinaRerank, jina_rerank
from langchain_core.documents import Document
from langchain_nvidia_ai_endpoints import NVIDIARerank

from tests.clients.programs.reporting import DOCUMENTS, QUERY, refusal, report

_DOCUMENTS = [Document(text, metadata={"place": i}) for i, text in enumerate(DOCUMENTS)]


def _read(documents: Any) -> list[list[object]]:
    return [[document.metadata["place"], document.metadata["relevance_score"]] for document in documents]


def cohere(url: str, key: str) -> object:
    compressor = CohereRerank(model="default", cohere_api_key=key, base_url=url, top_n=3)
    return _read(compressor.compress_documents(_DOCUMENTS, QUERY))


def jina(url: str, key: str) -> object:
    # Its address is a constant, and the only way to send it elsewhere.
    jina_rerank.JINA_API_URL = f"{url}/v1/rerank"
    compressor = JinaRerank(model="default", jina_api_key=key, top_n=3)
    return _read(compressor.compress_documents(_DOCUMENTS, QUERY))


def jina_errors(url: str, key: str) -> object:
    jina_rerank.JINA_API_URL = f"{url}/v1/rerank"
    unknown, stranger = JinaRerank(jina_api_key=key), JinaRerank(model="default", jina_api_key="wrong")
    return [
        refusal(lambda: unknown.compress_documents(_DOCUMENTS, QUERY)),
        refusal(lambda: stranger.compress_documents(_DOCUMENTS, QUERY)),
    ]


def infinity(url: str, key: str) -> object:
    # Its field takes no AuthenticatedClient.
    client = Client(base_url=url, headers={"Authorization": f"Bearer {key}"})
    compressor = InfinityRerank(client=client, model="default", top_n=3)
    return _read(compressor.compress_documents(_DOCUMENTS, QUERY))


def nvidia(url: str, key: str) -> object:
    compressor = NVIDIARerank(model="default", base_url=f"{url}/v1", nvidia_api_key=key, top_n=3)
    return _read(compressor.compress_documents(_DOCUMENTS, QUERY))


def voyage(url: str, key: str) -> object:
    client = voyageai.Client(api_key=key, base_url=f"{url}/v1", max_retries=0)
    answer = client.rerank(QUERY, DOCUMENTS, model="default", top_k=3)
    return [[result.index, result.relevance_score, result.document] for result in answer.results]


if __name__ == "__main__":
    report(
        ["langchain-cohere", "cohere", "langchain-community", "langchain-nvidia-ai-endpoints", "voyageai"],
        {
            "CohereRerank": cohere,
            "JinaRerank": jina,
            "JinaRerank errors": jina_errors,
            "InfinityRerank": infinity,
            "NVIDIARerank": nvidia,
            "voyageai": voyage,
        },
    )
