"""OpenSearch's own side of re-ranking: what its ml-commons plugin must be told so that its `rerank` processor calls
our service.

The connector takes ml-commons' ready-made functions for Cohere's dialect: no script puts JSON together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from rerank.core.errors import SettingError

TRUSTED = "plugins.ml_commons.trusted_connector_endpoints_regex"
PRIVATE = "plugins.ml_commons.connector.private_ip_enabled"
CONNECTOR_ID, MODEL_ID = "CONNECTOR_ID", "MODEL_ID"
"""What stands for ids that only the server's answers tell."""

_REQUEST_BODY = (
    '{ "documents": ${parameters.documents}, "query": "${parameters.query}", "model": "${parameters.model}", '
    '"top_n": ${parameters.top_n} }'
)
_REGEX_SIGNS = ".+*?()[]{}|^$\\"


@dataclass(frozen=True)
class Request:
    """One call: method, path and JSON body."""

    method: str
    path: str
    body: object


@dataclass(frozen=True)
class Wiring:
    """What a server is told. url: where *it* finds our service, `http(s)://host:port`. key: an API key of ours.

    name: of connector, model and search pipeline. fields: what is read of a hit. oversample: how many times the page
    is re-ranked. Raises SettingError for a url that cannot be one.
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
            raise SettingError(
                f"{self.url} is not an address http(s)://host:port at which OpenSearch could find this service"
            )

    @property
    def endpoint(self) -> str:
        """The regular expression of addresses that the server must trust."""
        escaped = "".join(f"\\{sign}" if sign in _REGEX_SIGNS else sign for sign in self.url.rstrip("/"))
        return f"^{escaped}/.*$"

    def cluster_settings(self, trusted: Sequence[str] = ()) -> Request:
        """Let connectors call us, who may have a private address, beside the endpoints *trusted* already."""
        endpoints = list(dict.fromkeys([*trusted, self.endpoint]))
        return Request("PUT", "/_cluster/settings", {"persistent": {TRUSTED: endpoints, PRIVATE: True}})

    def connector(self) -> Request:
        """How the server calls us."""
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
            "description": "Re-ranks with a cross-encoder",
            "version": "1",
            "protocol": "http",
            "parameters": {"model": self.model},
            "client_config": {"read_timeout": self.timeout_seconds, "max_connection": 30},
            "actions": [action],
        }
        if self.key is not None:
            body["credential"] = {"key": self.key}
            action["headers"] = {"Authorization": "Bearer ${credential.key}"}
        return Request("POST", "/_plugins/_ml/connectors/_create", body)

    def registered_model(self, connector_id: str = CONNECTOR_ID) -> Request:
        """The connector as a model, ready for use."""
        body = {"name": self.name, "function_name": "remote", "connector_id": connector_id}
        return Request("POST", "/_plugins/_ml/models/_register?deploy=true", body)

    def pipeline(self, model_id: str = MODEL_ID) -> Request:
        """More hits than the page, re-ranked, cut to the page. A failure leaves the server's own order."""
        rerank = {
            "ml_opensearch": {"model_id": model_id},
            "context": {"document_fields": list(self.fields)},
            "ignore_failure": True,
        }
        body = {
            "request_processors": [{"oversample": {"sample_factor": self.oversample}}],
            "response_processors": [{"rerank": rerank}, {"truncate_hits": {}}],
        }
        return Request("PUT", f"/_search/pipeline/{self.name}", body)

    def requests(self) -> list[Request]:
        """All of it, in order, with CONNECTOR_ID and MODEL_ID for what the answers tell."""
        return [self.cluster_settings(), self.connector(), self.registered_model(), self.pipeline()]

    def search(self) -> Request:
        """A search that is then re-ranked."""
        body = {
            "query": {"match": {self.fields[-1]: "green tea"}},
            "ext": {"rerank": {"query_context": {"query_text": "green tea"}}},
        }
        return Request("POST", f"/INDEX/_search?search_pipeline={self.name}", body)


def elasticsearch_requests(wiring: Wiring) -> list[Request]:
    """The same for an Elasticsearch: an inference endpoint that calls us, and a search that uses it."""
    secret = {"secret_parameters": {"api_key": wiring.key}} if wiring.key else {}
    authorization = {"Authorization": "Bearer ${api_key}"} if wiring.key else {}
    settings = {
        **secret,
        "url": f"{wiring.url.rstrip('/')}/v1/rerank",
        "headers": {**authorization, "Content-Type": "application/json"},
        "request": f'{{"documents": ${{input}}, "query": ${{query}}, "model": "{wiring.model}"}}',
        "response": {
            "json_parser": {
                "reranked_index": "$.results[*].index",
                "relevance_score": "$.results[*].relevance_score",
            }
        },
    }
    endpoint = Request("PUT", f"/_inference/rerank/{wiring.name}", {"service": "custom", "service_settings": settings})
    field = wiring.fields[-1]
    reranker = {
        "retriever": {"standard": {"query": {"match": {field: "green tea"}}}},
        "field": field,
        "inference_id": wiring.name,
        "inference_text": "green tea",
        "rank_window_size": 10 * wiring.oversample,
    }
    return [endpoint, Request("POST", "/INDEX/_search", {"retriever": {"text_similarity_reranker": reranker}})]
