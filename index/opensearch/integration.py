"""API requests that make OpenSearch or Elasticsearch call this service to rerank.

In OpenSearch the ml-commons plugin calls the service through a connector. The connector uses the plugin's built-in
functions for Cohere's API, so that no script assembles JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from rerank.core.errors import SettingError

TRUSTED_ENDPOINTS = "plugins.ml_commons.trusted_connector_endpoints_regex"
PRIVATE_ADDRESSES = "plugins.ml_commons.connector.private_ip_enabled"
CONNECTOR_ID, MODEL_ID = "CONNECTOR_ID", "MODEL_ID"
"""Placeholders for ids that OpenSearch assigns."""

_REQUEST_BODY = (
    '{ "documents": ${parameters.documents}, "query": "${parameters.query}", "model": "${parameters.model}", '
    '"top_n": ${parameters.top_n} }'
)
_REGEX_SPECIAL = ".+*?()[]{}|^$\\"


@dataclass(frozen=True)
class ApiRequest:
    """Method, path and JSON body of one request."""

    method: str
    path: str
    body: object


@dataclass(frozen=True)
class RerankIntegration:
    """Integration of this service into a search engine, with the requests that install it.

    url: URL of this service for the search engine, `http(s)://host:port`. key: an API key of this service.
    name: of the connector, the model and the search pipeline. fields: fields of a hit to score. oversample: number of
    pages to rerank. Raises SettingError for an invalid url.
    """

    url: str
    model: str = "default"
    key: str | None = None
    name: str = "rerank"
    fields: Sequence[str] = ("title", "text")
    oversample: int = 10
    timeout_seconds: int = 5

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise SettingError(f"The service URL must be http(s)://host:port, got {self.url}.")

    @property
    def endpoint(self) -> str:
        """Regular expression of the endpoint for OpenSearch's list of trusted connectors."""
        escaped = "".join(f"\\{char}" if char in _REGEX_SPECIAL else char for char in self.url.rstrip("/"))
        return f"^{escaped}/.*$"

    def cluster_settings(self, trusted: Sequence[str] = ()) -> ApiRequest:
        """Returns the request that adds this service to the *trusted* endpoints and allows private IP addresses."""
        endpoints = list(dict.fromkeys([*trusted, self.endpoint]))
        return ApiRequest(
            "PUT", "/_cluster/settings", {"persistent": {TRUSTED_ENDPOINTS: endpoints, PRIVATE_ADDRESSES: True}}
        )

    def connector(self) -> ApiRequest:
        """Returns the request that creates the connector, which defines the calls to this service."""
        action: dict[str, object] = {
            "action_type": "predict",
            "method": "POST",
            "url": f"{self.url.rstrip('/')}/v1/rerank",
            "request_body": _REQUEST_BODY,
            "pre_process_function": "connector.pre_process.cohere.rerank",
            "post_process_function": "connector.post_process.cohere.rerank",
        }
        body: dict[str, object] = {
            "name": self.name,
            "description": "Reranks with a cross-encoder",
            "version": "1",
            "protocol": "http",
            "parameters": {"model": self.model},
            "client_config": {"read_timeout": self.timeout_seconds, "max_connection": 30},
            "actions": [action],
        }
        if self.key is not None:
            body["credential"] = {"key": self.key}
            action["headers"] = {"Authorization": "Bearer ${credential.key}"}
        return ApiRequest("POST", "/_plugins/_ml/connectors/_create", body)

    def registered_model(self, connector_id: str = CONNECTOR_ID) -> ApiRequest:
        """Returns the request that registers the connector as a model and deploys it."""
        body = {"name": self.name, "function_name": "remote", "connector_id": connector_id}
        return ApiRequest("POST", "/_plugins/_ml/models/_register?deploy=true", body)

    def pipeline(self, model_id: str = MODEL_ID) -> ApiRequest:
        """Returns the request that creates the search pipeline: fetch *oversample* pages, rerank, cut to one page.

        If the service fails, OpenSearch keeps its own order.
        """
        processor = {
            "ml_opensearch": {"model_id": model_id},
            "context": {"document_fields": list(self.fields)},
            "ignore_failure": True,
        }
        body = {
            "request_processors": [{"oversample": {"sample_factor": self.oversample}}],
            "response_processors": [{"rerank": processor}, {"truncate_hits": {}}],
        }
        return ApiRequest("PUT", f"/_search/pipeline/{self.name}", body)

    def requests(self) -> list[ApiRequest]:
        """Returns all requests in order, with CONNECTOR_ID and MODEL_ID as placeholders."""
        return [self.cluster_settings(), self.connector(), self.registered_model(), self.pipeline()]

    def search(self) -> ApiRequest:
        """Returns an example search that uses the pipeline."""
        body = {
            "query": {"match": {self.fields[-1]: "green tea"}},
            "ext": {"rerank": {"query_context": {"query_text": "green tea"}}},
        }
        return ApiRequest("POST", f"/INDEX/_search?search_pipeline={self.name}", body)


def elasticsearch_requests(integration: RerankIntegration) -> list[ApiRequest]:
    """Returns the requests for Elasticsearch: create an inference endpoint, and an example search that uses it."""
    secret = {"secret_parameters": {"api_key": integration.key}} if integration.key else {}
    authorization = {"Authorization": "Bearer ${api_key}"} if integration.key else {}
    settings = {
        **secret,
        "url": f"{integration.url.rstrip('/')}/v1/rerank",
        "headers": {**authorization, "Content-Type": "application/json"},
        "request": f'{{"documents": ${{input}}, "query": ${{query}}, "model": "{integration.model}"}}',
        "response": {
            "json_parser": {
                "reranked_index": "$.results[*].index",
                "relevance_score": "$.results[*].relevance_score",
            }
        },
    }
    endpoint = ApiRequest(
        "PUT", f"/_inference/rerank/{integration.name}", {"service": "custom", "service_settings": settings}
    )
    field = integration.fields[-1]
    reranker = {
        "retriever": {"standard": {"query": {"match": {field: "green tea"}}}},
        "field": field,
        "inference_id": integration.name,
        "inference_text": "green tea",
        "rank_window_size": 10 * integration.oversample,
    }
    return [endpoint, ApiRequest("POST", "/INDEX/_search", {"retriever": {"text_similarity_reranker": reranker}})]
