"""Attack with kill -9 on a rebuild and on a writer at random moments. --attack-rounds and --attack-seed vary it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rerank.core.protocols import Store
from rerank.index.opening import open_store
from tests.ingest.corpora import numbered, write_corpus

NAME = "attacked"
DOCUMENTS = 2_000
SECONDS = 120.0


@contextmanager
def process(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a module of this folder, and kills the process at the end of the block."""
    child = subprocess.Popen([sys.executable, "-m", f"tests.attack.{module}", *arguments])
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def wait_for_rebuild(store: Store, run: subprocess.Popen[bytes]) -> None:
    """Waits until *run* has created a new generation, or has ended."""
    deadline = time.monotonic() + SECONDS
    while store.unfinished(NAME) is None and run.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def outcomes(journal: Path) -> dict[str, set[str | None]]:
    """Returns the texts that each written document can have: the acknowledged one, and those of killed writes."""
    possible: dict[str, set[str | None]] = {}
    pending: tuple[str, str | None] | None = None
    for line in journal.read_text().splitlines():
        step = json.loads(line)
        if step:
            pending = (step[0], step[1])
            possible.setdefault(pending[0], {"initial"}).add(pending[1])
        elif pending is not None:
            possible[pending[0]] = {pending[1]}
    return possible


def attack(store: Store, corpus: str, folder: Path, choice: random.Random) -> Path:
    """Rebuilds the index while writers write; kills both, and lets the last run finish. Returns the journal."""
    journal = folder / f"journal{choice.random()}"
    # Earlier writes are not part of the rebuilt index.
    while store.unfinished(NAME) is None:
        with process("ingest_process", store.location, NAME, corpus) as run:
            wait_for_rebuild(store, run)
            time.sleep(choice.random() / 2)
    finished = False
    while not finished:
        with process("writer_process", store.location, NAME, str(choice.random()), str(journal)):
            time.sleep(choice.random())
            with process("ingest_process", store.location, NAME, corpus) as run:
                try:
                    assert run.wait(SECONDS if choice.random() < 0.4 else 3 * choice.random()) == 0
                    finished = True
                    time.sleep(choice.random())
                except subprocess.TimeoutExpired:
                    finished = store.unfinished(NAME) is None
    return journal


def check(store: Store, journal: Path) -> None:
    """Fails if an acknowledged write is missing, a document is there twice, or a generation is left over."""
    assert store.unfinished(NAME) is None
    index = store.open(NAME)
    index.refresh()
    possible = outcomes(journal)
    corpus = {str(i): {"initial"} for i in range(DOCUMENTS)}
    expected = {**corpus, **possible}
    found = index.fetch(list(expected))
    texts = {doc_id: document.text for doc_id, document in found.items()}
    for doc_id, allowed in possible.items():
        initial = {f"document number {doc_id}" if doc_id in corpus else None} if "initial" in allowed else set()
        assert texts.get(doc_id) in (allowed - {"initial"}) | initial, doc_id
    assert corpus.keys() - possible.keys() <= texts.keys()
    assert index.info().documents == len(texts)


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("kind", ["embedded", "opensearch", "elasticsearch"])
def test_killed_rebuilds_and_writers_lose_nothing(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> None:
    """The rebuilt index has every write acknowledged during a rebuild, after a kill of any process."""
    rounds, seed = request.config.getoption("--attack-rounds"), request.config.getoption("--attack-seed")
    location = str(tmp_path / "store") if kind == "embedded" else request.getfixturevalue(f"{kind}_url")
    choice = random.Random(f"{seed} {kind}")
    corpus = write_corpus(tmp_path / "corpus.jsonl", numbered(DOCUMENTS))
    store = open_store(location)
    try:
        with process("ingest_process", location, NAME, corpus) as first:
            assert first.wait(SECONDS) == 0
        for _ in range(rounds):
            check(store, attack(store, corpus, tmp_path, choice))
    finally:
        store.delete(NAME)
        store.close()
