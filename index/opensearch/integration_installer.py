"""Installation of the integration in an OpenSearch cluster, with a trial call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opensearchpy.exceptions import NotFoundError, RequestError, TransportError

from rerank.core.errors import IndexNotFound, StoreError, StoreTimeout
from rerank.core.retry import RetryPolicy, retry
from rerank.index.opensearch.integration import TRUSTED_ENDPOINTS, ApiRequest, RerankIntegration
from rerank.index.search_server.client import Credentials, SearchServerClient, reason_of

DEPLOYMENT_POLLS = RetryPolicy(first=0.2, longest=0.2, seconds=60.0)
_PLUGIN_MISSING = ("no handler found", "not recognized", "Invalid index name [_plugins]", "unsupported")
_TRIAL_QUERY = "green tea"
_TRIAL_TEXTS = ["rain falls on stone", "green tea is brewed from leaves"]


@dataclass(frozen=True)
class InstalledIntegration:
    """Ids of the installed parts, and the scores of a trial call: of an unrelated text and of a relevant one."""

    connector_id: str
    model_id: str
    pipeline: str
    trial_scores: tuple[float, float]


def install_integration(
    location: str, integration: RerankIntegration, *, api_key: str | None = None, ca_file: str | None = None
) -> InstalledIntegration:
    """Installs *integration* in the OpenSearch at *location*, tests it, and deletes a previous one of the same name.

    Endpoints that are already trusted stay trusted. Searches use the previous model until the new pipeline is in place.
    Raises StoreError if the cluster has no ml-commons plugin or cannot call this service.
    """
    client = SearchServerClient(location, credentials=Credentials(api_key, ca_file))
    try:
        return _Installer(client).install(integration)
    finally:
        client.close()


class _Installer:
    def __init__(self, client: SearchServerClient) -> None:
        self._client = client

    def install(self, integration: RerankIntegration) -> InstalledIntegration:
        self._send(integration.cluster_settings(self._trusted_endpoints()))
        previous = [(kind, id_) for kind in ("models", "connectors") for id_ in self._find(kind, integration.name)]
        connector_id = str(self._send(integration.connector())["connector_id"])
        model_id = self._wait_for_model(self._send(integration.registered_model(connector_id)))
        trial_scores = self._trial_scores(model_id)
        self._send(integration.pipeline(model_id))
        for kind, id_ in previous:
            self._delete(kind, id_)
        return InstalledIntegration(connector_id, model_id, integration.name, trial_scores)

    def _send(self, request: ApiRequest) -> Any:
        with self._client.request(f"sending {request.method} {request.path}") as api:
            try:
                return api.transport.perform_request(request.method, request.path, body=request.body)
            except TransportError as exc:
                reason = reason_of(exc.info) or str(exc.error)
                if isinstance(exc, RequestError | NotFoundError) and any(
                    phrase in reason for phrase in _PLUGIN_MISSING
                ):
                    raise StoreError(
                        f"OpenSearch at {self._client.address} has no ml-commons plugin ({reason}). "
                        "Install the plugin, or send searches through this service as a proxy (docs/proxy.md)."
                    ) from exc
                raise

    def _trusted_endpoints(self) -> list[str]:
        path = "/_cluster/settings?flat_settings=true&include_defaults=true"
        settings: Mapping[str, Any] = self._send(ApiRequest("GET", path, None))
        for scope in ("transient", "persistent", "defaults"):
            if TRUSTED_ENDPOINTS in settings.get(scope, {}):
                return list(settings[scope][TRUSTED_ENDPOINTS])
        return []

    def _find(self, kind: str, name: str) -> Iterator[str]:
        query = {"query": {"term": {"name.keyword": name}}, "size": 100}
        try:
            response = self._send(ApiRequest("POST", f"/_plugins/_ml/{kind}/_search", query))
        except IndexNotFound:
            # ml-commons creates its indexes with the first connector or model.
            return
        yield from (str(hit["_id"]) for hit in response["hits"]["hits"])

    def _wait_for_model(self, registered: Mapping[str, Any]) -> str:
        """Returns the id of the model after its deployment."""
        task = registered.get("task_id")
        if task is None:
            return str(registered["model_id"])
        request = ApiRequest("GET", f"/_plugins/_ml/tasks/{task}", None)
        finished = ("COMPLETED", "FAILED", "CANCELLED", "COMPLETED_WITH_ERROR")
        status: Mapping[str, Any] = retry(
            lambda: self._send(request), DEPLOYMENT_POLLS, until=lambda status: status.get("state") in finished
        )
        state = status.get("state")
        if state == "COMPLETED":
            return str(status.get("model_id") or registered["model_id"])
        if state in finished:
            raise StoreError(f"OpenSearch at {self._client.address} could not deploy the model: {status['error']}.")
        raise StoreTimeout(
            f"OpenSearch at {self._client.address} did not deploy the model within {DEPLOYMENT_POLLS.seconds:g} s. "
            f"Check its task {task}."
        )

    def _trial_scores(self, model_id: str) -> tuple[float, float]:
        """Returns the scores that OpenSearch gets from this service for an unrelated text and for a relevant one."""
        path = f"/_plugins/_ml/_predict/text_similarity/{model_id}"
        with self._client.request(f"sending POST {path}") as api:
            try:
                body = {"query_text": _TRIAL_QUERY, "text_docs": _TRIAL_TEXTS}
                response: Any = api.transport.perform_request("POST", path, body=body)
            except TransportError as exc:
                reason = " ".join((reason_of(exc.info) or str(exc.error)).split())
                raise StoreError(
                    f"OpenSearch has the connector and the model, but cannot call this service ({reason}). Check that "
                    "the service is running, that OpenSearch can connect to the URL in --service-url, and that the "
                    "API key is correct."
                ) from exc
            outputs = [output for inference in response["inference_results"] for output in inference["output"]]
            unrelated, relevant = (float(output["data"][0]) for output in outputs)
            return unrelated, relevant

    def _delete(self, kind: str, id_: str) -> None:
        if kind == "models":
            self._send(ApiRequest("POST", f"/_plugins/_ml/models/{id_}/_undeploy", None))
        self._send(ApiRequest("DELETE", f"/_plugins/_ml/{kind}/{id_}", None))
