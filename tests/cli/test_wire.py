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
from tests.ml_commons import DEFAULT_TRUSTED, PRIVATE, TRUSTED, MlCommons, Refused, read, serving, similarities
from tests.service.service_process import run_service

REQUEST_BODY = (
    '{ "documents": ${parameters.documents}, "query": "${parameters.query}", "model": "${parameters.model}", '
    '"top_n": ${parameters.top_n} }'
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that asks for a key."""
    folder = tmp_path_factory.mktemp("service")
    with run_service(folder, module="tests.clients.keyed_process"):
        yield (folder / "address").read_text()


@pytest.fixture
def plugin() -> Iterator[tuple[MlCommons, str]]:
    told = MlCommons()
    with serving(told) as url:
        yield told, url


def test_opensearch_is_told_what_its_plugin_takes() -> None:
    """Cluster settings, connector, model and pipeline, key by key."""
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


def test_elasticsearch_is_told_by_its_custom_service() -> None:
    """An inference endpoint of the service custom, and a retriever that names it."""
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


def test_the_plugin_calls_the_service_and_reads_its_answer(address: str, plugin: tuple[MlCommons, str]) -> None:
    """Endpoints that were trusted stay so; the trial's scores are the service's; the pipeline leads to the model."""
    told, url = plugin
    installed = install_integration(url, RerankIntegration(address, key=KEY))
    assert installed.trial_scores == (0.01798621, 0.98201379)
    escaped = address.replace(".", "\\.")
    assert told.settings == {TRUSTED: [*DEFAULT_TRUSTED, f"^{escaped}/.*$"], PRIVATE: True}
    rerank = told.pipelines["rerank"]["response_processors"][0]["rerank"]
    assert rerank["ml_opensearch"] == {"model_id": installed.model_id}
    texts = ["rain falls on stone", "green tea is brewed from leaves"]
    assert [json.loads(sent) for sent in told.sent] == [
        {"documents": texts, "query": "green tea", "model": "default", "top_n": 2}
    ]


def test_wiring_again_replaces_what_was_installed(address: str, plugin: tuple[MlCommons, str]) -> None:
    """One connector and one model of a name are left; others are not touched."""
    told, url = plugin
    install_integration(url, RerankIntegration(address, key=KEY, name="another"))
    install_integration(url, RerankIntegration(address, key=KEY))
    installed = install_integration(url, RerankIntegration(address, key=KEY))
    names = [sorted(made["name"] for made in told.made[kind].values()) for kind in ("connectors", "models")]
    assert names == [["another", "rerank"]] * 2
    assert installed.model_id in told.made["models"]
    assert len(told.settings[TRUSTED]) == len(DEFAULT_TRUSTED) + 1


@given(
    query=st.text(min_size=1, max_size=30).filter(str.strip),
    texts=st.lists(st.text(max_size=30), min_size=1, max_size=8),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_whatever_the_texts_hold_the_plugin_reads_a_score_for_each(
    address: str, plugin: tuple[MlCommons, str], query: str, texts: list[str]
) -> None:
    """Quotes, line ends, NUL, any script: every text has a Double, in its place."""
    told, url = plugin
    if not told.pipelines:
        install_integration(url, RerankIntegration(address, key=KEY))
    model = next(iter(told.made["models"]))
    answer: Any = told.predict({"query_text": query, "text_docs": texts}, model)
    scores = [tensor["data"][0] for tensor in answer["inference_results"][0]["output"]]
    assert len(scores) == len(texts)
    assert all(0 <= score <= 1 for score in scores)


def test_the_plugins_other_function_reads_the_array(address: str, plugin: tuple[MlCommons, str]) -> None:
    """default.rerank reads a bare array with relevance_score: TEI's, where both names of a score are."""
    told, url = plugin
    installed = install_integration(url, RerankIntegration(address, key=KEY))
    action = told.made["connectors"][installed.connector_id]["actions"][0]
    action["url"] = f"{address}/rerank"
    action["request_body"] = '{ "texts": ${parameters.documents}, "query": "${parameters.query}" }'
    action["post_process_function"] = "connector.post_process.default.rerank"
    answer: Any = told.predict({"query_text": "green tea", "text_docs": ["tea", "green tea"]}, installed.model_id)
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
def test_the_stub_refuses_what_the_plugin_cannot_read(answer: bytes) -> None:
    """The rules that the service is held to are those of the plugin: none of these passes."""
    with pytest.raises(Refused):
        similarities(read(answer), 1)


@pytest.mark.parametrize(("key", "url"), [("wrong", None), (None, None), (KEY, "http://127.0.0.1:1")])
def test_a_service_that_cannot_be_called_is_told(
    address: str, plugin: tuple[MlCommons, str], key: str | None, url: str | None
) -> None:
    """A wrong key or address ends in one line with the way out, and no pipeline leads to it."""
    told, server = plugin
    with pytest.raises(StoreError, match=r"cannot call this service \(.*Check that the service is running"):
        install_integration(server, RerankIntegration(url or address, key=key))
    assert told.pipelines == {}


def test_a_server_without_the_plugin_says_so(opensearch_url: str) -> None:
    """The way out is the proxy."""
    with pytest.raises(StoreError) as refused:
        install_integration(opensearch_url, RerankIntegration("http://rerank:8080"))
    assert refused.value.message.startswith(f"OpenSearch at {opensearch_url} has no ml-commons plugin (")
    assert refused.value.message.endswith("or send searches through this service as a proxy (docs/proxy.md).")


@pytest.mark.parametrize("url", ["rerank:8080", "ftp://rerank", "http://", "http://user:password@rerank"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """Before anything is told to a server."""
    with pytest.raises(SettingError):
        RerankIntegration(url)


def test_the_command_prints_lines_for_a_shell(tmp_path: Path) -> None:
    """Each is a curl whose body is JSON; no key is shown."""
    called = CommandLine(tmp_path)("wire", "--service-url", "http://rerank:8080", RERANK_API_KEYS="secret,more")
    assert (called.code, "secret" in called.out + called.err) == (0, False)
    words = shlex.split(called.out, comments=True)
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


def test_the_command_wires_a_server(tmp_path: Path, address: str, plugin: tuple[MlCommons, str]) -> None:
    """--apply makes it all, tries it, and prints what was made."""
    told, url = plugin
    called = CommandLine(tmp_path)(
        "wire", "--apply", "--json", "--service-url", address, "--store", url, RERANK_API_KEYS=KEY
    )
    assert called.code == 0, called.err
    assert called.json["trial"] == [0.01798621, 0.98201379]
    assert called.json["model_id"] in told.made["models"]


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--apply",), 2, "--apply needs an OpenSearch"),
        (("--apply", "--elasticsearch"), 2, "--elasticsearch is only printed"),
        (("--service-url", "x"), 2, "must be http(s)://host:port, got x"),
        (("--apply", "--store", "http://127.0.0.1:{free}"), 1, "cannot be reached"),
    ],
)
def test_wrong_uses_are_one_line(tmp_path: Path, flags: tuple[str, ...], code: int, said: str) -> None:
    """Usage is 2, a server that is not there 1."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        called = CommandLine(tmp_path)("wire", *(flag.format(free=port) for flag in flags))
    assert (called.code, said in called.err, called.out) == (code, True, ""), called.err
