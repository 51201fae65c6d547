"""Clients of other products, unmodified and with pinned versions, against a running service."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.clients.environments import REQUIREMENTS, ROOT, CannotBeInstalled, python_of
from tests.clients.keyed_process import KEY
from tests.service.service_process import run_service

pytestmark = [pytest.mark.clients, pytest.mark.timeout(1200)]

GUIDE = ROOT / "docs" / "reranking.md"
BEST, SECOND, LAST = 0.98201379, 0.5, 0.01798621
THREE = [[1, BEST], [2, SECOND], [0, LAST]]
_SECONDS = 300


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yields the URL of a service that requires an API key."""
    folder = tmp_path_factory.mktemp("service")
    with run_service(folder, module="tests.clients.keyed_process"):
        yield (folder / "address").read_text()


@cache
def report_of(program: str, url: str) -> Any:
    """Returns the report of *program*, run in the environment of the same name."""
    completed = subprocess.run(
        [str(python_of(program)), "-m", f"tests.clients.programs.{program}", url, KEY],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return json.loads(completed.stdout)


def result_of(program: str, url: str, client: str) -> object:
    """Returns the result of *client*. Skips the test if its environment cannot be installed."""
    try:
        return report_of(program, url)["results"][client]
    except CannotBeInstalled as exc:
        pytest.skip(f"the clients of {program} cannot be installed: {exc}")


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("cohere v2", [THREE, "2", 1.0]),
        ("cohere v1", [THREE[:2], ["green tea", "tea"]]),
        ("cohere errors", ["NotFoundError", "BadRequestError", "UnauthorizedError"]),
        (
            "infinity",
            [[[1, 4.0, "green tea"], [2, 0.0, "tea"]], "rerank", "fake-reranker", [["fake-reranker", ["rerank"], 0]]],
        ),
        ("mixedbread", [[1, BEST, "green tea"], [2, SECOND, "tea"]]),
        (
            "elasticsearch",
            [{"rerank": [{"index": i, "relevance_score": score} for i, score in [*THREE, (3, LAST)]]}, 404],
        ),
    ],
)
def test_sdks_accept_their_dialect(url: str, client: str, expected: object) -> None:
    """Each SDK parses order, scores and documents, and raises its own error classes."""
    assert result_of("sdks", url, client) == expected


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("CohereRerank", THREE),
        ("JinaRerank", THREE),
        (
            "JinaRerank errors",
            [
                'RuntimeError: no reranker "jina-reranker-v1-base-en" is configured. Configured: fake-reranker, other',
                "RuntimeError: invalid API key",
            ],
        ),
        ("InfinityRerank", THREE),
        ("NVIDIARerank", [[1, 4.0], [2, 0.0], [0, -4.0]]),
        ("voyageai", [[1, BEST, "green tea"], [2, SECOND, "tea"], [0, LAST, "coffee"]]),
    ],
)
def test_langchain_compressors_rerank_documents(url: str, client: str, expected: object) -> None:
    """Cohere, Jina, infinity and NVIDIA compressors and Voyage AI's client work; error messages reach the user."""
    assert result_of("langchain", url, client) == expected


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("CohereRerank", THREE),
        ("JinaRerank", THREE),
        (
            "JinaRerank errors",
            'RuntimeError: no reranker "jina-reranker-v1-base-en" is configured. Configured: fake-reranker, other',
        ),
        ("NVIDIARerank", [[1, 4.0], [2, 0.0], [0, -4.0]]),
        ("SiliconFlowRerank", THREE),
        ("TextEmbeddingInference", THREE),
    ],
)
def test_llama_index_postprocessors_rerank_nodes(url: str, client: str, expected: object) -> None:
    """The postprocessors of Cohere, Jina, NVIDIA, SiliconFlow and text-embeddings-inference work."""
    assert result_of("llama_index", url, client) == expected


@pytest.mark.parametrize(
    ("client", "expected"),
    [("HuggingFaceTEIRanker", THREE), ("HuggingFaceTEIRanker raw", [[1, 4.0], [2, 0.0], [0, -4.0]])],
)
def test_haystack_ranker_reranks_documents(url: str, client: str, expected: object) -> None:
    """The ranker of text-embeddings-inference works with probabilities and with raw scores."""
    assert result_of("haystack", url, client) == expected


@pytest.mark.parametrize(
    "client",
    [
        "litellm cohere",
        "litellm hosted_vllm",
        "litellm hosted_vllm instruction",
        "litellm jina_ai",
        "litellm voyage",
        "litellm huggingface",
        "litellm infinity",
        "rerankers cohere",
        "rerankers jina",
        "rerankers voyage",
        "rerankers mixedbread.ai",
        "xinference",
    ],
)
def test_gateways_rerank_documents(url: str, client: str) -> None:
    """LiteLLM, rerankers and Xinference's client work with the APIs that they call."""
    assert result_of("gateways", url, client) == THREE


@pytest.mark.parametrize("client", ["litellm embedding", "openai embedding"])
def test_embedding_clients_get_vectors(url: str, client: str) -> None:
    """Vectors arrive as numbers and in base64."""
    assert result_of("gateways", url, client) == [4, 64]


def test_haystack_ranker_reports_the_reason_of_an_error(url: str) -> None:
    """The status is that of text-embeddings-inference; the message is that of this service."""
    message = str(result_of("haystack", url, "HuggingFaceTEIRanker errors"))
    assert message.startswith("RuntimeError: ")
    assert "422" in message
    assert "is blank. Send the text to search for" in message


@pytest.mark.parametrize("program", ["sdks", "langchain", "llama_index", "haystack", "gateways"])
def test_guide_lists_the_tested_versions(url: str, program: str) -> None:
    """docs/reranking.md lists each client with the version that was tested."""
    try:
        versions = report_of(program, url)["versions"]
    except CannotBeInstalled as exc:
        pytest.skip(f"the clients of {program} cannot be installed: {exc}")
    text = GUIDE.read_text(encoding="utf-8")
    assert [f"{name} {version}" for name, version in versions.items() if f"{name} {version}" not in text] == []


@pytest.mark.parametrize("file", sorted(REQUIREMENTS.glob("*.txt")), ids=lambda file: file.stem)
def test_every_requirement_is_pinned(file: Path) -> None:
    """Every installation has the same versions."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!-]+", line)] == []
