"""Telling a server its side of re-ranking, and trying it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opensearchpy.exceptions import NotFoundError, RequestError, TransportError

from rerank.core.errors import IndexNotFound, StoreError, StoreTimeout
from rerank.index.opensearch.server import Server, reason_of
from rerank.index.opensearch.wiring import TRUSTED, Request, Wiring

DEPLOYING_SECONDS = 60.0
_PAUSE_SECONDS = 0.2
_NO_PLUGIN = ("no handler found", "not recognized", "Invalid index name [_plugins]", "unsupported")
_QUERY, _TEXTS = "green tea", ["rain falls on stone", "green tea is brewed from leaves"]


@dataclass(frozen=True)
class Wired:
    """What was made, and the scores that the server got from us for a trial: of a stranger, and of an answer."""

    connector_id: str
    model_id: str
    pipeline: str
    trial: tuple[float, float]


def wire_up(location: str, wiring: Wiring) -> Wired:
    """Tell the server at *location* its side, try it, and remove what an earlier call has made under the same name.

    Endpoints that it trusts already stay trusted. Searches find the old model until the pipeline leads to the new one.
    Raises StoreError, saying what the way out is, where the server has no ml-commons plugin or cannot call us.
    """
    server = Server(location)
    try:
        return _Conversation(server).wire(wiring)
    finally:
        server.close()


class _Conversation:
    def __init__(self, server: Server) -> None:
        self._server = server

    def wire(self, wiring: Wiring) -> Wired:
        self._say(wiring.cluster_settings(self._trusted()))
        before = [(kind, found) for kind in ("models", "connectors") for found in self._named(kind, wiring.name)]
        connector_id = str(self._say(wiring.connector())["connector_id"])
        model_id = self._deployed(self._say(wiring.registered_model(connector_id)))
        trial = self._tried(model_id)
        self._say(wiring.pipeline(model_id))
        for kind, found in before:
            self._remove(kind, found)
        return Wired(connector_id, model_id, wiring.name, trial)

    def _say(self, request: Request) -> Any:
        with self._server.asking(f"{request.method} {request.path}") as client:
            try:
                return client.transport.perform_request(request.method, request.path, body=request.body)
            except TransportError as exc:
                reason = reason_of(exc.info) or str(exc.error)
                if isinstance(exc, RequestError | NotFoundError) and any(sign in reason for sign in _NO_PLUGIN):
                    raise StoreError(
                        f"OpenSearch at {self._server.address} has no ml-commons plugin ({reason}); "
                        "install it, or let searches come through this service instead (docs/proxy.md)"
                    ) from exc
                raise

    def _trusted(self) -> list[str]:
        path = "/_cluster/settings?flat_settings=true&include_defaults=true"
        settings: Mapping[str, Any] = self._say(Request("GET", path, None))
        for part in ("transient", "persistent", "defaults"):
            if TRUSTED in settings.get(part, {}):
                return list(settings[part][TRUSTED])
        return []

    def _named(self, kind: str, name: str) -> Iterator[str]:
        query = {"query": {"term": {"name.keyword": name}}, "size": 100}
        try:
            answer = self._say(Request("POST", f"/_plugins/_ml/{kind}/_search", query))
        except IndexNotFound:
            return
        yield from (str(hit["_id"]) for hit in answer["hits"]["hits"])

    def _deployed(self, registered: Mapping[str, Any]) -> str:
        """The model's id, once it is ready."""
        deadline = time.monotonic() + DEPLOYING_SECONDS
        task = registered.get("task_id")
        while task is not None:
            state = self._say(Request("GET", f"/_plugins/_ml/tasks/{task}", None))
            if state.get("state") == "COMPLETED":
                return str(state.get("model_id") or registered["model_id"])
            if state.get("state") in ("FAILED", "CANCELLED", "COMPLETED_WITH_ERROR"):
                raise StoreError(f"OpenSearch at {self._server.address} could not deploy the model: {state['error']}")
            if time.monotonic() > deadline:
                raise StoreTimeout(
                    f"OpenSearch at {self._server.address} has not deployed the model within "
                    f"{DEPLOYING_SECONDS:.0f} seconds; look at its task {task}"
                )
            time.sleep(_PAUSE_SECONDS)
        return str(registered["model_id"])

    def _tried(self, model_id: str) -> tuple[float, float]:
        path = f"/_plugins/_ml/_predict/text_similarity/{model_id}"
        with self._server.asking(f"POST {path}") as client:
            try:
                body = {"query_text": _QUERY, "text_docs": _TEXTS}
                answer: Any = client.transport.perform_request("POST", path, body=body)
            except TransportError as exc:
                reason = " ".join((reason_of(exc.info) or str(exc.error)).split())
                raise StoreError(
                    f"connector and model are made, but OpenSearch cannot call this service through them ({reason}); "
                    "see that it runs, that --service-url is its address as OpenSearch sees it, and that the key is "
                    "right"
                ) from exc
        outputs = [output for inference in answer["inference_results"] for output in inference["output"]]
        stranger, answering = (float(output["data"][0]) for output in outputs)
        return stranger, answering

    def _remove(self, kind: str, found: str) -> None:
        if kind == "models":
            self._say(Request("POST", f"/_plugins/_ml/models/{found}/_undeploy", None))
        self._say(Request("DELETE", f"/_plugins/_ml/{kind}/{found}", None))
