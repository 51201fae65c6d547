"""The clients that people have, unchanged and at named versions, against the running service."""

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
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that asks for a key."""
    folder = tmp_path_factory.mktemp("service")
    with run_service(folder, module="tests.clients.keyed_process"):
        yield (folder / "address").read_text()


@cache
def report_of(program: str, address: str) -> Any:
    """What the clients of *program* returned, asked in the environment of its name."""
    called = subprocess.run(
        [str(python_of(program)), "-m", f"tests.clients.programs.{program}", address, KEY],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert called.returncode == 0, called.stderr
    return json.loads(called.stdout)


def answer(program: str, address: str, client: str) -> object:
    try:
        return report_of(program, address)["answers"][client]
    except CannotBeInstalled as exc:
        pytest.skip(f"the clients of {program} cannot be installed: {exc}")


@pytest.mark.parametrize(
    ("client", "read"),
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
def test_sdks_read_their_own_dialect(address: str, client: str, read: object) -> None:
    """Order, scores, documents, and errors as the SDK's own kinds; the key goes as each one sends it."""
    assert answer("sdks", address, client) == read


@pytest.mark.parametrize(
    ("client", "read"),
    [
        ("CohereRerank", THREE),
        ("JinaRerank", THREE),
        (
            "JinaRerank errors",
            [
                'RuntimeError: no reranker "jina-reranker-v1-base-en" is configured; there are: fake-reranker, other',
                "RuntimeError: the key is not one that this service knows",
            ],
        ),
        ("InfinityRerank", THREE),
        ("NVIDIARerank", [[1, 4.0], [2, 0.0], [0, -4.0]]),
        ("voyageai", [[1, BEST, "green tea"], [2, SECOND, "tea"], [0, LAST, "coffee"]]),
    ],
)
def test_langchains_compressors_order_documents(address: str, client: str, read: object) -> None:
    """Cohere's, Jina's, infinity's and NVIDIA's, and Voyage AI's own client; an error's sentence reaches the user."""
    assert answer("langchain", address, client) == read


@pytest.mark.parametrize(
    ("client", "read"),
    [
        ("CohereRerank", THREE),
        ("JinaRerank", THREE),
        (
            "JinaRerank errors",
            'RuntimeError: no reranker "jina-reranker-v1-base-en" is configured; there are: fake-reranker, other',
        ),
        ("TextEmbeddingInference", THREE),
    ],
)
def test_llama_indexs_postprocessors_order_nodes(address: str, client: str, read: object) -> None:
    """Cohere's, Jina's and text-embeddings-inference's."""
    assert answer("llama_index", address, client) == read


@pytest.mark.parametrize(
    ("client", "read"),
    [("HuggingFaceTEIRanker", THREE), ("HuggingFaceTEIRanker raw", [[1, 4.0], [2, 0.0], [0, -4.0]])],
)
def test_haystacks_ranker_orders_documents(address: str, client: str, read: object) -> None:
    """Text-embeddings-inference's, with probabilities and with raw scores."""
    assert answer("haystack", address, client) == read


def test_haystacks_ranker_tells_the_reason_of_an_error(address: str) -> None:
    """The status is TEI's, and the sentence ours."""
    said = str(answer("haystack", address, "HuggingFaceTEIRanker errors"))
    assert said.startswith("RuntimeError: ")
    assert "422" in said
    assert "is blank; send the text to search for" in said


@pytest.mark.parametrize("program", ["sdks", "langchain", "llama_index", "haystack"])
def test_versions_are_named_in_the_guide(address: str, program: str) -> None:
    """docs/reranking.md lists each client with the version that was asked."""
    try:
        versions = report_of(program, address)["versions"]
    except CannotBeInstalled as exc:
        pytest.skip(f"the clients of {program} cannot be installed: {exc}")
    text = GUIDE.read_text(encoding="utf-8")
    assert [f"{name} {version}" for name, version in versions.items() if f"{name} {version}" not in text] == []


@pytest.mark.parametrize("file", sorted(REQUIREMENTS.glob("*.txt")), ids=lambda file: file.stem)
def test_every_requirement_is_pinned(file: Path) -> None:
    """What passes today is what is installed tomorrow."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!-]+", line)] == []
