"""Haystack's ranker for text-embeddings-inference."""

from __future__ import annotations

from haystack import Document
from haystack.utils import Secret
from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker, TruncationDirection

from tests.clients.programs.reporting import DOCUMENTS, QUERY, error_of, report


def _ranked(ranker: HuggingFaceTEIRanker, *, query: str = QUERY) -> list[list[object]]:
    documents = [Document(id=str(i), content=text) for i, text in enumerate(DOCUMENTS)]
    ranked = ranker.run(query=query, documents=documents, truncation_direction=TruncationDirection.LEFT)
    return [[int(document.id), document.score] for document in ranked["documents"]]


def tei(url: str, key: str) -> object:
    return _ranked(HuggingFaceTEIRanker(url=url, token=Secret.from_token(key), top_k=3))


def tei_raw(url: str, key: str) -> object:
    return _ranked(HuggingFaceTEIRanker(url=url, token=Secret.from_token(key), top_k=3, raw_scores=True))


def tei_errors(url: str, key: str) -> object:
    ranker = HuggingFaceTEIRanker(url=url, token=Secret.from_token(key), max_retries=0)
    return error_of(lambda: _ranked(ranker, query=" "))


if __name__ == "__main__":
    report(
        ["haystack-ai", "huggingface-api-haystack"],
        {
            "HuggingFaceTEIRanker": tei,
            "HuggingFaceTEIRanker raw": tei_raw,
            "HuggingFaceTEIRanker errors": tei_errors,
        },
    )
