"""The rule that nothing acknowledged is lost, on the embedded store, in a process that is killed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from index.opening import open_store
from ingest.run import ingest
from tests.fakes import FakeEncoder
from tests.ingest.corpora import NAME, numbered, write_corpus

DOCUMENTS = 2000
ROOT = Path(__file__).parents[2]


def run_and_kill(location: Path, corpus: str, *, after: int) -> int:
    """Start a run, kill it after so many acknowledged batches, and return the documents in them."""
    command = [sys.executable, "-m", "tests.ingest.killed_run", str(location), NAME, corpus]
    acknowledged = 0
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            found = re.match(r"indexing: .*?([\d,]+) documents,", line)
            if found:
                acknowledged = int(found[1].replace(",", ""))
                after -= 1
            if after == 0:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    return acknowledged


@pytest.mark.parametrize("after", [1, 3])
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, after: int) -> None:
    """The same command keeps every acknowledged document, encodes the others once, and publishes them all."""
    corpus = write_corpus(tmp_path / "c.jsonl", numbered(DOCUMENTS))
    location = tmp_path / "store"
    acknowledged = run_and_kill(location, corpus, after=after)
    store, encoder = open_store(str(location)), FakeEncoder()
    assert store.indexes() == []
    report = ingest([corpus], store=store, encoder=encoder, name=NAME)
    assert 0 < acknowledged <= report.skipped < DOCUMENTS
    assert len(encoder.encoded) == report.indexed == DOCUMENTS - report.skipped
    info = store.open(NAME).info()
    assert (info.documents, info.passages) == (DOCUMENTS, DOCUMENTS)
    store.close()
