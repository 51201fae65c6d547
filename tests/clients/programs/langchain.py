"""LangChain's document compressors, and Voyage AI's client, which has compatible requirements."""

from __future__ import annotations

from typing import Any

import voyageai
from infinity_client import Client
from langchain_cohere import CohereRerank
from langchain_community.document_compressors import InfinityRerank, JinaRerank, jina_rerank
from langchain_core.documents import Document
from langchain_nvidia_ai_endpoints import NVIDIARerank

from tests.clients.programs.reporting import DOCUMENTS, QUERY, error_of, report

_DOCUMENTS = [Document(text, metadata={"position": i}) for i, text in enumerate(DOCUMENTS)]


def _results(documents: Any) -> list[list[object]]:
    return [[document.metadata["position"], document.metadata["relevance_score"]] for document in documents]


def cohere(url: str, key: str) -> object:
    compressor = CohereRerank(model="default", cohere_api_key=key, base_url=url, top_n=3)
    return _results(compressor.compress_documents(_DOCUMENTS, QUERY))


def jina(url: str, key: str) -> object:
    # Jina's compressor has the URL as a constant. Replacing the constant is the only way to use another server.
    jina_rerank.JINA_API_URL = f"{url}/v1/rerank"
    compressor = JinaRerank(model="default", jina_api_key=key, top_n=3)
    return _results(compressor.compress_documents(_DOCUMENTS, QUERY))


def jina_errors(url: str, key: str) -> object:
    jina_rerank.JINA_API_URL = f"{url}/v1/rerank"
    unknown_model, wrong_key = JinaRerank(jina_api_key=key), JinaRerank(model="default", jina_api_key="wrong")
    return [
        error_of(lambda: unknown_model.compress_documents(_DOCUMENTS, QUERY)),
        error_of(lambda: wrong_key.compress_documents(_DOCUMENTS, QUERY)),
    ]


def infinity(url: str, key: str) -> object:
    # The field `client` does not accept an AuthenticatedClient.
    client = Client(base_url=url, headers={"Authorization": f"Bearer {key}"})
    compressor = InfinityRerank(client=client, model="default", top_n=3)
    return _results(compressor.compress_documents(_DOCUMENTS, QUERY))


def nvidia(url: str, key: str) -> object:
    compressor = NVIDIARerank(model="default", base_url=f"{url}/v1", nvidia_api_key=key, top_n=3)
    return _results(compressor.compress_documents(_DOCUMENTS, QUERY))


def voyage(url: str, key: str) -> object:
    client = voyageai.Client(api_key=key, base_url=f"{url}/v1", max_retries=0)
    response = client.rerank(QUERY, DOCUMENTS, model="default", top_k=3)
    return [[result.index, result.relevance_score, result.document] for result in response.results]


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
