from __future__ import annotations

import json
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rerank.core.errors import SettingError, StoreError
from rerank.index.opensearch.integration import ApiRequest, RerankIntegration, elasticsearch_requests
from rerank.index.opensearch.integration_installer import install_integration
from tests.cli.runner import CommandLine
from tests.clients.keyed_process import KEY
from tests.ml_commons import (
    DEFAULT_TRUSTED,
    PRIVATE,
    TRUSTED,
    MlCommons,
    Refused,
    parse_json,
    running_server,
    similarities,
)
from tests.service.service_process import run_service

REQUEST_BODY = (
    '{ "documents": ${parameters.documents}, "query": "${parameters.query}", "model": "${parameters.model}", '
    '"top_n": ${parameters.top_n} }'
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Runs a service that requires an API key, and returns its URL."""
    folder = tmp_path_factory.mktemp("service")
    with run_service(folder, module="tests.clients.keyed_process"):
        yield (folder / "address").read_text()


@pytest.fixture
def plugin() -> Iterator[tuple[MlCommons, str]]:
    ml_commons = MlCommons()
    with running_server(ml_commons) as url:
        yield ml_commons, url


def test_requests_for_opensearch_create_settings_connector_model_and_pipeline() -> None:
    integration = RerankIntegration("http://rerank:8080", model="m", key="k")
    connector = {
        "name": "rerank",
        "description": "Reranks with a cross-encoder",
        "version": "1",
        "protocol": "http",
        "credential": {"key": "k"},
        "parameters": {"model": "m"},
        "client_config": {"read_timeout": 5, "max_connection": 30},
        "actions": [
            {
                "action_type": "predict",
                "method": "POST",
                "url": "http://rerank:8080/v1/rerank",
                "headers": {"Authorization": "Bearer ${credential.key}"},
                "request_body": REQUEST_BODY,
                "pre_process_function": "connector.pre_process.cohere.rerank",
                "post_process_function": "connector.post_process.cohere.rerank",
            }
        ],
    }
    pipeline = {
        "request_processors": [{"oversample": {"sample_factor": 10}}],
        "response_processors": [
            {
                "rerank": {
                    "ml_opensearch": {"model_id": "MODEL_ID"},
                    "context": {"document_fields": ["title", "text"]},
                    "ignore_failure": True,
                }
            },
            {"truncate_hits": {}},
        ],
    }
    assert integration.requests() == [
        ApiRequest(
            "PUT",
            "/_cluster/settings",
            {"persistent": {TRUSTED: ["^http://rerank:8080/.*$"], PRIVATE: True}},
        ),
        ApiRequest("POST", "/_plugins/_ml/connectors/_create", connector),
        ApiRequest(
            "POST",
            "/_plugins/_ml/models/_register?deploy=true",
            {"name": "rerank", "function_name": "remote", "connector_id": "CONNECTOR_ID"},
        ),
        ApiRequest("PUT", "/_search/pipeline/rerank", pipeline),
    ]


def test_requests_for_elasticsearch_create_a_custom_inference_endpoint() -> None:
    """The retriever of the example search names the endpoint."""
    endpoint, search = elasticsearch_requests(RerankIntegration("http://rerank:8080", model="m", key="k"))
    assert endpoint == ApiRequest(
        "PUT",
        "/_inference/rerank/rerank",
        {
            "service": "custom",
            "service_settings": {
                "secret_parameters": {"api_key": "k"},
                "url": "http://rerank:8080/v1/rerank",
                "headers": {"Authorization": "Bearer ${api_key}", "Content-Type": "application/json"},
                "request": '{"documents": ${input}, "query": ${query}, "model": "m"}',
                "response": {
                    "json_parser": {
                        "reranked_index": "$.results[*].index",
                        "relevance_score": "$.results[*].relevance_score",
                    }
                },
            },
        },
    )
    body: Any = search.body
    assert body["retriever"]["text_similarity_reranker"]["inference_id"] == "rerank"


def test_plugin_parses_the_scores_of_the_service(address: str, plugin: tuple[MlCommons, str]) -> None:
    """Trusted endpoints stay trusted, the service computes the test scores, and the pipeline names the model."""
    ml_commons, url = plugin
    installed = install_integration(url, RerankIntegration(address, key=KEY))
    assert installed.trial_scores == (0.01798621, 0.98201379)
    escaped = address.replace(".", "\\.")
    assert ml_commons.settings == {TRUSTED: [*DEFAULT_TRUSTED, f"^{escaped}/.*$"], PRIVATE: True}
    rerank = ml_commons.pipelines["rerank"]["response_processors"][0]["rerank"]
    assert rerank["ml_opensearch"] == {"model_id": installed.model_id}
    texts = ["rain falls on stone", "green tea is brewed from leaves"]
    assert [json.loads(sent) for sent in ml_commons.sent] == [
        {"documents": texts, "query": "green tea", "model": "default", "top_n": 2}
    ]


def test_second_wiring_replaces_the_first(address: str, plugin: tuple[MlCommons, str]) -> None:
    """One connector and one model with the name remain. Connectors and models with other names are unchanged."""
    ml_commons, url = plugin
    install_integration(url, RerankIntegration(address, key=KEY, name="another"))
    install_integration(url, RerankIntegration(address, key=KEY))
    installed = install_integration(url, RerankIntegration(address, key=KEY))
    names = [sorted(made["name"] for made in ml_commons.created[kind].values()) for kind in ("connectors", "models")]
    assert names == [["another", "rerank"]] * 2
    assert installed.model_id in ml_commons.created["models"]
    assert len(ml_commons.settings[TRUSTED]) == len(DEFAULT_TRUSTED) + 1


@given(
    query=st.text(min_size=1, max_size=30).filter(str.strip),
    texts=st.lists(st.text(max_size=30), min_size=1, max_size=8),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_plugin_parses_one_score_per_text_for_any_text(
    address: str, plugin: tuple[MlCommons, str], query: str, texts: list[str]
) -> None:
    """Texts with quotes, line breaks, NUL or any script each get a Double at their position."""
    ml_commons, url = plugin
    if not ml_commons.pipelines:
        install_integration(url, RerankIntegration(address, key=KEY))
    model = next(iter(ml_commons.created["models"]))
    answer: Any = ml_commons.predict({"query_text": query, "text_docs": texts}, model)
    scores = [tensor["data"][0] for tensor in answer["inference_results"][0]["output"]]
    assert len(scores) == len(texts)
    assert all(0 <= score <= 1 for score in scores)


def test_plugin_function_for_arrays_parses_the_scores(address: str, plugin: tuple[MlCommons, str]) -> None:
    """default.rerank parses a bare array with relevance_score. In TEI's dialect, /rerank returns this key too."""
    ml_commons, url = plugin
    installed = install_integration(url, RerankIntegration(address, key=KEY))
    action = ml_commons.created["connectors"][installed.connector_id]["actions"][0]
    action["url"] = f"{address}/rerank"
    action["request_body"] = '{ "texts": ${parameters.documents}, "query": "${parameters.query}" }'
    action["post_process_function"] = "connector.post_process.default.rerank"
    answer: Any = ml_commons.predict({"query_text": "green tea", "text_docs": ["tea", "green tea"]}, installed.model_id)
    assert [tensor["data"][0] for tensor in answer["inference_results"][0]["output"]] == [0.5, 0.98201379]


@pytest.mark.parametrize(
    "answer",
    [
        b'[{"index": 0, "relevance_score": 1}]',
        b'[{"index": 0, "relevance_score": 0.12345678901234567}]',
        b'[{"index": 0.0, "relevance_score": 0.5}]',
        b'[{"index": 1, "relevance_score": 0.5}]',
        b'[{"index": 0, "relevance_score": null}]',
        b"[]",
        b'["x"]',
    ],
)
def test_stub_refuses_responses_that_the_plugin_cannot_parse(answer: bytes) -> None:
    """The stub follows the rules of the real plugin."""
    with pytest.raises(Refused):
        similarities(parse_json(answer), 1)


@pytest.mark.parametrize(("key", "url"), [("wrong", None), (None, None), (KEY, "http://127.0.0.1:1")])
def test_unreachable_service_or_wrong_key_is_refused(
    address: str, plugin: tuple[MlCommons, str], key: str | None, url: str | None
) -> None:
    """The error states the fix, and no pipeline is created."""
    ml_commons, server = plugin
    with pytest.raises(StoreError, match=r"cannot call this service \(.*Check that the service is running"):
        install_integration(server, RerankIntegration(url or address, key=key))
    assert ml_commons.pipelines == {}


def test_server_without_the_plugin_is_refused(opensearch_url: str) -> None:
    """The error suggests the proxy instead."""
    with pytest.raises(StoreError) as refused:
        install_integration(opensearch_url, RerankIntegration("http://rerank:8080"))
    assert refused.value.message.startswith(f"OpenSearch at {opensearch_url} has no ml-commons plugin (")
    assert refused.value.message.endswith("or send searches through this service as a proxy (docs/proxy.md).")


@pytest.mark.parametrize("url", ["rerank:8080", "ftp://rerank", "http://", "http://user:password@rerank"])
def test_invalid_service_url_is_refused(url: str) -> None:
    with pytest.raises(SettingError):
        RerankIntegration(url)


def test_wire_prints_curl_commands_without_the_api_key(tmp_path: Path) -> None:
    """The body of each command is JSON."""
    result = CommandLine(tmp_path)("wire", "--service-url", "http://rerank:8080", RERANK_API_KEYS="secret,more")
    assert (result.code, "secret" in result.out + result.err) == (0, False)
    words = shlex.split(result.out, comments=True)
    starts = [i for i, word in enumerate(words) if word == "curl"]
    paths = [words[i + 3] for i in starts]
    assert paths == [
        "$OPENSEARCH/_cluster/settings",
        "$OPENSEARCH/_plugins/_ml/connectors/_create",
        "$OPENSEARCH/_plugins/_ml/models/_register?deploy=true",
        "$OPENSEARCH/_search/pipeline/rerank",
        "$OPENSEARCH/INDEX/_search?search_pipeline=rerank",
    ]
    bodies = [json.loads(words[i + 1]) for i, word in enumerate(words) if word == "-d"]
    assert bodies[1]["credential"] == {"key": "YOUR_KEY"}
    as_json = CommandLine(tmp_path)("wire", "--json", "--elasticsearch", "--port", "8080").json
    assert as_json[0]["body"]["service_settings"]["url"] == "http://127.0.0.1:8080/v1/rerank"


def test_wire_with_apply_sends_the_requests(tmp_path: Path, address: str, plugin: tuple[MlCommons, str]) -> None:
    """The output holds the ids and the test scores."""
    ml_commons, url = plugin
    result = CommandLine(tmp_path)(
        "wire", "--apply", "--json", "--service-url", address, "--store", url, RERANK_API_KEYS=KEY
    )
    assert result.code == 0, result.err
    assert result.json["trial"] == [0.01798621, 0.98201379]
    assert result.json["model_id"] in ml_commons.created["models"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--apply",), 2, "--apply needs an OpenSearch"),
        (("--apply", "--elasticsearch"), 2, "--apply cannot be used with --elasticsearch"),
        (("--service-url", "x"), 2, "http(s)://host:port"),
        (("--apply", "--store", "http://127.0.0.1:{free}"), 1, "127.0.0.1"),
    ],
)
def test_wrong_use_of_wire_is_refused(tmp_path: Path, options: tuple[str, ...], code: int, message: str) -> None:
    """A usage error exits with 2, an unreachable server with 1."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        result = CommandLine(tmp_path)("wire", *(flag.format(free=port) for flag in options))
    assert (result.code, message in result.err, result.out) == (code, True, ""), result.err
