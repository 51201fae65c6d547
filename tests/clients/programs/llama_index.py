"""LlamaIndex's node postprocessors."""

from __future__ import annotations

from typing import Any

from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.postprocessor.cohere_rerank import CohereRerank
from llama_index.postprocessor.jinaai_rerank import JinaRerank
from llama_index.postprocessor.nvidia_rerank import NVIDIARerank
from llama_index.postprocessor.siliconflow_rerank import SiliconFlowRerank
from llama_index.postprocessor.tei_rerank import TextEmbeddingInference

from tests.clients.programs.reporting import DOCUMENTS, QUERY, error_of, report


def _ranked(postprocessor: Any) -> list[list[object]]:
    nodes = [NodeWithScore(node=TextNode(text=text, id_=str(i))) for i, text in enumerate(DOCUMENTS)]
    return [[int(node.node.node_id), node.score] for node in postprocessor.postprocess_nodes(nodes, query_str=QUERY)]


def cohere(url: str, key: str) -> object:
    return _ranked(CohereRerank(model="default", api_key=key, base_url=url, top_n=3))


def jina(url: str, key: str) -> object:
    return _ranked(JinaRerank(model="default", api_key=key, base_url=f"{url}/v1", top_n=3))


def jina_errors(url: str, key: str) -> object:
    return error_of(lambda: _ranked(JinaRerank(api_key=key, base_url=f"{url}/v1")))


def nvidia(url: str, key: str) -> object:
    return _ranked(NVIDIARerank(model="fake-reranker", api_key=key, base_url=f"{url}/v1", top_n=3))


def siliconflow(url: str, key: str) -> object:
    return _ranked(SiliconFlowRerank(model="default", api_key=key, base_url=f"{url}/v1/rerank", top_n=3))


def tei(url: str, key: str) -> object:
    return _ranked(TextEmbeddingInference(base_url=url, auth_token=f"Bearer {key}", top_n=3))


if __name__ == "__main__":
    report(
        [
            "llama-index-core",
            "llama-index-postprocessor-cohere-rerank",
            "cohere",
            "llama-index-postprocessor-jinaai-rerank",
            "llama-index-postprocessor-nvidia-rerank",
            "llama-index-postprocessor-siliconflow-rerank",
            "llama-index-postprocessor-tei-rerank",
        ],
        {
            "CohereRerank": cohere,
            "JinaRerank": jina,
            "JinaRerank errors": jina_errors,
            "NVIDIARerank": nvidia,
            "SiliconFlowRerank": siliconflow,
            "TextEmbeddingInference": tei,
        },
    )
