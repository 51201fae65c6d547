"""Bodies that clients send with default settings, taken from the sources of these projects.

RAGFlow: rag/llm/rerank_model.py. Dify: the client of xinference-client that its Xinference provider calls. Open WebUI:
backend/open_webui/retrieval/models/external.py. LibreChat: src/tools/search/rerankers.ts of LibreChat's agents.
Flowise: packages/components/nodes/retrievers. LiteLLM: litellm/llms. LlamaIndex: the postprocessors of SiliconFlow and
NVIDIA.
"""

from __future__ import annotations

from typing import Any

import pytest

from rerank.core.settings import Settings
from tests.service.dialects.test_dialects import DOCUMENTS, TEXTS
from tests.service.fake_service import client, components

NIM = {"query": {"text": "green tea"}, "passages": [{"text": text} for text in TEXTS]}
BEST = (1, 0.98201379)
THREE = [BEST, (2, 0.5), (0, 0.01798621)]
LOGITS = [(1, 4.0), (2, 0.0), (0, -4.0)]


def _pairs(results: list[dict[str, Any]], key: str = "relevance_score") -> list[tuple[int, float]]:
    return [(result["index"], result[key]) for result in results]


@pytest.mark.parametrize(
    ("path", "body", "ignored", "expected"),
    [
        pytest.param(
            "/v1/rerank",
            {**DOCUMENTS, "model": "default", "return_documents": "true", "return_len": "true"},
            "return_len",
            THREE,
            id="RAGFlow, Xinference",
        ),
        pytest.param(
            "/v1/rerank",
            {**DOCUMENTS, "return_documents": False, "max_chunks_per_doc": 1024, "overlap_tokens": 80, "top_n": 3},
            "overlap_tokens",
            THREE,
            id="RAGFlow and LlamaIndex, SiliconFlow",
        ),
        pytest.param("/rerank", {**DOCUMENTS, "model": "default", "top_n": 3}, None, THREE, id="RAGFlow, LocalAI"),
        pytest.param(
            "/v1/rerank",
            {
                **DOCUMENTS,
                "model": "default",
                "top_n": None,
                "max_chunks_per_doc": None,
                "return_documents": True,
                "return_len": None,
                "kwargs": "{}",
            },
            "return_len, kwargs",
            THREE,
            id="Dify, Xinference",
        ),
        pytest.param("/v1/rerank/", {**DOCUMENTS, "model": "default", "top_n": 3}, None, THREE, id="Open WebUI"),
        pytest.param(
            "/v1/rerank",
            {**DOCUMENTS, "model": "default", "top_n": 5, "return_documents": True},
            None,
            THREE,
            id="LibreChat, Jina",
        ),
        pytest.param("/v2/rerank", {**DOCUMENTS, "model": "default", "top_n": 1}, None, [BEST], id="LibreChat, Cohere"),
        pytest.param(
            "/v1/rerank",
            {**DOCUMENTS, "model": "default", "topN": 2, "max_chunks_per_doc": 10, "return_documents": False},
            "topN",
            THREE,
            id="Flowise, Cohere",
        ),
        pytest.param("/v1/rerank", {**DOCUMENTS, "model": "default", "top_n": 1}, None, [BEST], id="Flowise, Jina"),
        pytest.param(
            "/rerank",
            {**DOCUMENTS, "model": "default", "top_n": 1, "return_documents": True, "instruction": "find advice"},
            "instruction",
            [BEST],
            id="LiteLLM, hosted_vllm",
        ),
        pytest.param(
            "/v1/rerank",
            {**DOCUMENTS, "chat_template_kwargs": {"instruction": "x"}, "return_embeddings": False, "parameters": {}},
            "chat_template_kwargs, return_embeddings, parameters",
            THREE,
            id="vLLM, Jina, Hugging Face",
        ),
    ],
)
def test_body_with_documents_is_accepted(
    path: str, body: dict[str, Any], ignored: str | None, expected: list[tuple[int, float]]
) -> None:
    """The results are those that the client reads."""
    response = client().post(path, json=body)
    assert (response.status_code, response.headers.get("x-rerank-ignored")) == (200, ignored)
    assert _pairs(response.get_json()["results"]) == expected


@pytest.mark.parametrize(
    "body", [{**NIM, "truncate": "END", "top_n": 3}, {**NIM, "model": "default", "truncate": None}]
)
def test_nvidia_bodies_are_accepted(body: dict[str, Any]) -> None:
    """RAGFlow sends top_n; LlamaIndex sends the model."""
    response = client().post("/v1/reranking", json=body)
    assert (response.status_code, response.headers.get("x-rerank-ignored")) == (200, None)
    assert _pairs(response.get_json()["rankings"], "logit") == LOGITS


def test_litellm_body_for_tei_is_accepted() -> None:
    """LiteLLM's provider huggingface adds Cohere's top_n to TEI's keys."""
    body = {"query": "green tea", "texts": TEXTS, "return_text": True, "raw_scores": False, "top_n": 2}
    assert _pairs(client().post("/rerank", json=body).get_json(), "score") == THREE[:2]


def test_flowise_sends_the_key_as_azure_does() -> None:
    """The header is api-key."""
    service = client(components(settings=Settings(api_keys=("secret",))))
    body = {**DOCUMENTS, "model": "default", "top_n": 1, "max_chunks_per_doc": 10, "return_documents": False}
    response = service.post("/v1/rerank", json=body, headers={"api-key": "secret"})
    assert _pairs(response.get_json()["results"]) == [BEST]


@pytest.mark.parametrize("keys", [(), ("secret",)])
def test_xinference_client_learns_whether_a_key_is_needed(keys: tuple[str, ...]) -> None:
    """It asks without a key, then describes the model with it."""
    service = client(components(settings=Settings(api_keys=keys)))
    assert service.get("/v1/cluster/auth").get_json() == {"auth": bool(keys)}
    headers = {"Authorization": f"Bearer {keys[0]}"} if keys else {}
    assert service.get("/v1/models/default", headers=headers).get_json()["model_type"] == "rerank"
