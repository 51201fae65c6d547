"""Test server with the part of OpenSearch's ml-commons plugin that `rerank-cli wire` uses.

The OpenSearch of the tests has no such plugin. This server refuses the requests that ml-commons refuses, and calls the
connector like CohereRerankPreProcessFunction. It parses the response like CohereRerankPostProcessFunction with
json-smart: an index must be an Integer, a score is cast to Double, and every text must have one.
"""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TRUSTED = "plugins.ml_commons.trusted_connector_endpoints_regex"
PRIVATE = "plugins.ml_commons.connector.private_ip_enabled"
DEFAULT_TRUSTED = ["^https://runtime\\.sagemaker\\..*[a-z0-9-]\\.amazonaws\\.com/.*$"]
LONGEST_DOUBLE = 18
"""Number of characters. json-smart (JSONParserBase.extractFloat) parses a longer literal as BigDecimal."""


class Refused(Exception):
    """Error response of ml-commons: a status and a reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class BigDecimal(float):
    """Number that json-smart parses as BigDecimal, which cannot be cast to Double."""


def _json_smart(literal: str) -> float:
    return BigDecimal(literal) if len(literal) > LONGEST_DOUBLE else float(literal)


def parse_json(body: bytes) -> Any:
    """Returns *body* as json-smart parses it."""
    return json.loads(body, parse_float=_json_smart)


def similarities(results: object, texts: int) -> list[float]:
    """Returns the scores in the order of the texts. Raises Refused if a cast in ml-commons would fail."""
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise Refused(400, "Post process function input is not a List of Map.")
    scores: list[float | None] = [None] * len(results)
    for result in results:
        index, score = result.get("index"), result.get("relevance_score")
        if type(index) is not int or not 0 <= index < len(scores):
            raise Refused(500, f"ArrayIndexOutOfBoundsException or ClassCastException: index {index!r}")
        if type(score) is not float:
            raise Refused(500, f"ClassCastException: {type(score).__name__} {score!r} cannot be cast to Double")
        scores[index] = score
    if len(scores) != texts or None in scores:
        raise Refused(500, f"{texts} texts have {len(scores)} scores")
    return [score for score in scores if score is not None]


class MlCommons:
    """State of the plugin: settings, connectors, models and pipelines."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.created: dict[str, dict[str, Any]] = {"connectors": {}, "models": {}}
        self.pipelines: dict[str, Any] = {}
        self.sent: list[bytes] = []
        """Bodies of the requests to connectors."""
        self._ids = iter(range(1, 1000))

    def respond(self, method: str, path: str, body: Any) -> object:
        """Returns the response to one request. Raises Refused."""
        for pattern, handler in self._routes().items():
            match = re.fullmatch(pattern, f"{method} {path}")
            if match:
                return handler(body, *match.groups())
        raise Refused(400, f"no handler found for uri [{path}] and method [{method}]")

    def _routes(self) -> dict[str, Any]:
        return {
            r"GET /_cluster/settings\?flat_settings=true&include_defaults=true": lambda _: {
                "persistent": self.settings,
                "transient": {},
                "defaults": {} if TRUSTED in self.settings else {TRUSTED: DEFAULT_TRUSTED},
            },
            r"PUT /_cluster/settings": self._set,
            r"POST /_plugins/_ml/(connectors|models)/_search": self._search,
            r"POST /_plugins/_ml/connectors/_create": self._create,
            r"POST /_plugins/_ml/models/_register\?deploy=true": self._register,
            r"GET /_plugins/_ml/tasks/task-(.*)": lambda _, model: {"state": "COMPLETED", "model_id": model},
            r"POST /_plugins/_ml/models/([^/]*)/_undeploy": self._undeploy,
            r"DELETE /_plugins/_ml/(connectors|models)/([^/]*)": self._delete,
            r"POST /_plugins/_ml/_predict/text_similarity/(.*)": self.predict,
            r"PUT /_search/pipeline/(.*)": self._pipeline,
        }

    def _set(self, body: Any) -> object:
        unknown = set(body["persistent"]) - {TRUSTED, PRIVATE}
        if unknown or set(body) != {"persistent"}:
            raise Refused(400, f"persistent setting {sorted(unknown)}, not recognized")
        self.settings.update(body["persistent"])
        return {"acknowledged": True, **body}

    def _search(self, body: Any, kind: str) -> object:
        name = body["query"]["term"]["name.keyword"]
        ids = [id_ for id_, created in self.created[kind].items() if created["name"] == name]
        return {"hits": {"hits": [{"_id": id_} for id_ in ids]}}

    def _create(self, body: Any) -> object:
        missing = {"name", "version", "protocol", "actions"} - set(body)
        if missing or body["protocol"] not in ("http", "aws_sigv4"):
            raise Refused(400, f"the connector lacks {sorted(missing)} or has another protocol than http")
        for action in body["actions"]:
            if not any(re.fullmatch(trusted, action["url"]) for trusted in self.settings.get(TRUSTED, [])):
                raise Refused(
                    400, f"Connector URL is not matching the trusted connector endpoint regex: {action['url']}"
                )
            if action["method"] != "POST" or action["action_type"] != "predict":
                raise Refused(400, "Unsupported http method or action type")
        if not self.settings.get(PRIVATE):
            raise Refused(400, "Remote inference host name has private ip address")
        return {"connector_id": self._add("connectors", body)}

    def _register(self, body: Any) -> object:
        if body["function_name"] != "remote" or body["connector_id"] not in self.created["connectors"]:
            raise Refused(404, "Failed to find connector")
        key = self._add("models", {**body, "deployed": True})
        return {"task_id": f"task-{key}", "status": "CREATED", "model_id": key}

    def _undeploy(self, _: Any, model: str) -> object:
        self.created["models"][model]["deployed"] = False
        return {}

    def _delete(self, _: Any, kind: str, key: str) -> object:
        if self.created[kind][key].get("deployed"):
            raise Refused(400, "Model cannot be deleted in deploying or deployed state. Try undeploy model first")
        if any(model.get("connector_id") == key for model in self.created["models"].values()):
            raise Refused(409, "1 models are still using this connector, please delete or update the models first")
        del self.created[kind][key]
        return {"result": "deleted"}

    def _pipeline(self, body: Any, name: str) -> object:
        request, response = body["request_processors"], body["response_processors"]
        known = [next(iter(processor)) for processor in [*request, *response]]
        if known != ["oversample", "rerank", "truncate_hits"] or request[0]["oversample"]["sample_factor"] < 1:
            raise Refused(400, f"Invalid processors {known}")
        if response[0]["rerank"]["ml_opensearch"]["model_id"] not in self.created["models"]:
            raise Refused(400, "no such model")
        self.pipelines[name] = body
        return {"acknowledged": True}

    def predict(self, body: Any, model: str) -> object:
        """Calls the connector like TextSimilarityInputDataSet and returns the parsed scores."""
        connector = self.created["connectors"][self.created["models"][model]["connector_id"]]
        action = connector["actions"][0]
        texts = body["text_docs"]
        parameters = {
            **{name: _escaped(value) for name, value in connector["parameters"].items()},
            "query": _escaped(body["query_text"]),
            "documents": json.dumps(texts, ensure_ascii=False),
            "top_n": str(len(texts)),
        }
        sent = _fill_in(action["request_body"], "parameters", parameters).encode()
        json.loads(sent)
        self.sent.append(sent)
        credential = connector.get("credential", {})
        headers = {name: _fill_in(value, "credential", credential) for name, value in action.get("headers", {}).items()}
        request = urllib.request.Request(action["url"], sent, {"Content-Type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=connector["client_config"]["read_timeout"]) as response:
                body = parse_json(response.read())
        except urllib.error.HTTPError as exc:
            raise Refused(exc.code, f"Error from remote service: {exc.read().decode()}") from exc
        except urllib.error.URLError as exc:
            raise Refused(500, f"Error communicating with remote model: {exc.reason}") from exc
        cohere = action["post_process_function"] == "connector.post_process.cohere.rerank"
        scores = similarities(body["results"] if cohere else body, len(texts))
        tensors = [{"name": "similarity", "data_type": "FLOAT32", "shape": [1], "data": [score]} for score in scores]
        return {"inference_results": [{"output": tensors, "status_code": 200}]}

    def _add(self, kind: str, body: Any) -> str:
        key = f"{kind[:-1]}{next(self._ids)}"
        self.created[kind][key] = body
        return key


def _escaped(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1]


def _fill_in(template: str, group: str, values: dict[str, str]) -> str:
    return re.sub(rf"\$\{{{group}\.(\w+)\}}", lambda match: values[match[1]], template)


@contextmanager
def running_server(plugin: MlCommons) -> Iterator[str]:
    """Runs a server with *plugin* and yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                status, body = 200, plugin.respond(self.command, self.path, json.loads(content) if content else None)
            except Refused as exc:
                status, body = exc.status, {"error": {"type": "refused", "reason": str(exc)}, "status": exc.status}
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = _respond  # noqa: N815  # names of the library

        def log_message(self, format: str, *args: object) -> None:
            """Writes no log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
