"""Tests with ingest processes that are killed, run at the same time or fill the disk; no written document is lost."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rerank.index.opening import open_store
from rerank.ingest.run import ingest
from tests.fakes import FakeEncoder
from tests.ingest.corpora import NAME, numbered, write_corpus

pytestmark = pytest.mark.slow

DOCUMENTS = 2000
ROOT = Path(__file__).parents[2]


def start(location: Path, corpus: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.ingest.ingest_process", str(location), NAME, corpus]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def run_and_kill(location: Path, corpus: str, *, after: int) -> int:
    """Starts a run and kills it after *after* written batches; returns the number of documents in them."""
    written = 0
    with start(location, corpus) as process:
        assert process.stderr is not None
        for line in process.stderr:
            found = re.match(r"indexing: .*?([\d,]+) documents,", line)
            if found:
                written = int(found[1].replace(",", ""))
                after -= 1
            if after == 0:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    return written


@pytest.mark.parametrize("after", [1, 3])
def test_killed_run_is_resumed(tmp_path: Path, after: int) -> None:
    """The same command keeps every written document, encodes the others once, and publishes all of them."""
    corpus = write_corpus(tmp_path / "c.jsonl", numbered(DOCUMENTS))
    location = tmp_path / "store"
    written = run_and_kill(location, corpus, after=after)
    store, encoder = open_store(str(location)), FakeEncoder()
    assert store.indexes() == []
    report = ingest([corpus], store=store, encoder=encoder, name=NAME)
    assert 0 < written <= report.skipped < DOCUMENTS
    assert len(encoder.encoded) == report.indexed == DOCUMENTS - report.skipped
    info = store.open(NAME).info()
    assert (info.documents, info.passages) == (DOCUMENTS, DOCUMENTS)
    store.close()


def test_two_processes_build_one_index_together(tmp_path: Path) -> None:
    """Two runs of different corpora that start at the same time both succeed and index all documents."""
    first = write_corpus(tmp_path / "a.jsonl", numbered(600))
    second = write_corpus(tmp_path / "b.jsonl", numbered(600, start=500))
    location = tmp_path / "store"
    with start(location, first) as one, start(location, second) as other:
        errors = [one.communicate()[1], other.communicate()[1]]
    assert [one.returncode, other.returncode] == [0, 0], errors
    store = open_store(str(location))
    assert store.open(NAME).info().documents == 1100
    store.close()


OUT_OF_SPACE = """
mount -t tmpfs -o size=600k tmpfs "$1" || exit 77
python="$0"; run() { "$python" -m tests.ingest.ingest_process "$1/store" docs "$2" 2>&1; }
run "$1" "$2" && exit 1
mount -o remount,size=64m "$1" && run "$1" "$2" || exit 1
"$python" -c '
import sys
from rerank.index.opening import open_store
print(open_store(sys.argv[1]).open("docs").info().documents)' "$1/store"
"""


def test_run_on_a_full_disk_can_be_resumed(tmp_path: Path) -> None:
    """A run on a full disk raises StoreFull; with more space, the same command resumes and indexes all documents."""
    mount_point = tmp_path / "disk"
    mount_point.mkdir()
    corpus = write_corpus(tmp_path / "c.jsonl", numbered(DOCUMENTS))
    isolated = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*isolated, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("cannot mount a file system: unshare is missing or not allowed")
    command = [*isolated, "sh", "-c", OUT_OF_SPACE, sys.executable, str(mount_point), corpus]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode != 77, f"cannot mount a small file system: {ran.stderr}"
    error = r"StoreFull: .*no space left on the disk while writing documents.*Run the same command again to resume"
    assert re.search(error, ran.stdout), ran.stdout
    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (0, str(DOCUMENTS))
