"""SDKs of the products whose dialects the service supports."""

from __future__ import annotations

from typing import Any

import cohere
from elasticsearch import Elasticsearch, NotFoundError
from infinity_client import AuthenticatedClient
from infinity_client.api.default import models, rerank
from infinity_client.models import RerankInput
from mixedbread import Mixedbread

from tests.clients.programs.reporting import DOCUMENTS, QUERY, error_of, report


def _pairs(results: Any) -> list[list[object]]:
    return [[result.index, result.relevance_score] for result in results]


def cohere_v2(url: str, key: str) -> object:
    client = cohere.ClientV2(api_key=key, base_url=url)
    response = client.rerank(model="default", query=QUERY, documents=DOCUMENTS, top_n=3, max_tokens_per_doc=512)
    return [_pairs(response.results), response.meta.api_version.version, response.meta.billed_units.search_units]


def cohere_v1(url: str, key: str) -> object:
    client = cohere.Client(api_key=key, base_url=url)
    documents: list[Any] = [{"text": text, "id": str(i)} for i, text in enumerate(DOCUMENTS)]
    response = client.rerank(
        model="default", query=QUERY, documents=documents, rank_fields=["text"], top_n=2, return_documents=True
    )
    return [_pairs(response.results), [result.document.text for result in response.results]]


def cohere_errors(url: str, key: str) -> object:
    client = cohere.ClientV2(api_key=key, base_url=url)
    wrong_key = cohere.ClientV2(api_key="wrong", base_url=url)
    return [
        error_of(lambda: client.rerank(model="rerank-v3.5", query=QUERY, documents=DOCUMENTS)).split(":")[0],
        error_of(lambda: client.rerank(model="default", query=QUERY, documents=[])).split(":")[0],
        error_of(lambda: wrong_key.rerank(model="default", query=QUERY, documents=DOCUMENTS)).split(":")[0],
    ]


def infinity(url: str, key: str) -> object:
    client = AuthenticatedClient(base_url=url, token=key)
    body = RerankInput(query=QUERY, documents=DOCUMENTS, return_documents=True, raw_scores=True, top_n=2)
    response = rerank.sync(client=client, body=body)
    return [
        [[result.index, result.relevance_score, result.document] for result in response.results],
        response.object_,
        response.model,
        [[model.id, model.capabilities, model.stats["queue_absolute"]] for model in models.sync(client=client).data],
    ]


def mixedbread(url: str, key: str) -> object:
    client = Mixedbread(api_key=key, base_url=url)
    response = client.rerank(model="default", query=QUERY, input=DOCUMENTS, top_k=2, return_input=True)
    return [[result.index, result.score, result.input] for result in response.data]


def elasticsearch(url: str, key: str) -> object:
    client = Elasticsearch(url, bearer_auth=key)
    response = client.inference.rerank(inference_id="default", query=QUERY, input=DOCUMENTS, timeout="30s")
    try:
        client.inference.rerank(inference_id="unknown", query=QUERY, input=DOCUMENTS)
        unknown: object = None
    except NotFoundError as exc:
        unknown = exc.status_code
    return [response.body, unknown]


if __name__ == "__main__":
    report(
        ["cohere", "infinity-client", "mixedbread", "elasticsearch"],
        {
            "cohere v2": cohere_v2,
            "cohere v1": cohere_v1,
            "cohere errors": cohere_errors,
            "infinity": infinity,
            "mixedbread": mixedbread,
            "elasticsearch": elasticsearch,
        },
    )
