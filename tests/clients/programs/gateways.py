"""Gateways and wrappers that call many rerank APIs: LiteLLM, rerankers and Xinference's client."""

from __future__ import annotations

import os
from typing import Any

# Without it, LiteLLM tries for ten seconds to download its list of prices at import.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from openai import OpenAI
from rerankers.models.api_rankers import APIRanker
from xinference_client.client.restful.restful_client import Client

from tests.clients.programs.reporting import DOCUMENTS, QUERY, Run, report

litellm.suppress_debug_info = True  # LiteLLM prints advice to stdout after an error.


def _litellm(provider: str, path: str = "", **options: Any) -> Run:
    def run(url: str, key: str) -> object:
        response = litellm.rerank(
            model=f"{provider}/default",
            query=QUERY,
            documents=DOCUMENTS,
            top_n=3,
            api_base=url + path,
            api_key=key,
            **options,
        )
        return [[result["index"], result["relevance_score"]] for result in response.results]

    return run


def litellm_embedding(url: str, key: str) -> object:
    response = litellm.embedding(model="openai/default", input=DOCUMENTS, api_base=f"{url}/v1", api_key=key)
    return [len(response.data), len(response.data[0]["embedding"])]


def openai_embedding(url: str, key: str) -> object:
    response = OpenAI(base_url=f"{url}/v1", api_key=key).embeddings.create(model="default", input=DOCUMENTS)
    return [len(response.data), len(response.data[0].embedding)]


def _reranker(provider: str, path: str) -> Run:
    def run(url: str, key: str) -> object:
        ranker = APIRanker("default", key, provider, verbose=0, url=url + path)
        return [[result.doc_id, result.score] for result in ranker.rank(QUERY, DOCUMENTS).results[:3]]

    return run


def xinference(url: str, key: str) -> object:
    model = Client(url, api_key=key).get_model("default")
    response = model.rerank(DOCUMENTS, QUERY, top_n=3)
    return [[result["index"], result["relevance_score"]] for result in response["results"]]


if __name__ == "__main__":
    report(
        ["litellm", "openai", "rerankers", "xinference-client"],
        {
            "litellm cohere": _litellm("cohere"),
            "litellm hosted_vllm": _litellm("hosted_vllm"),
            "litellm hosted_vllm instruction": _litellm("hosted_vllm", instruction="find advice"),
            "litellm jina_ai": _litellm("jina_ai"),
            "litellm voyage": _litellm("voyage"),
            "litellm huggingface": _litellm("huggingface"),
            "litellm infinity": _litellm("infinity", "/infinity", return_documents=True),
            "litellm embedding": litellm_embedding,
            "openai embedding": openai_embedding,
            "rerankers cohere": _reranker("cohere", "/v1/rerank"),
            "rerankers jina": _reranker("jina", "/v1/rerank"),
            "rerankers voyage": _reranker("voyage", "/v1/rerank"),
            "rerankers mixedbread.ai": _reranker("mixedbread.ai", "/v1/reranking"),
            "xinference": xinference,
        },
    )
