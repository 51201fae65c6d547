"""Attack with kill -9 on the search server while documents are indexed. --attack-rounds and --attack-seed vary it."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rerank.index.opening import open_store
from tests.ingest.corpora import numbered, write_corpus
from tests.opensearch_server import ServerProcess

NAME = "attacked"
DOCUMENTS = 5_000
SECONDS = 300.0


@pytest.fixture
def server(elasticsearch_home: Path) -> Iterator[ServerProcess]:
    """Yields a server of this test's own, because the test kills it."""
    server = ServerProcess("elasticsearch", elasticsearch_home)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.mark.timeout(1_800)
def test_ingest_outlasts_kills_of_the_server(
    request: pytest.FixtureRequest, server: ServerProcess, tmp_path: Path
) -> None:
    """The run waits for the server. Every document is indexed once, also a write that the kill interrupted."""
    choice = random.Random(request.config.getoption("--attack-seed"))
    corpus = write_corpus(tmp_path / "corpus.jsonl", numbered(DOCUMENTS))
    run = [sys.executable, "-m", "tests.ingest.ingest_process", server.url, NAME, corpus]
    for _ in range(request.config.getoption("--attack-rounds")):
        process = subprocess.Popen(run, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1 + 4 * choice.random())
            server.kill()
            server.start()
            # A run that could not finish is resumed by the next one.
            process.wait(SECONDS)
        finally:
            process.kill()
            process.wait()
    assert subprocess.run(run, stderr=subprocess.DEVNULL, timeout=SECONDS, check=False).returncode == 0
    store = open_store(server.url)
    index = store.open(NAME)
    expected = {str(i): f"document number {i}" for i in range(DOCUMENTS)}
    assert {doc_id: document.text for doc_id, document in index.fetch(list(expected)).items()} == expected
    assert index.info().documents == DOCUMENTS
    store.close()
